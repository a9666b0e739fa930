"""Deliveries as a file: JSON Lines, CSV or Parquet, streamed."""

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from functools import partial
from itertools import islice
from pathlib import PurePosixPath
from typing import IO, Final

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.reports.deliveries import COLUMNS, Delivery, cells_of

CHUNK_ROWS: Final = 2_000

Write = Callable[[Iterable[Delivery], IO[bytes]], None]


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
            for chunk in _chunks(deliveries):
                values = zip(*map(cells, chunk), strict=True)
                opened.write_table(pa.table(dict(zip(columns, map(list, values), strict=True)), schema=schema))

    return write


def _chunks(deliveries: Iterable[Delivery]) -> Iterator[list[Delivery]]:
    rest = iter(deliveries)
    while chunk := list(islice(rest, CHUNK_ROWS)):
        yield chunk
