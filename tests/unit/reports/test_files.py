"""Deliveries as files read back to what they were."""

import csv
import io
import json
import re
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from airflow_provider_dropcowboy.contacts.files import read_rows
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.reports.deliveries import CHUNK_ROWS, COLUMNS, Delivery
from airflow_provider_dropcowboy.reports.export import writer_for

CHARACTERS = st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("'=+-@ 1")
TEXTS = st.text(CHARACTERS, min_size=1, max_size=8)
INSTANTS = st.integers(0, 4 * 10**15).map(lambda us: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=us))
DELIVERIES = st.builds(
    Delivery,
    campaign=TEXTS,
    channel=st.sampled_from(["rvm", "sms"]),
    contact_key=st.none() | TEXTS,
    phone_number=st.none() | st.just("+15045550101"),
    foreign_id=TEXTS,
    state=st.sampled_from(["accepted", "delivered"]),
    reason=st.none() | TEXTS,
    claimed_at=INSTANTS,
    answered_at=st.none() | INSTANTS,
    final_at=st.none() | INSTANTS,
    drop_id=st.none() | TEXTS,
    cost_usd=st.none() | st.integers(0, 10**9).map(lambda micros: Decimal(micros).scaleb(-6)),
    network=st.none() | TEXTS,
)


def written(name: str, deliveries: list[Delivery]) -> io.BytesIO:
    file = io.BytesIO()
    writer_for(name)(deliveries, file)
    file.seek(0)
    return file


def cells(delivery: Delivery) -> dict[str, Any]:
    return {column: getattr(delivery, column) for column in COLUMNS}


@given(st.lists(DELIVERIES, max_size=5))
def test_json_lines_read_back_to_what_they_were(deliveries: list[Delivery]) -> None:
    rows = [json.loads(line) for line in written("out.jsonl", deliveries).getvalue().splitlines()]
    for row, delivery in zip(rows, deliveries, strict=True):
        for name in ("claimed_at", "answered_at", "final_at"):
            row[name] = row[name] and datetime.fromisoformat(row[name])
        row["cost_usd"] = None if row["cost_usd"] is None else round(Decimal(row["cost_usd"]), 6)
        assert row == cells(delivery)


@given(st.lists(DELIVERIES, max_size=5))
def test_csv_reads_back_to_what_it_was(deliveries: list[Delivery]) -> None:
    text = written("out.csv", deliveries).getvalue().decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))
    assert text.splitlines()[0] == ",".join(COLUMNS)
    for row, delivery in zip(rows, deliveries, strict=True):
        wanted = {
            name: "" if value is None else value.isoformat() if isinstance(value, datetime) else str(value)
            for name, value in cells(delivery).items()
        }
        # docs/results.md, CSV in a spreadsheet
        assert {name: re.sub(r"^'(?='*\s*[=+\-@\t\r\n＝＋－＠])", "", text) for name, text in row.items()} == wanted


ROW = dict.fromkeys(COLUMNS, None) | {"campaign": "spring", "claimed_at": datetime(2026, 11, 24, tzinfo=UTC)}


@pytest.mark.parametrize(
    ("key", "cell"),
    [
        ("=HYPERLINK(A1)", "'=HYPERLINK(A1)"),
        ("+1-1", "'+1-1"),
        ("-2+3+cmd|' /C calc'!A0", "'-2+3+cmd|' /C calc'!A0"),
        ("@SUM(1)", "'@SUM(1)"),
        ("\t=1", "'\t=1"),
        ("\r=1", "'\r=1"),
        ("  =1", "'  =1"),
        ("＝1", "'＝1"),
        ("'=1", "''=1"),
        ("+15045550101", "+15045550101"),
        ("-17", "-17"),
        ("-1.5", "-1.5"),
        ("O'Neil", "O'Neil"),
        ("'tis", "'tis"),
        ("a=b", "a=b"),
    ],
)
def test_no_text_in_a_csv_is_a_formula_and_a_number_stays_a_number(key: str, cell: str) -> None:
    delivery = Delivery(**{**ROW, "contact_key": key, "phone_number": "+15045550101"})  # type: ignore[arg-type]  # by name
    (row,) = csv.DictReader(io.StringIO(written("out.csv", [delivery]).getvalue().decode(), newline=""))
    assert (row["contact_key"], row["phone_number"]) == (cell, "+15045550101")


@given(st.lists(DELIVERIES, max_size=5))
def test_parquet_reads_back_to_what_it_was_with_types(deliveries: list[Delivery]) -> None:
    table = parquet.read_table(written("out.parquet", deliveries))
    assert table.column_names == list(COLUMNS)
    assert table.to_pylist() == [cells(delivery) for delivery in deliveries]


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
def test_an_export_of_many_chunks_is_whole_and_may_be_read_as_contacts(name: str) -> None:
    many = range(2 * CHUNK_ROWS + 10)
    deliveries = [Delivery(**{**ROW, "foreign_id": str(n)}) for n in many]  # type: ignore[arg-type]  # by name
    read = read_rows(written(name, deliveries), name)
    assert [row["foreign_id"] for row in read] == [str(n) for n in many]


def test_an_unknown_suffix_is_refused_before_anything_is_read() -> None:
    for name in ("out.xlsx", "out", "out.csv.gz"):
        with pytest.raises(ConfigurationError, match=r"Name it \*.jsonl"):
            writer_for(f"folder/{name}")


def test_parquet_without_pyarrow_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ConfigurationError, match=r"Install airflow-provider-dropcowboy\[files\]"):
        writer_for("out.parquet")
