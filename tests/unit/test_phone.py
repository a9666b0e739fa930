"""Phone numbers: what is read, what is refused, and what is printed."""

import pickle
import random
from decimal import Decimal
from itertools import product

import phonenumbers
import pytest
from hypothesis import given
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from airflow_provider_dropcowboy.phone import Phone, PhoneError, _is_ordinary, is_region, new_area_code

NOTATIONS = (
    PhoneNumberFormat.E164,
    PhoneNumberFormat.INTERNATIONAL,
    PhoneNumberFormat.NATIONAL,
    PhoneNumberFormat.RFC3966,
)


def _example_numbers() -> list[tuple[str, phonenumbers.PhoneNumber]]:
    kinds = (PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.TOLL_FREE, PhoneNumberType.VOIP)
    return [
        (region, number)
        for region in sorted(phonenumbers.SUPPORTED_REGIONS)
        for kind in kinds
        if (number := phonenumbers.example_number_for_type(region, kind))
    ]


@pytest.mark.parametrize(
    "written",
    [
        "504-555-0100",
        "(504) 555-0100",
        "504.555.0100",
        "1.504.555.0100",
        "504/555-0100",
        "5045550100",
        "15045550100",
        " +1 504 555 0100 ",
        "(+1) 504 555 0100",
        "+1 (504) 555–0100",
        "011 1 504 555 0100",
        "tel:+1-504-555-0100",
        "TEL:504-555-0100",
        "504\u00a0555\u20110100",
        "\u202a+1 504\u00a0555 0100\u202c",
        "\uff0b\uff11\uff15\uff10\uff14\uff15\uff15\uff15\uff10\uff11\uff10\uff10",
        "\u0665\u0660\u0664\u0665\u0665\u0665\u0660\u0661\u0660\u0660",
        "5045550100.0",
        5045550100,
        5045550100.0,
        Decimal(5045550100),
        Decimal("5045550100.00"),
        Decimal("5.0455501E+9"),
    ],
)
def test_one_number_is_one_number_however_it_is_written(written: object) -> None:
    assert Phone.parse(written, region="US").e164 == "+15045550100"


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        (None, "empty"),
        ("", "empty"),
        (" \u200b ", "empty"),
        (float("nan"), "empty"),
        (Decimal("NaN"), "empty"),
        ("1-800-FLOWERS", "has letters"),
        ("N/A", "has letters"),
        ("call 504-555-0100", "has letters"),
        ("504-555-0100 (home)", "has letters"),
        ("504-555-O100", "has letters"),
        ("5.04555E+09", "in scientific notation; read the column as text"),
        ("504-555-0100 x12", "has an extension"),
        ("504-555-0100 ext. 12", "has an extension"),
        ("504-555-0100#12", "has an extension"),
        ("504-555-0100,12", "has an extension"),
        ("tel:+1-504-555-0100;ext=12", "has an extension"),
        ("504-555-0100 / 504-555-0101", "more than one number"),
        ("504-555-0100, 504-555-0101", "more than one number"),
        ("504-555-0100;504-555-0101", "more than one number"),
        ("504-555-0100\n504-555-0101", "more than one number"),
        ("504-555-0100 or 504-555-0101", "more than one number"),
        ("+15045550100+15045550101", "more than one number"),
        ("5045550100 5045550101", "too long"),
        ("504-555-0100/0101", "has characters that no phone number has"),
        ("-5045550100", "has characters that no phone number has"),
        ("++15045550100", "has characters that no phone number has"),
        ("=504-555-0100", "has characters that no phone number has"),
        ("555-0100", "the area code is missing"),
        ("911", "too short"),
        ("12345", "too short"),
        ("+999 123456", "no such country code"),
        ("00 1 504 555 0100", "too long"),
        ("+1 011 555 0100", "no such number"),
        ("1" * 101, "too long"),
        ("+1 900 555 0100", "a premium-rate number"),
        (-5045550100.0, "not a whole number"),
        (5045550100.5, "not a whole number"),
        (float("inf"), "not a whole number"),
        (Decimal("Infinity"), "not a whole number"),
        (True, "a truth value, not a phone number"),
        (b"5045550100", "neither text nor a whole number"),
    ],
)
def test_what_is_not_clearly_one_number_is_refused_with_a_reason(written: object, reason: str) -> None:
    with pytest.raises(PhoneError) as refused:
        Phone.parse(written, region="US")
    assert str(refused.value) == reason


def test_two_numbers_in_a_row_of_a_country_without_fixed_length_are_refused() -> None:
    with pytest.raises(PhoneError, match="too long"):
        Phone.parse("030 123456 123457", region="DE")


def test_zeros_in_front_of_a_us_number_do_not_turn_it_into_a_number_in_honduras() -> None:
    with pytest.raises(PhoneError):
        Phone.parse("0050455501001", region="US")


@pytest.mark.parametrize("area_code", ["202", "212", "415", "504", "808", "907", "416", "787", "800"])
def test_the_numbers_kept_free_for_fiction_can_be_used(area_code: str) -> None:
    for line in range(100, 200):
        assert Phone.parse(f"{area_code}-555-0{line}", region="US").e164 == f"+1{area_code}5550{line}"


def test_a_number_of_any_country_is_read_back_from_each_of_its_notations() -> None:
    examples = _example_numbers()
    assert len(examples) > 500
    for region, number in examples:
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        for notation in NOTATIONS:
            written = phonenumbers.format_number(number, notation)
            assert Phone.parse(written, region=region).e164 == e164, (region, notation)


@given(
    example=st.sampled_from(_example_numbers()),
    home=st.sampled_from(sorted(phonenumbers.SUPPORTED_REGIONS)),
)
def test_a_number_with_its_country_code_is_the_same_in_every_region(
    example: tuple[str, phonenumbers.PhoneNumber], home: str
) -> None:
    phone = Phone.parse(phonenumbers.format_number(example[1], PhoneNumberFormat.E164), region=example[0])
    assert Phone.parse(phone.e164, region=home) == phone


@given(st.one_of(st.text(), st.text(alphabet="+0123456789 ().-/x,"), st.floats(), st.decimals(), st.integers()))
def test_whatever_a_cell_holds_it_is_a_number_or_refused(cell: object) -> None:
    try:
        phone = Phone.parse(cell, region="US")
    except PhoneError:
        return
    assert Phone.parse(phone.e164, region="GB") == phone


@given(st.text())
def test_printing_never_fails_and_shows_two_digits_at_most(text: str) -> None:
    shown = repr(Phone(text))
    assert shown.startswith("+")
    assert len(text) < 8 or text not in shown


def test_a_number_prints_masked_in_every_way() -> None:
    phone = Phone.parse("504-555-0144", region="US")
    assert f"{phone} {phone!r} {phone!s} {[phone]}" == "+1********44 +1********44 +1********44 [+1********44]"
    assert repr(Phone("+442079460958")) == "+44********58"


def test_equal_numbers_are_one_in_a_set_and_survive_another_process() -> None:
    phone = Phone.parse("504-555-0100", region="US")
    assert {phone, Phone("+15045550100")} == {phone}
    assert pickle.loads(pickle.dumps(phone)) == phone


def test_only_countries_with_phone_numbers_are_regions() -> None:
    assert is_region("US")
    assert is_region("GB")
    assert not is_region("UK")
    assert not is_region("us")


@pytest.mark.parametrize("area_code", ["861", "436", "621", "679"])
def test_an_area_code_that_the_library_does_not_know_yet_is_one(area_code: str) -> None:
    assert Phone.parse(f"({area_code}) 555-0100", region="US") == Phone(f"+1{area_code}5550100")


@pytest.mark.parametrize("digits", ["5555550100", "2225550100", "3705550100", "8815550100", "8611550100", "8614110100"])
def test_an_area_code_or_exchange_that_no_place_can_get_is_no_number(digits: str) -> None:
    with pytest.raises(PhoneError, match="no such number"):
        Phone.parse(digits, region="US")


@given(
    st.tuples(st.integers(100, 999), st.integers(0, 999), st.integers(0, 9999)),
    st.sampled_from(
        ["{:03}{:03}{:04}", "({:03}) {:03}-{:04}", "{:03}.{:03}.{:04}", "{:03}-{:03}-{:04}", "{:03} {:03} {:04}"]
    ),
    st.sampled_from(["US", "CA", "JM", "DO", "DE", "GB"]),
)
def test_ten_digits_are_read_as_the_library_reads_them(
    digits: tuple[int, int, int], notation: str, region: str
) -> None:
    written = notation.format(*digits)
    number = phonenumbers.parse(written, region)
    kind = phonenumbers.number_type(number)
    refused = (PhoneNumberType.UNKNOWN, PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST)
    if new_area_code(number):
        assert Phone.parse(written, region=region).e164 == phonenumbers.format_number(number, PhoneNumberFormat.E164)
        return
    try:
        read = Phone.parse(written, region=region).e164
    except PhoneError:
        assert kind in refused
    else:
        assert kind not in refused
        assert read == phonenumbers.format_number(number, PhoneNumberFormat.E164)


@pytest.mark.parametrize("line", ["0100", "7319"])
def test_every_north_american_number_is_read_as_the_library_reads_it(line: str) -> None:
    """All area codes; every exchange of each is met in one of some runs, and those at the edges of patterns always."""
    drawn = random.Random().sample(range(200, 1000), 6)
    for area_code, exchange in product(range(200, 1000), (200, 211, 345, 555, 976, *drawn)):
        digits = f"{area_code}{exchange}{line}"
        number = phonenumbers.PhoneNumber(country_code=1, national_number=int(digits))
        kind = phonenumbers.number_type(number)
        refused = (PhoneNumberType.UNKNOWN, PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST)
        assert _is_ordinary(digits) == (kind not in refused), digits
