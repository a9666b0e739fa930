"""Each row becomes one contact, or one unusable row with its reason."""

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.contacts.contact import Contact, ContactColumns, Unusable, read_contacts
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.phone import Phone

COLUMNS = ContactColumns(key_column="id", phone_column="phone", postal_code_column="zip")


def _read_one(row: Mapping[str, object], columns: ContactColumns = COLUMNS) -> Contact | Unusable:
    (read,) = read_contacts([row], columns)
    return read


def test_a_row_becomes_a_contact_with_its_whole_row() -> None:
    row = {"id": 7.0, "phone": "504-555-0100", "zip": 8014, "name": "x"}
    assert _read_one(row) == Contact("7", Phone("+15045550100"), "08014", row)


def test_upper_case_columns_of_a_warehouse_are_found() -> None:
    read = _read_one({"ID": 7, "PHONE": "504-555-0100", "ZIP": None})
    assert isinstance(read, Contact)
    assert (read.key, read.postal_code) == ("7", None)


def test_without_a_key_column_the_number_is_the_key() -> None:
    read = _read_one({"phone": "504-555-0100"}, ContactColumns())
    assert isinstance(read, Contact)
    assert read.key == "+15045550100"


def test_a_number_without_country_code_belongs_to_the_region() -> None:
    read = _read_one({"phone": "020 7946 0958"}, ContactColumns(region="GB"))
    assert isinstance(read, Contact)
    assert read.phone == Phone("+442079460958")


def test_an_unusable_row_says_which_column_and_why_but_not_what_it_holds() -> None:
    assert _read_one({"id": None, "phone": "504-555-0100", "zip": ""}) == Unusable(None, "key: empty")
    assert _read_one({"id": 7, "phone": "504-555-0100 x9", "zip": ""}) == Unusable("7", "phone: has an extension")
    assert _read_one({"phone": "555"}, ContactColumns()) == Unusable(None, "phone: too short")


def test_neither_contact_nor_unusable_row_prints_who_it_is() -> None:
    row = {"id": "bob@example.org", "phone": "504-555-0144", "zip": "70116", "name": "Bob"}
    for read in (_read_one(row), _read_one(row, ContactColumns()), _read_one({**row, "phone": "5"})):
        assert not any(value in repr(read) for value in ("bob", "Bob", "5550144", "555-0144", "70116"))


def test_a_column_that_is_missing_stops_before_any_contact() -> None:
    contacts = read_contacts([{"id": 7, "mobile": "504-555-0100"}], ContactColumns(key_column="id"))
    with pytest.raises(ConfigurationError, match="no column 'phone'; there are: id, mobile"):
        next(contacts)


def test_no_rows_are_no_contacts() -> None:
    assert list(read_contacts([], COLUMNS)) == []


@pytest.mark.parametrize("region", ["us", "USA", "", "U", "+1"])
def test_a_region_that_cannot_be_one_is_refused_when_the_dag_is_parsed(region: str) -> None:
    with pytest.raises(ConfigurationError, match="is not a country"):
        ContactColumns(region=region)


def test_a_region_without_phone_numbers_is_refused_before_any_row_is_read() -> None:
    with pytest.raises(ConfigurationError, match="region='UK'"):
        next(read_contacts([{"phone": "020 7946 0958"}], ContactColumns(region="UK")))


def test_an_empty_column_name_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="column name is empty"):
        ContactColumns(phone_column="")
    with pytest.raises(ConfigurationError, match="column name is empty"):
        ContactColumns(key_column="")


CELLS = st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.booleans(), st.just("504-555-0100"))


@given(st.lists(st.fixed_dictionaries({"id": CELLS, "phone": CELLS, "zip": CELLS})))
def test_every_row_is_accounted_for_in_its_order(rows: list[dict[str, object]]) -> None:
    read = list(read_contacts(rows, COLUMNS))
    assert len(read) == len(rows)
    assert all(one.row is row for one, row in zip(read, rows, strict=True) if isinstance(one, Contact))
