"""Rows of a file: CSV, JSON Lines and Parquet, streamed."""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import IO, TYPE_CHECKING, Final, TypeVar

from airflow_provider_dropcowboy.contacts.contact import find_column, with_all_columns
from airflow_provider_dropcowboy.contacts.key import LOST
from airflow_provider_dropcowboy.errors import ConfigurationError, SourceError

if TYPE_CHECKING:
    from pyarrow import Array, Scalar

CHUNK_ROWS: Final = 2_000
MAX_CELL_CHARACTERS: Final = 16 * 2**20
"""Of a CSV file: an open quote that swallows the rest of a file does not swallow the memory too."""

Row = Mapping[str, object]


def read_rows(file: IO[bytes], name: str, *, columns: Collection[str] | None = None) -> Generator[Row, None, None]:
    """The rows of an open file, in its format by its name: .csv, .jsonl, .ndjson (each also .gz) and .parquet.

    Text is UTF-8, with or without a byte order mark. CSV has its column names in the first line, and commas; an empty
    cell is None. JSON Lines: a column some rows lack is None there. Empty lines are passed over. A fault anywhere stops
    the reading: what follows a bad line cannot be trusted to stand in the right columns.

    :param file: open for reading bytes, and seekable for Parquet; the caller closes the rows, then the file.
    :param name: path or name; only its last part is read and shown.
    :param columns: those that are used, as the user names them. A Parquet file's others are not read: that saves
        memory, and values that Python cannot hold do no harm there. None: all.
    :raises ConfigurationError: unknown suffix, or a fault, with the number of its line and nothing of what it holds; a
        value of Parquet that cannot be read, with the name of its column; a column of ``columns`` that is missing.
    :raises SourceError: the store that holds the file failed, or a page of Parquet is damaged.
    """
    shown = PurePosixPath(name).name
    suffixes = [suffix.lower() for suffix in PurePosixPath(shown).suffixes]
    is_compressed = suffixes[-1:] == [".gz"]
    suffix = "".join(suffixes[-2:-1] if is_compressed else suffixes[-1:])
    if suffix == ".parquet" and not is_compressed:
        return _read_parquet(file, shown, columns)
    reader = _TEXT_READERS.get(suffix)
    if not reader:
        raise ConfigurationError(
            f"{shown} is of no known format. Name it *.csv, *.jsonl or *.ndjson (or these with .gz), or *.parquet."
        )
    return reader(_text_lines(gzip.GzipFile(fileobj=file) if is_compressed else file, shown), shown)


_NUMBER_OR_ADDRESS: Final = re.compile(r"['\"=+(]*[0-9](?:[^0-9]*[0-9]){6}.*|.*@.*", re.DOTALL)


def _text_lines(lines: Iterable[bytes], name: str) -> Iterator[str]:
    """Decoded one by one, so that a fault has a line number."""
    number = 0
    try:
        for number, line in enumerate(lines, start=1):
            text = line.decode()
            yield text.removeprefix("\ufeff") if number == 1 else text
    except UnicodeDecodeError:  # its own text quotes the bytes
        raise _fault(name, number, "is not UTF-8. Save the file as UTF-8") from None
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise _fault(name, number + 1, "cannot be unpacked: the file is cut off or no gzip. Write it again") from error
    except OSError as error:
        raise _unread(name, error) from error


def _read_csv(lines: Iterator[str], name: str) -> Generator[Row, None, None]:
    # the limit is the whole process's: it is only ever raised
    csv.field_size_limit(max(csv.field_size_limit(), MAX_CELL_CHARACTERS))
    reader = csv.reader(lines, strict=True)  # not strict, an open quote swallows the rest of the file into one cell
    columns: list[str] = []
    line = 1
    try:
        for cells in reader:
            if not cells:
                pass
            elif not columns:
                columns = _column_names(cells, name)
            elif len(cells) != len(columns):
                raise _fault(name, line, f"has {len(cells)} cells, but there are {len(columns)} columns. Correct it")
            else:
                yield dict(zip(columns, (cell or None for cell in cells), strict=True))
            line = reader.line_num + 1
    except csv.Error:  # a quote that is never closed is found at the end of the file; its row begins here
        limit = f"No cell may be longer than {MAX_CELL_CHARACTERS // 2**20} million characters"
        raise _fault(name, line, f"cannot be read as CSV. {limit}. Look at its quotes") from None
    if not columns:  # an export without rows still has its header; an upload that failed has nothing
        raise ConfigurationError(f"{name} is empty: it has not even column names. Write it again.")


def _column_names(cells: list[str], name: str) -> list[str]:
    columns = [cell.strip() for cell in cells]
    # names of columns are shown in errors; without a header they would be a person's values
    if any(map(_NUMBER_OR_ADDRESS.fullmatch, columns)):
        raise ConfigurationError(
            f"The first line of {name} holds values, not column names. Write the names above them."
        )
    if "" in columns:
        raise ConfigurationError(f"Column {columns.index('') + 1} of {name} has no name in the first line. Name it.")
    return _each_once(columns, name)


def _read_json_lines(lines: Iterator[str], name: str) -> Generator[Row, None, None]:
    return with_all_columns(_json_rows(lines, name))


def _json_rows(lines: Iterator[str], name: str) -> Iterator[Row]:
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):  # its own text keeps the line
            raise _fault(name, number, "is not JSON. Correct it") from None
        if not isinstance(row, dict):
            raise _fault(name, number, f"is a {type(row).__name__}, not an object. Write one object a line")
        yield row


def _read_parquet(file: IO[bytes], name: str, columns: Collection[str] | None) -> Generator[Row, None, None]:
    try:
        import pyarrow  # not a dependency: 50 MB that only readers of Parquet need
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigurationError(
            f"Reading {name} takes pyarrow. Install airflow-provider-dropcowboy[files], or write CSV or JSON Lines."
        ) from error
    try:
        # Spark writes INT96, which as nanoseconds wraps the year 9999 to 1816
        with parquet.ParquetFile(file, coerce_int96_timestamp_unit="us") as opened:
            names = opened.schema_arrow.names
            there = dict.fromkeys(names)
            used = list(there) if columns is None else list({find_column(column, there): None for column in columns})
            _each_once([column for column in names if column in used], name)
            # one row group after the other, in this thread: else pyarrow reads ahead, and memory grows with the file
            for group in range(opened.num_row_groups):
                for batch in opened.iter_batches(CHUNK_ROWS, row_groups=[group], columns=used, use_threads=False):
                    values = [
                        _values_of(batch.column(column), f"Column {column} of {name}", is_needed=columns is not None)
                        for column in used
                    ]
                    for cells in zip(*values, strict=True):
                        yield dict(zip(used, cells, strict=True))
    except pyarrow.ArrowException:
        raise ConfigurationError(f"{name} cannot be read as Parquet. Write it again.") from None
    except OSError as error:
        raise _unread(name, error) from error


# IEEE 754: above it, neighbouring whole numbers are one float
_MAX_EXACT: Final = {"halffloat": 2**11, "float": 2**24}
# a time outside Python's years or finer than its microseconds, text that is not UTF-8, a zone that nobody knows
_BEYOND_PYTHON: Final = (ValueError, OverflowError, ArithmeticError, KeyError)


def _values_of(cells: "Array", what: str, *, is_needed: bool) -> list[object]:
    """The cells as Python's values; a value that Python cannot hold ends the reading, or counts as none."""
    try:
        values: list[object] = _microseconds(cells).to_pylist()
    except _BEYOND_PYTHON as error:
        if is_needed:
            raise ConfigurationError(
                f"{what} holds a value of type {cells.type} that cannot be read: {type(error).__name__}. "
                "Write the column as text, then run again: nobody is contacted twice."
            ) from None
        return [_value_of(cell) for cell in cells]
    most = _MAX_EXACT.get(str(cells.type))
    if most is None:
        return values
    # nothing in the Python float would show that its digits are gone
    return [LOST if isinstance(value, float) and abs(value) >= most else value for value in values]


def _value_of(cell: "Scalar") -> object:
    try:
        return _microseconds(cell).as_py()
    except _BEYOND_PYTHON:
        return LOST


Cells = TypeVar("Cells", "Array", "Scalar")


def _microseconds(cells: Cells) -> Cells:
    """Instants as Python has them: of nanoseconds, pyarrow makes pandas' own type, if pandas is installed.

    :raises ValueError: nanoseconds would be lost.
    """
    from pyarrow import timestamp, types

    if not types.is_timestamp(cells.type) or cells.type.unit != "ns":
        return cells
    return cells.cast(timestamp("us", cells.type.tz))


def _each_once(columns: list[str], name: str) -> list[str]:
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise ConfigurationError(f"{name} has two columns named {', '.join(twice)}. Give each its own name.")
    return columns


def _fault(name: str, line: int, what: str) -> ConfigurationError:
    return ConfigurationError(f"Line {line} of {name} {what}, then run again: nobody is contacted twice.")


def _unread(name: str, error: OSError) -> SourceError:
    return SourceError(f"{name} could not be read to its end: {type(error).__name__}. Running again asks nobody twice.")


_TEXT_READERS: Final[dict[str, Callable[[Iterator[str], str], Generator[Row, None, None]]]] = {
    ".csv": _read_csv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
}
