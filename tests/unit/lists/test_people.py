"""From rows to the contacts of a list."""

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from airflow_provider_dropcowboy.contacts.contact import Unusable
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.lists.arguments import Fields
from airflow_provider_dropcowboy.lists.people import PeopleReader, Person
from airflow_provider_dropcowboy.phone import Phone

FIELDS = Fields.parse({"record_id": "id", "phone": ["mobile", "home"], "custom1": "note", "postal": "zip"})


def read(*rows: dict[str, object], key_column: str | None = "id", region: str = "US") -> list[Person | Unusable]:
    full = [{"id": 1, "mobile": "504-555-0101", "home": None, "note": None, "zip": None, **row} for row in rows]
    return list(map(PeopleReader(FIELDS, key_column=key_column, region=region).read, full))


def read_one(**cells: object) -> Person:
    (person,) = read(cells)
    assert isinstance(person, Person)
    return person


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("  Zoë ", "Zoë"),
        ("", None),
        ("  ", None),
        (None, None),
        (float("nan"), None),
        (Decimal("NaN"), None),
        (3, "3"),
        (3.0, "3"),
        (3.5, "3.5"),
        (Decimal("1.50"), "1.50"),
        (Decimal("1E+3"), "1000"),
        (True, "true"),
        (date(2026, 11, 24), "2026-11-24"),
        (datetime(2026, 11, 24, 1, 2, tzinfo=UTC), "2026-11-24 01:02:00+00:00"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
    ],
)
def test_a_cell_is_text_whichever_way_the_source_hands_it_over(cell: object, text: str | None) -> None:
    assert read_one(note=cell).values[3] == text


@pytest.mark.parametrize("cell", [b"x", float("inf"), Decimal("Infinity"), ["a"], "\ud800"])
def test_a_value_that_no_field_can_hold_makes_the_row_unusable(cell: object) -> None:
    (unusable,) = read({"note": cell})
    assert isinstance(unusable, Unusable)
    assert unusable.reason.startswith("custom1: ")
    assert unusable.key == "1"


def test_a_zip_code_gets_back_its_zeros() -> None:
    assert read_one(zip=501.0).values[4] == "00501"


def test_every_valid_number_counts_once_and_the_others_are_left_out() -> None:
    assert read_one(home="(504) 555-0101").phones == (Phone("+15045550101"),)
    assert read_one(mobile="n/a", home="5045550102").phones == (Phone("+15045550102"),)
    assert read_one(home="504-555-0102").phones == (Phone("+15045550101"), Phone("+15045550102"))


def test_without_any_valid_number_a_row_is_unusable_for_the_reason_of_the_first() -> None:
    (unusable,) = read({"mobile": None, "home": "504-555-CALL"})
    assert unusable == Unusable("1", "phone: has letters")


def test_without_a_key_column_the_first_number_is_the_key() -> None:
    (person,) = read({}, key_column=None)
    assert isinstance(person, Person)
    assert person.key == "+15045550101"


def test_numbers_stand_where_the_phone_fields_are() -> None:
    person = read_one(home="504-555-0102")
    assert person.values_with(person.phones, places=(1, 2)) == ["1", "+15045550101", "+15045550102", None, None]
    assert person.values_with(person.phones[1:], places=(1, 2)) == ["1", "+15045550102", None, None, None]


def test_a_missing_column_is_told_before_anyone_is_read() -> None:
    with pytest.raises(ConfigurationError, match="no column 'mobile'"):
        PeopleReader(FIELDS, key_column="id", region="US").read({"id": 1})


def test_an_unknown_region_is_told() -> None:
    with pytest.raises(ConfigurationError, match="'XX' is not a country"):
        read({}, region="XX")


def test_nothing_of_a_person_is_in_the_repr() -> None:
    shown = repr(read_one(note="Annabel"))
    assert "Annabel" not in shown
    assert "5550101" not in shown
