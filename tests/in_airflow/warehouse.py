"""A warehouse of a test's own, with the tables that the example DAGs read."""

import json
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Final

TABLES: Final = """
CREATE TABLE due_today (contact_id INTEGER, phone TEXT, postal_code TEXT, first_name TEXT, consented BOOLEAN);
CREATE TABLE appointments (contact_id INTEGER, phone TEXT, remind_on TEXT, consented BOOLEAN);
"""

Cells = tuple[object, ...]


def number(index: int) -> str:
    """The number of the contact ``index``, 0 to 199, in E.164; of those that nobody has."""
    return f"+1{504 + index // 100}5550{100 + index % 100}"


def numbers(*indexes: int) -> dict[str, int]:
    """Each of these contacts' numbers once, as the sandbox counts them."""
    return {number(index): 1 for index in indexes}


def rows(count: int) -> list[dict[str, object]]:
    """So many contacts, as a DAG hands them over: ``contact_id`` and ``phone``."""
    return [{"contact_id": index, "phone": number(index)} for index in range(count)]


class Warehouse:
    """A SQLite file; ``due_today`` and ``appointments`` are there, and empty."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with closing(sqlite3.connect(path)) as connection:
            connection.executescript(TABLES)

    @property
    def connection(self) -> str:
        """An Airflow connection to it, for an environment variable."""
        return json.dumps({"conn_type": "sqlite", "host": str(self.path)})

    def due_today(self, *added: Cells) -> None:
        """These rows are due: contact_id, phone, postal_code, first_name, consented."""
        self._insert("INSERT INTO due_today VALUES (?, ?, ?, ?, ?)", added)

    def appointments(self, *added: Cells) -> None:
        """These rows are to be reminded: contact_id, phone, remind_on, consented."""
        self._insert("INSERT INTO appointments VALUES (?, ?, ?, ?)", added)

    def _insert(self, statement: str, added: Iterable[Cells]) -> None:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.executemany(statement, added)
