"""Deliveries in a table of the user's, through any DB-API connection; doing it again changes nothing."""

import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Final, Protocol

from airflow_provider_dropcowboy.errors import ConfigurationError, DropCowboyError
from airflow_provider_dropcowboy.reports.deliveries import COLUMNS, Delivery, cells

CHUNK_ROWS: Final = 500
"""Rows a transaction; thirteen parameters each, of 32,766 that SQLite and 65,535 that PostgreSQL take a statement."""

TYPES: Final = {
    "foreign_id": "VARCHAR(48) PRIMARY KEY",
    "claimed_at": "TIMESTAMP WITH TIME ZONE",
    "answered_at": "TIMESTAMP WITH TIME ZONE",
    "final_at": "TIMESTAMP WITH TIME ZONE",
    "cost_usd": "NUMERIC(18, 6)",
}
"""Column types of a table that is made here; the others are text."""

FORGETTABLE: Final = ("contact_key", "phone_number", "network")


class TableError(DropCowboyError):
    """The user's database did not take the rows; what was committed before stands, and running again goes on."""


class Cursor(Protocol):
    """An open DB-API 2 cursor (PEP 249)."""

    def execute(self, operation: str, parameters: Sequence[object] = ..., /) -> object:
        """Run a statement."""

    def fetchall(self) -> Sequence[Sequence[object]]:
        """All rows of the last query."""

    def close(self) -> object:
        """Give it back."""


class Connection(Protocol):
    """An open DB-API 2 connection that does not commit by itself; the caller closes it."""

    def cursor(self) -> Cursor:
        """A new cursor."""

    def commit(self) -> object:
        """Keep what was written."""

    def rollback(self) -> object:
        """Drop what was written."""


@dataclass(frozen=True, slots=True)
class Table:
    """Where rows go.

    :param name: as SQL names it: ``deliveries``, ``analytics.deliveries``, or with parts in double quotes.
    :param placeholder: of the driver: ``%s`` or ``?``.
    :raises ConfigurationError: no name of a table.
    """

    name: str
    placeholder: str

    def __post_init__(self) -> None:
        # it becomes part of a statement, and may come from a template
        if not _NAME.fullmatch(self.name):
            raise ConfigurationError(
                f"table={self.name!r} names no table. Write deliveries, schema.deliveries, or parts in double quotes."
            )


def create_table(connection: Connection, table: Table) -> None:
    """The table is there, with all columns of an export if this made it.

    :raises TableError: the database refused.
    """
    columns = ", ".join(f"{column} {TYPES.get(column, 'TEXT')}" for column in COLUMNS)
    with _transaction(connection) as cursor:
        cursor.execute(f"CREATE TABLE IF NOT EXISTS {table.name} ({columns})")


def write_deliveries(connection: Connection, table: Table, *, deliveries: Iterable[Delivery]) -> int:
    """The table says of each of these sends what the ledger says.

    Only rows that differ are written: deleted by foreign_id and inserted, in one transaction a chunk. What the ledger
    has forgotten of a person stays as the table has it.

    :returns: rows written.
    :raises TableError: the database failed; whole chunks stand.
    """
    written = 0
    rest = iter(deliveries)
    while chunk := list(islice(rest, CHUNK_ROWS)):
        with _transaction(connection) as cursor:
            known = _known(cursor, table, [delivery.foreign_id for delivery in chunk])
            changed = list(_changed(chunk, known))
            if changed:
                _replace(cursor, table, changed)
        written += len(changed)
    return written


def _known(cursor: Cursor, table: Table, foreign_ids: Sequence[str]) -> dict[object, dict[str, object]]:
    among = ", ".join([table.placeholder] * len(foreign_ids))
    # the table's name was checked, the columns are our own words
    cursor.execute(
        f"SELECT {', '.join(COLUMNS)} FROM {table.name} WHERE foreign_id IN ({among})",  # noqa: S608
        foreign_ids,
    )
    rows = (dict(zip(COLUMNS, row, strict=True)) for row in cursor.fetchall())
    return {row["foreign_id"]: row for row in rows}


def _changed(chunk: Iterable[Delivery], known: dict[object, dict[str, object]]) -> Iterator[Delivery]:
    for delivery in chunk:
        there = known.get(delivery.foreign_id)
        if there is None:
            yield delivery
            continue
        kept = {
            name: str(there[name])
            for name in FORGETTABLE
            if getattr(delivery, name) is None and there[name] is not None
        }
        wanted = replace(delivery, **kept)  # type: ignore[arg-type]  # all three are text
        if _comparable(dict(zip(COLUMNS, cells(wanted), strict=True))) != _comparable(there):
            yield wanted


def _replace(cursor: Cursor, table: Table, changed: Sequence[Delivery]) -> None:
    mark = table.placeholder
    cursor.execute(
        f"DELETE FROM {table.name} WHERE foreign_id IN ({', '.join([mark] * len(changed))})",  # noqa: S608
        [delivery.foreign_id for delivery in changed],
    )
    row = f"({', '.join([mark] * len(COLUMNS))})"
    cursor.execute(
        f"INSERT INTO {table.name} ({', '.join(COLUMNS)}) VALUES {', '.join([row] * len(changed))}",  # noqa: S608
        [_cell(value) for delivery in changed for value in cells(delivery)],
    )


def _cell(value: object) -> object:
    """As text, which every database turns into the column's type, and no driver needs an adapter for."""
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():
            return str(value)
        case _:
            return value


def _comparable(row: dict[str, object]) -> list[object]:
    """The row in one notation, whatever types its database has."""
    return [_notation(name, value) for name, value in row.items()]


def _notation(name: str, value: object) -> object:
    if value is None:
        return None
    try:
        if name.endswith("_at"):
            instant = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
            return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
        if name.endswith("_usd"):
            return Decimal(str(value))
    except (ValueError, ArithmeticError):
        pass  # of another kind than ours: it differs, and is written anew
    return str(value)


@contextmanager
def _transaction(connection: Connection) -> Iterator[Cursor]:
    try:
        with closing(connection.cursor()) as cursor:
            yield cursor
        connection.commit()
    except Exception as error:  # noqa: BLE001 - only the driver knows its classes, and their texts may hold values
        with suppress(Exception):  # it may be gone; what is not committed is then dropped by itself
            connection.rollback()
        sqlstate = str(getattr(error, "sqlstate", None) or getattr(error, "pgcode", None) or "")
        raise TableError(
            f"The table's database did not take the rows: {f'{type(error).__name__} {sqlstate}'.strip()}. What was "
            "written before stands; running again goes on. If the table is not there, create_table=True makes it."
        ) from None


_PART: Final = r'(?:[A-Za-z_][A-Za-z0-9_$]*|"[^"\x00]+")'
_NAME: Final = re.compile(rf"{_PART}(?:\.{_PART}){{0,2}}")
