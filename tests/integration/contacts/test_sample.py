"""A table of contacts as such tables really look, from each kind of source."""

import csv
from collections.abc import Mapping
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from airflow_provider_dropcowboy.contacts.contact import Contact, ContactColumns, read_contacts
from airflow_provider_dropcowboy.contacts.files import read_rows
from airflow_provider_dropcowboy.contacts.sql import stream_rows
from tests.integration.contacts.conftest import Connect

SAMPLE = Path(__file__).parents[2] / "data" / "us-contacts-sample.csv"
COLUMNS = ContactColumns(key_column="contact_id", phone_column="phone1", postal_code_column="zip")


def _rows() -> list[dict[str, str]]:
    with SAMPLE.open(newline="") as file:
        return list(csv.DictReader(file))


def _read_file(path: Path) -> list[Mapping[str, object]]:
    with path.open("rb") as file:
        return list(read_rows(file, path.name))


def _who(rows: list[Mapping[str, object]]) -> list[tuple[str, str, str | None]]:
    contacts = list(read_contacts(rows, COLUMNS))
    assert all(isinstance(contact, Contact) for contact in contacts)
    return [(c.key, c.phone.e164, c.postal_code) for c in contacts if isinstance(c, Contact)]


@pytest.fixture
def expected() -> list[tuple[str, str, str | None]]:
    return [(row["contact_id"], "+1" + row["phone1"].replace("-", ""), row["zip"].zfill(5)) for row in _rows()]


def test_a_spreadsheets_csv_gives_every_contact(expected: list[tuple[str, str, str | None]]) -> None:
    assert len(expected) == 60
    assert _who(_read_file(SAMPLE)) == expected


def test_parquet_from_a_data_frame_gives_the_same_contacts(
    tmp_path: Path, expected: list[tuple[str, str, str | None]]
) -> None:
    numbers = [
        {
            "contact_id": float(row["contact_id"]),
            "phone1": float(row["phone1"].replace("-", "")),
            "zip": float(row["zip"]),
        }
        for row in _rows()
    ]
    parquet.write_table(pyarrow.Table.from_pylist(numbers), tmp_path / "due.parquet")
    assert _who(_read_file(tmp_path / "due.parquet")) == expected


def test_a_warehouse_with_other_types_gives_the_same_contacts(
    postgresql: Connect, expected: list[tuple[str, str, str | None]]
) -> None:
    values = ", ".join(
        f"({row['contact_id']}::numeric(9,2), {row['phone1'].replace('-', '')}, {row['zip']})" for row in _rows()
    )
    sql = f'SELECT * FROM (VALUES {values}) AS due ("CONTACT_ID", "PHONE1", "ZIP")'
    assert _who(list(stream_rows(postgresql, sql))) == expected
