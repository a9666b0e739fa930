"""Postal codes from columns that spreadsheets have been through."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.contacts.key import LOWEST_ZIP, read_postal_code


@pytest.mark.parametrize(
    ("cell", "code"),
    [
        ("08014", "08014"),
        (" 08014 ", "08014"),
        ("8014", "08014"),
        (8014, "08014"),
        (8014.0, "08014"),
        ("8014.0", "08014"),
        ("2101.00", "02101"),
        (Decimal("8014.00"), "08014"),
        (601, "00601"),
        ("90210-0001", "90210-0001"),
        ("90210 0001", "90210-0001"),
        ("90210 - 0001", "90210-0001"),
        ("902100001", "90210-0001"),
        (902100001.0, "90210-0001"),
        ("8014-1234", "08014-1234"),
        (80141234, "08014-1234"),
        (6011234, "00601-1234"),
        ("90210-", "90210"),
        ("90210-123", "90210"),
        ("M5V 3L9", "M5V 3L9"),
        (" k1a0b1 ", "K1A 0B1"),
        ("K1A-0B1", "K1A 0B1"),
    ],
)
def test_a_zip_code_gets_back_the_zeros_that_a_spreadsheet_took(cell: object, code: str) -> None:
    assert read_postal_code(cell, region="US") == code


@pytest.mark.parametrize(
    "cell",
    [
        *(None, "", " ", "n/a", "unknown", "0", "12", "123456", "00000", "9021000010", "-----", "90210-00011"),
        *(float("nan"), float("inf"), Decimal("NaN"), 8014.5, -8014, True, b"08014", "08014, 08015"),
    ],
)
def test_what_is_no_postal_code_costs_nobody_the_message(cell: object) -> None:
    assert read_postal_code(cell, region="US") is None


def test_outside_the_zip_countries_a_code_passes_as_it_is() -> None:
    assert read_postal_code(" SW1A 1AA ", region="GB") == "SW1A 1AA"
    assert read_postal_code("1067", region="DE") == "1067"
    assert read_postal_code("K1A 0B1", region="CA") == "K1A 0B1"


@given(st.integers(LOWEST_ZIP, 99_999), st.integers(0, 9_999))
def test_a_zip_code_comes_through_every_type(number: int, plus4: int) -> None:
    code = f"{number:05}"
    for cell in (code, number, float(number), str(number), str(float(number)), Decimal(number)):
        assert read_postal_code(cell, region="US") == code
    long = f"{code}-{plus4:04}"
    whole = int(long.replace("-", ""))
    for cell in (long, whole, float(whole), str(whole)):
        assert read_postal_code(cell, region="US") == long


@given(st.one_of(st.text(), st.floats(), st.decimals(), st.integers()), st.sampled_from(["US", "CA", "GB"]))
def test_a_code_that_was_read_is_read_again_the_same(cell: object, region: str) -> None:
    code = read_postal_code(cell, region=region)
    if code is not None:
        assert read_postal_code(code, region=region) == code
