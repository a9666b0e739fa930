"""Rows of a file: CSV, JSON Lines and Parquet, streamed."""

import csv
import gzip
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import IO, Final

from airflow_provider_dropcowboy.contacts.columns import with_all_columns
from airflow_provider_dropcowboy.errors import ConfigurationError, SourceError

CHUNK_ROWS: Final = 2_000

Row = Mapping[str, object]


def read_rows(file: IO[bytes], name: str) -> Iterator[Row]:
    """The rows of an open file, in its format by its name: .csv, .jsonl, .ndjson (each also .gz) and .parquet.

    Text is UTF-8, with or without a byte order mark. CSV has its column names in the first line, and commas; an empty
    cell is None. JSON Lines: a column some rows lack is None there. Empty lines are passed over. A fault anywhere stops
    the reading: what follows a bad line cannot be trusted to stand in the right columns.

    :param file: open for reading bytes, and seekable for Parquet; the caller closes it.
    :param name: path or name; only its last part is read and shown.
    :raises ConfigurationError: unknown suffix, or a fault, with the number of its line and nothing of what it holds.
    :raises SourceError: the store that holds the file failed, or a page of Parquet is damaged.
    """
    shown = PurePosixPath(name).name
    suffixes = [suffix.lower() for suffix in PurePosixPath(shown).suffixes]
    is_compressed = suffixes[-1:] == [".gz"]
    suffix = "".join(suffixes[-2:-1] if is_compressed else suffixes[-1:])
    if suffix == ".parquet" and not is_compressed:
        return _read_parquet(file, shown)
    reader = _TEXT_READERS.get(suffix)
    if not reader:
        raise ConfigurationError(
            f"{shown} is of no known format. Name it *.csv, *.jsonl or *.ndjson (or these with .gz), or *.parquet."
        )
    return reader(_text_lines(gzip.GzipFile(fileobj=file) if is_compressed else file, shown), shown)


_NUMBER_OR_ADDRESS: Final = re.compile(r"[+(]*[0-9](?:[^0-9]*[0-9]){6}.*|.*@.*", re.DOTALL)


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


def _read_csv(lines: Iterator[str], name: str) -> Iterator[Row]:
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
        raise _fault(name, line, "cannot be read as CSV. Look at its quotes") from None
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


def _read_json_lines(lines: Iterator[str], name: str) -> Iterator[Row]:
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


def _read_parquet(file: IO[bytes], name: str) -> Iterator[Row]:
    try:
        import pyarrow  # not a dependency: 50 MB that only readers of Parquet need
        from pyarrow import parquet
    except ImportError as error:
        raise ConfigurationError(
            f"Reading {name} takes pyarrow. Install airflow-provider-dropcowboy[files], or write CSV or JSON Lines."
        ) from error
    try:
        with parquet.ParquetFile(file) as opened:
            _each_once(opened.schema_arrow.names, name)
            # one row group after the other, in this thread: else pyarrow reads ahead, and memory grows with the file
            for group in range(opened.num_row_groups):
                for batch in opened.iter_batches(batch_size=CHUNK_ROWS, row_groups=[group], use_threads=False):
                    yield from batch.to_pylist()
    except pyarrow.ArrowException:
        raise ConfigurationError(f"{name} cannot be read as Parquet. Write it again.") from None
    except OSError as error:
        raise _unread(name, error) from error


def _each_once(columns: list[str], name: str) -> list[str]:
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise ConfigurationError(f"{name} has two columns named {', '.join(twice)}. Give each its own name.")
    return columns


def _fault(name: str, line: int, what: str) -> ConfigurationError:
    return ConfigurationError(f"Line {line} of {name} {what}, then run again: nobody is asked twice.")


def _unread(name: str, error: OSError) -> SourceError:
    return SourceError(f"{name} could not be read to its end: {type(error).__name__}. Running again asks nobody twice.")


_TEXT_READERS: Final[dict[str, Callable[[Iterator[str], str], Iterator[Row]]]] = {
    ".csv": _read_csv,
    ".jsonl": _read_json_lines,
    ".ndjson": _read_json_lines,
}
