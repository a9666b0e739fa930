"""Rows of files: CSV, JSON Lines and Parquet."""

import csv
import gzip
import io
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from airflow_provider_dropcowboy.contacts.files import CHUNK_ROWS, read_rows
from airflow_provider_dropcowboy.contacts.key import ContactKeyError, canonical_key
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.errors import ConfigurationError, SourceError
from airflow_provider_dropcowboy.phone import Phone, PhoneError

DATA = Path(__file__).parents[2] / "data"

VALUES = st.text(st.characters(codec="utf-8", exclude_characters="\x00"))
NAMES = st.lists(st.from_regex(r"[a-z]{1,9}", fullmatch=True), min_size=1, max_size=5, unique=True)


def _read(content: str | bytes, name: str) -> list[Mapping[str, object]]:
    return list(read_rows(io.BytesIO(content.encode() if isinstance(content, str) else content), name))


def _fault(content: str | bytes, name: str) -> str:
    with pytest.raises(ConfigurationError) as stopped:
        _read(content, name)
    assert "555" not in str(stopped.value), "a fault shows nothing of what the file holds"
    return str(stopped.value)


def test_csv_is_read_with_or_without_byte_order_mark() -> None:
    content = 'id, phone ,note\r\n1,504-555-0100,"two\r\nlines, ""quoted"""\r\n\r\n2,,\r\n'
    rows = [
        {"id": "1", "phone": "504-555-0100", "note": 'two\r\nlines, "quoted"'},
        {"id": "2", "phone": None, "note": None},
    ]
    assert _read(content, "s3://bucket/due.CSV") == rows
    assert _read(b"\xef\xbb\xbf" + content.encode(), "due.csv") == rows
    assert _read(gzip.compress(content.encode()), "due.csv.gz") == rows


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('id,phone\n1,"a\nb"\n2,5045550100,x\n', "Line 4 of due.csv has 3 cells, but there are 2 columns"),
        ("id,phone\n1\n", "Line 2 of due.csv has 1 cells, but there are 2 columns"),
        ('id,phone\n1,2\n3,"5045550100\n4,5\n', "Line 3 of due.csv cannot be read as CSV"),
        ('id,phone\n1,"504"5550100\n', "Line 2 of due.csv cannot be read as CSV"),
        (b"id,phone\n1,2\nJos\xe9,5045550100\n", "Line 3 of due.csv is not UTF-8"),
        ("id,phone\n1,5045550100\n".encode("utf-16"), "Line 1 of due.csv is not UTF-8"),
        ("1,504-555-0100\n", "first line of due.csv holds values, not column names"),
        ("'+15045550100,Ann\n", "first line of due.csv holds values, not column names"),
        ("Ann,+1 504 555 0100 x5\n", "first line of due.csv holds values, not column names"),
        ("ann@555.org,x\n", "first line of due.csv holds values, not column names"),
        ("id,,phone\n", "Column 2 of due.csv has no name"),
        ("id,phone,id\n", "due.csv has two columns named id"),
        ("", "due.csv is empty"),
    ],
)
def test_a_fault_in_csv_names_its_line_and_shows_nothing_of_it(content: str | bytes, fault: str) -> None:
    assert fault in _fault(content, "/data/due.csv")


def test_columns_with_dates_in_their_names_are_columns() -> None:
    assert _read("id,revenue_20261124\n1,2\n", "due.csv") == [{"id": "1", "revenue_20261124": "2"}]


@given(
    NAMES.flatmap(
        lambda names: st.tuples(st.just(names), st.lists(st.fixed_dictionaries(dict.fromkeys(names, VALUES))))
    )
)
def test_what_is_written_as_csv_is_read_as_it_was(table: tuple[list[str], list[dict[str, str]]]) -> None:
    names, rows = table
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, names, quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(rows)
    read = _read(written.getvalue(), "due.csv")
    assert read == [{name: value or None for name, value in row.items()} for row in rows]


def test_json_lines_are_read_with_one_set_of_columns() -> None:
    content = '{"id": 1}\n\n{"id": 2, "phone": 5045550100.0}\n'
    rows = [{"id": 1, "phone": None}, {"id": 2, "phone": 5045550100.0}]
    for name in ("due.jsonl", "due.ndjson"):
        assert _read(content, name) == rows
    assert _read(gzip.compress(content.encode()), "due.jsonl.gz") == rows


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ('{"id": 1}\n{"id": "5045550100\n', "Line 2 of due.jsonl is not JSON"),
        ('{"id": 1}\n\n["5045550100"]\n', "Line 3 of due.jsonl is a list, not an object"),
        ("[" * 100_000, "Line 1 of due.jsonl is not JSON"),
        (b'{"id": "Jos\xe9 5045550100"}', "Line 1 of due.jsonl is not UTF-8"),
    ],
)
def test_a_fault_in_json_lines_names_its_line_and_shows_nothing_of_it(content: str | bytes, fault: str) -> None:
    assert fault in _fault(content, "due.jsonl")


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.floats(allow_nan=False))


@given(st.lists(st.fixed_dictionaries({"id": SCALARS, "phone": SCALARS})))
def test_what_is_written_as_json_lines_is_read_as_it_was(rows: list[dict[str, object]]) -> None:
    assert _read("".join(json.dumps(row) + "\n" for row in rows), "due.jsonl") == rows


@pytest.mark.parametrize("cut", [3, 20, -4])
def test_a_cut_off_archive_is_a_fault_and_not_fewer_rows(cut: int) -> None:
    packed = gzip.compress(b"id,phone\n" + b"1,2\n" * 100)
    assert "cannot be unpacked" in _fault(packed[:cut], "due.csv.gz")
    assert "cannot be unpacked" in _fault(b"id,phone\n", "due.csv.gz")


def _parquet(table: pyarrow.Table) -> bytes:
    written = io.BytesIO()
    parquet.write_table(table, written)
    return written.getvalue()


def test_parquet_is_read_with_its_types() -> None:
    rows = [{"id": 1, "phone": "504-555-0100", "zip": 8014.0}, {"id": 2, "phone": None, "zip": None}]
    assert _read(_parquet(pyarrow.Table.from_pylist(rows)), "due.parquet") == rows


@given(st.lists(st.fixed_dictionaries({"id": st.integers(-(2**63), 2**63 - 1), "phone": VALUES}), min_size=1))
def test_what_is_written_as_parquet_is_read_as_it_was(rows: list[dict[str, object]]) -> None:
    assert _read(_parquet(pyarrow.Table.from_pylist(rows)), "due.parquet") == rows


def test_parquet_of_many_rows_is_read_whole_and_in_order() -> None:
    count = 2 * CHUNK_ROWS + 1
    rows = _read(_parquet(pyarrow.table({"id": range(count)})), "due.parquet")
    assert [row["id"] for row in rows] == list(range(count))


class _Watched(io.BytesIO):
    """A file that knows how many of its bytes were read."""

    bytes_read = 0

    def read(self, size: int | None = -1) -> bytes:
        content = super().read(size)
        self.bytes_read += len(content)
        return content


def test_parquet_is_read_no_further_than_the_row_group_that_is_asked_for() -> None:
    written = io.BytesIO()
    parquet.write_table(pyarrow.table({"id": range(100_000)}), written, row_group_size=1_000, use_dictionary=False)
    file = _Watched(written.getvalue())
    rows = read_rows(file, "due.parquet")
    assert next(iter(rows)) == {"id": 0}
    of_the_footer_and_one_group = file.bytes_read
    assert len([*rows]) == 99_999
    assert of_the_footer_and_one_group < file.bytes_read / 4


@pytest.mark.parametrize("content", [b"", b"PAR1", b"id,phone\n1,5045550100\n"])
def test_what_is_no_parquet_is_a_fault(content: bytes) -> None:
    assert "due.parquet cannot be read as Parquet" in _fault(content, "due.parquet")


def test_a_cut_off_parquet_file_is_a_fault() -> None:
    content = _parquet(pyarrow.table({"id": range(1_000)}))
    assert "due.parquet cannot be read as Parquet" in _fault(content[:-1], "due.parquet")
    with pytest.raises(SourceError, match=r"due\.parquet could not be read to its end: OSError"):
        _read(content[:4] + bytes(200) + content[204:], "due.parquet")


def test_a_store_that_fails_on_the_way_can_be_asked_again() -> None:
    class Failing(io.BytesIO):
        def __next__(self) -> bytes:
            if line := self.readline():
                return line
            raise ConnectionResetError("store")

    rows = read_rows(Failing(b"id,phone\n1,5045550100\n"), "due.csv")
    assert next(rows)["id"] == "1"
    with pytest.raises(SourceError, match=r"due\.csv could not be read to its end: ConnectionResetError"):
        next(rows)


def test_two_parquet_columns_of_one_name_are_refused() -> None:
    table = pyarrow.Table.from_arrays([pyarrow.array([1]), pyarrow.array([2])], names=["id", "id"])
    assert "due.parquet has two columns named id" in _fault(_parquet(table), "due.parquet")


def test_without_pyarrow_parquet_is_refused_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert r"airflow-provider-dropcowboy[files]" in _fault(b"", "due.parquet")


@pytest.mark.parametrize("name", ["due.xlsx", "due", "due.gz", "due.parquet.gz", "csv", ""])
def test_a_file_of_an_unknown_format_is_refused(name: str) -> None:
    assert "is of no known format" in _fault(b"", name)


def test_a_file_is_read_as_its_rows_are_asked_for() -> None:
    class Endless(io.RawIOBase):
        def readable(self) -> bool:
            return True

        def __iter__(self) -> Iterator[bytes]:
            yield b"id,phone\n"
            while True:
                yield b"1,5045550100\n"

    rows = read_rows(Endless(), "due.csv")  # type: ignore[arg-type]
    assert [next(rows)["id"] for _ in range(CHUNK_ROWS)] == ["1"] * CHUNK_ROWS


def test_a_long_cell_is_read() -> None:
    assert _read(f"id,phone,note\n1,5045550100,{'x' * 200_000}\n", "due.csv")[0]["phone"] == "5045550100"


class TestColumnsOfParquet:
    @pytest.mark.parametrize("name", ["int96-9999.parquet", "nanoseconds.parquet"])
    def test_that_are_not_used_do_no_harm(self, name: str) -> None:
        with (DATA / name).open("rb") as file:
            rows = list(read_rows(file, name, columns=["ID", "phone"]))
        assert rows == [{"id": 1, "phone": "+15045550501"}, {"id": 2, "phone": "+15045550502"}]

    def test_that_are_used_and_cannot_be_read_are_named(self) -> None:
        name, column = "nanoseconds.parquet", "updated_at"
        with (DATA / name).open("rb") as file, pytest.raises(ConfigurationError, match=f"Column {column} of {name}"):
            list(read_rows(file, name, columns=["id", "phone", column]))

    def test_of_spark_keep_the_year_9999(self) -> None:
        """Whether pandas is installed or not: pyarrow would make pandas' type of it, in the year 1816."""
        with (DATA / "int96-9999.parquet").open("rb") as file:
            years = [str(row["valid_to"])[:4] for row in read_rows(file, "int96-9999.parquet")]
        assert years == ["9999", "2027"]

    def test_that_nobody_named_have_cells_that_are_no_values(self) -> None:
        name = "int96-9999.parquet"
        with (DATA / name).open("rb") as file:
            numbers = SuppressionList(read_rows(file, name))
            assert [phone.e164 for phone in numbers] == ["+15045550501", "+15045550502"]

    def test_that_are_missing_are_named_with_those_there_are(self) -> None:
        with (
            (DATA / "nanoseconds.parquet").open("rb") as file,
            pytest.raises(ConfigurationError, match="there are: id,"),
        ):
            list(read_rows(file, "nanoseconds.parquet", columns=["id", "mobile"]))

    def test_that_are_not_used_are_not_read_from_the_file(self) -> None:
        rows = 50_000
        table = {"id": range(rows), "phone": ["+15045550100"] * rows}
        table |= {f"text{column}": [f"{column} {row}" for row in range(rows)] for column in range(10)}
        content = io.BytesIO()
        parquet.write_table(pyarrow.table(table), content)
        read: list[int] = []

        class Watched(io.BytesIO):
            def read(self, size: int | None = -1, /) -> bytes:
                found = super().read(size)
                read.append(len(found))
                return found

        assert len(list(read_rows(Watched(content.getvalue()), "due.parquet", columns=["id", "phone"]))) == rows
        assert sum(read) < content.tell() / 5

    @pytest.mark.parametrize("kind", [pyarrow.float32(), pyarrow.float16()])
    def test_of_short_floats_that_lost_digits_are_no_key_and_no_number(self, kind: pyarrow.DataType) -> None:
        content = io.BytesIO()
        parquet.write_table(pyarrow.table({"id": pyarrow.array([7.0, 5045550100.0, None], kind)}), content)
        seven, lost, null = (row["id"] for row in read_rows(content, "due.parquet"))
        assert (canonical_key(seven), null) == ("7", None)
        with pytest.raises(ContactKeyError, match="digits were lost"):
            canonical_key(lost)
        with pytest.raises(PhoneError):
            Phone.parse(lost, region="US")
