"""Which names a run has met already, in memory that does not grow: a temporary SQLite file holds them."""

import sqlite3
from collections.abc import Iterator
from types import TracebackType
from typing import Self


class Seen:
    """A set of names on disk, gone when closed. Used by one thread at a time."""

    def __init__(self) -> None:
        # an empty file name: SQLite's own temporary file, kept in memory while it is small
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA cache_size = -8192")  # 8 MiB
        self._connection.execute("CREATE TABLE seen (name TEXT PRIMARY KEY) WITHOUT ROWID")
        self._connection.execute("BEGIN")  # never committed: nobody else reads it

    def add(self, name: str) -> bool:
        """Whether the name is met for the first time; it is known from now on."""
        return self._connection.execute("INSERT OR IGNORE INTO seen VALUES (?)", (name,)).rowcount == 1

    def has(self, name: str) -> bool:
        """Whether the name was met."""
        return self._connection.execute("SELECT 1 FROM seen WHERE name = ?", (name,)).fetchone() is not None

    def __iter__(self) -> Iterator[str]:
        return (name for (name,) in self._connection.execute("SELECT name FROM seen"))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
