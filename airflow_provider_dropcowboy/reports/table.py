"""Deliveries in a table of the user's warehouse; doing it again changes nothing."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import islice
from typing import Final, Protocol

from airflow_provider_dropcowboy.contacts.sql_errors import what_failed
from airflow_provider_dropcowboy.errors import DropCowboyError
from airflow_provider_dropcowboy.reports import dialects
from airflow_provider_dropcowboy.reports.deliveries import Delivery, cells_of

CHUNK_ROWS: Final = 500
"""Rows a statement; at most fifteen parameters each, of 32,766 that SQLite and 65,535 that PostgreSQL take."""

FORGETTABLE: Final = ("contact_key", "phone_number", "network")


class TableError(DropCowboyError):
    """The user's database did not take the rows; what was committed before stands, and running again goes on."""


class Cursor(Protocol):
    """An open DB-API 2 cursor (PEP 249)."""

    def execute(self, operation: str, parameters: Sequence[object] | Mapping[str, object] = ..., /) -> object:
        """Run a statement."""

    def fetchall(self) -> Sequence[Sequence[object] | Mapping[str, object]]:
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


def create_table(connection: Connection, table: dialects.Table) -> None:
    """The table is there, with all columns of an export if this made it.

    :raises TableError: the database refused.
    """
    with _cursor(connection, table) as cursor:
        cursor.execute(dialects.definition(table))


def write_deliveries(connection: Connection, table: dialects.Table, *, deliveries: Iterable[Delivery]) -> int:
    """The table says of each of these sends what the ledger says.

    Only rows that differ are written, and nobody sees a row gone: they are deleted by foreign_id and inserted in one
    transaction a chunk; or merged by one statement, where the warehouse has no such transactions; or inserted, where
    the table itself keeps the last row of a foreign_id (ClickHouse). What the ledger has forgotten of a person stays as
    the table has it.

    :returns: rows written.
    :raises TableError: the database failed; whole chunks stand.
    """
    if table.dialect in dialects.SESSIONS:
        with _cursor(connection, table) as cursor:
            cursor.execute(dialects.SESSIONS[table.dialect])
    written = 0
    rest = iter(deliveries)
    while chunk := list(islice(rest, CHUNK_ROWS)):
        with _cursor(connection, table, chunk) as cursor:
            known = _known(cursor, table, [delivery.foreign_id for delivery in chunk])
            changed = list(_changed(chunk, known, table.columns))
            if changed:
                _replace(cursor, table, changed)
        written += len(changed)
    return written


def _known(cursor: Cursor, table: dialects.Table, foreign_ids: Sequence[str]) -> dict[object, dict[str, object]]:
    parameters = dialects.Parameters(cursor)
    among = dialects.ids_of(foreign_ids, parameters, table.dialect)
    final = " FINAL" if table.dialect in dialects.REPLACING else ""
    # the table's name was checked, the columns are our own words
    statement = f"SELECT {', '.join(table.columns)} FROM {table.quoted}{final} WHERE foreign_id IN ({among})"  # noqa: S608
    bound = parameters.bound()
    cursor.execute(statement, bound) if bound else cursor.execute(statement)
    # an extra of the connection may name a cursor of dicts
    found = (row.values() if isinstance(row, Mapping) else row for row in cursor.fetchall())
    rows = (dict(zip(table.columns, row, strict=True)) for row in found)
    return {row["foreign_id"]: row for row in rows}


def _changed(
    chunk: Iterable[Delivery], known: dict[object, dict[str, object]], columns: Sequence[str]
) -> Iterator[Delivery]:
    cells = cells_of(columns)
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
        if _comparable(dict(zip(columns, cells(wanted), strict=True))) != _comparable(there):
            yield wanted


def _replace(cursor: Cursor, table: dialects.Table, changed: Sequence[Delivery]) -> None:
    dialect, cells = table.dialect, cells_of(table.columns)
    if dialect in dialects.MERGING:
        cursor.execute(dialects.merge_statement(table, changed))
        return
    if table.is_transactional:
        gone = dialects.Parameters(cursor)
        among = ", ".join(gone.mark(delivery.foreign_id) for delivery in changed)
        cursor.execute(f"DELETE FROM {table.quoted} WHERE foreign_id IN ({among})", gone.bound())  # noqa: S608
    for rows in [[delivery] for delivery in changed] if dialect == "oracle" else [changed]:  # its VALUES has one row
        added = dialects.Parameters(cursor)
        values = ", ".join(
            f"({', '.join(dialects.mark_of(added, dialect, cell) for cell in cells(row))})" for row in rows
        )
        insert = f"INSERT INTO {table.quoted} ({', '.join(table.columns)}) VALUES {values}"  # noqa: S608
        cursor.execute(insert, added.bound())


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
def _cursor(connection: Connection, table: dialects.Table, chunk: Sequence[Delivery] = ()) -> Iterator[Cursor]:
    """A cursor, whose changes are kept together if the warehouse has transactions."""
    try:
        with closing(connection.cursor()) as cursor:
            yield cursor
        if table.is_transactional:
            connection.commit()
    except Exception as error:  # noqa: BLE001 - only the driver knows its classes, and their texts may hold values
        with suppress(Exception):  # it may be gone; what is not committed is then dropped by itself
            connection.rollback()
        personal = [value for row in chunk for value in (row.contact_key, row.phone_number, row.reason) if value]
        said = what_failed(error, sql=f"{table.name} {' '.join(table.columns)}", values=personal)
        raise TableError(
            f"The table's database did not accept the rows: {said}. What was written before stands; running again goes "
            "on. If the table is not there, create_table=True makes it."
        ) from None
