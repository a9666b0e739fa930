"""Deliveries as a file, streamed; or as a table of the user's warehouse, where doing it again changes nothing."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from itertools import islice
from pathlib import PurePosixPath
from typing import IO, Final, Protocol

from airflow_provider_dropcowboy.contacts.sql_errors import what_failed
from airflow_provider_dropcowboy.errors import ConfigurationError, DropCowboyError
from airflow_provider_dropcowboy.reports import dialects
from airflow_provider_dropcowboy.reports.deliveries import CHUNK_ROWS, COLUMNS, Delivery, cells_of

Write = Callable[[Iterable[Delivery], IO[bytes]], None]

STATEMENT_ROWS: Final = 500
"""Rows a statement; at most fifteen parameters each, of 32,766 that SQLite and 65,535 that PostgreSQL take."""

FORGETTABLE: Final = ("contact_key", "phone_number", "network")


def writer_for(name: str, columns: Sequence[str] = COLUMNS) -> Write:
    """What writes a file of this name with these columns, by its suffix: .jsonl, .ndjson, .csv or .parquet.

    Text is UTF-8; instants are ISO 8601 in UTC; an amount is in US dollars, exact to a millionth. In CSV, NULL is an
    empty cell, and a text that a spreadsheet would run as a formula begins with an apostrophe more.

    :raises ConfigurationError: another suffix, or Parquet without pyarrow; before anything is read.
    """
    shown = PurePosixPath(name).name
    match PurePosixPath(shown).suffix.lower():
        case ".jsonl" | ".ndjson":
            return partial(_write_json_lines, columns)
        case ".csv":
            return partial(_write_csv, columns)
        case ".parquet":
            return _parquet_writer(shown, columns)
        case _:
            raise ConfigurationError(f"{shown} is of no known format. Name it *.jsonl, *.csv or *.parquet.")


def counted(deliveries: Iterable[Delivery], counts: Counter[str]) -> Iterator[Delivery]:
    """The deliveries, and how many there are in each state once they are read."""
    for delivery in deliveries:
        counts[delivery.state] += 1
        yield delivery


def _write_json_lines(columns: Sequence[str], deliveries: Iterable[Delivery], file: IO[bytes]) -> None:
    cells = cells_of(columns)
    for delivery in deliveries:
        row = dict(zip(columns, map(_json_cell, cells(delivery)), strict=True))
        file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")


def _json_cell(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():
            return float(value)  # six decimals of an amount survive it
        case _:
            return value


def _write_csv(columns: Sequence[str], deliveries: Iterable[Delivery], file: IO[bytes]) -> None:
    cells = cells_of(columns)
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    try:
        written = csv.writer(text)
        written.writerow(columns)
        for delivery in deliveries:
            written.writerow(map(_csv_cell, cells(delivery)))
    finally:
        text.detach()  # flushed; the caller's file stays open


# OWASP, CSV Injection: these begin a formula, some programs read the wide ones too, and drop white space before them.
# A plain number does no harm, and phone numbers stay what they are. Apostrophes in front are counted, so that whoever
# reads the file can remove what was added.
_FORMULA: Final = re.compile(r"'*\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


def _csv_cell(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case str() if _FORMULA.match(value) and not _NUMBER.fullmatch(value):
            return f"'{value}"
        case _:
            return value


def _parquet_writer(name: str, columns: Sequence[str]) -> Write:
    try:
        import pyarrow as pa  # not a dependency: 50 MB that only users of Parquet need
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigurationError(
            f"Writing {name} takes pyarrow. Install airflow-provider-dropcowboy[files], or write CSV or JSON Lines."
        ) from error

    instant, amount = pa.timestamp("us", tz="UTC"), pa.decimal128(18, 6)
    kinds = dict.fromkeys((column for column in columns if column.endswith("_at")), instant) | {"cost_usd": amount}
    schema = pa.schema([(column, kinds.get(column, pa.string())) for column in columns])
    cells = cells_of(columns)

    def write(deliveries: Iterable[Delivery], file: IO[bytes]) -> None:
        with parquet.ParquetWriter(file, schema) as opened:
            for chunk in _chunks(deliveries, CHUNK_ROWS):
                values = zip(*map(cells, chunk), strict=True)
                opened.write_table(pa.table(dict(zip(columns, map(list, values), strict=True)), schema=schema))

    return write


def _chunks(deliveries: Iterable[Delivery], rows: int) -> Iterator[list[Delivery]]:
    rest = iter(deliveries)
    while chunk := list(islice(rest, rows)):
        yield chunk


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
    for chunk in _chunks(deliveries, STATEMENT_ROWS):
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
