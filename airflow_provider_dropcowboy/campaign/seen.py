"""What a run has met already, in memory that does not grow: temporary SQLite files hold it."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import Final, Self

from airflow_provider_dropcowboy.ledger.judgement import LOST, Judgement
from airflow_provider_dropcowboy.screening.message import Message
from airflow_provider_dropcowboy.states import State


class _OnDisk:
    """A table on disk, gone when closed. Used by one thread at a time."""

    _TABLE: str

    def __init__(self) -> None:
        # an empty file name: SQLite's own temporary file, kept in memory while it is small
        self._connection = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        self._connection.execute("PRAGMA journal_mode = OFF")
        self._connection.execute("PRAGMA cache_size = -8192")  # 8 MiB
        self._connection.execute(self._TABLE)
        self._connection.execute("BEGIN")  # never committed: nobody else reads it

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()


class Seen(_OnDisk):
    """A set of names."""

    _TABLE = "CREATE TABLE seen (name TEXT PRIMARY KEY) WITHOUT ROWID"

    def add(self, name: str) -> bool:
        """Whether the name is met for the first time; it is known from now on."""
        return self._connection.execute("INSERT OR IGNORE INTO seen VALUES (?)", (name,)).rowcount == 1

    def has(self, name: str) -> bool:
        """Whether the name was met."""
        return self._connection.execute("SELECT 1 FROM seen WHERE name = ?", (name,)).fetchone() is not None


class Unsent(_OnDisk):
    """Messages of a run that own their number and were not sent: a later message to that number is their duplicate.

    The ledger does not know them, and without them the verdict would depend on which rows came in one batch.
    """

    _TABLE = "CREATE TABLE unsent (number TEXT PRIMARY KEY, foreign_id TEXT, is_held INTEGER) WITHOUT ROWID"

    def __init__(self) -> None:
        super().__init__()
        self._is_empty = True

    def add(self, message: Message, state: State | None = None) -> None:
        """The number is the message's, unless another has it.

        :param state: of its row; None: the one in which the message is stopped.
        """
        if state is None:
            assert message.stop is not None
            state, _reason = message.stop
        if state in {State.SUPPRESSED, State.DUPLICATE}:  # these own no number
            return
        self._is_empty = False
        row = message.number_digest, message.foreign_id, state is State.HELD
        self._connection.execute("INSERT OR IGNORE INTO unsent VALUES (?, ?, ?)", row)

    def add_all(self, judgement: Judgement) -> None:
        """The messages of a batch that neither this run nor another one claimed."""
        for message, state, _reason in judgement.not_asked():
            self.add(message, state)
        for row in judgement.already:
            if row.reason == LOST:  # the ledger has no record of the send, which would own the number
                self.add(row.message, row.state)

    def owners(self, number_digests: Sequence[str]) -> dict[str, str]:
        """Whose these numbers are: number digest to foreign_id."""
        if self._is_empty:
            return {}
        return dict(self._connection.execute(_OWNERS, (json.dumps(number_digests),)))

    def held(self) -> Iterator[str]:
        """The foreign_ids that a later wave may send."""
        return (name for (name,) in self._connection.execute("SELECT foreign_id FROM unsent WHERE is_held"))


_OWNERS: Final = "SELECT number, foreign_id FROM unsent WHERE number IN (SELECT value FROM json_each(?))"
