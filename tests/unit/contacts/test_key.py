"""One person has one contact key, whatever type the column had today."""

import math
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.contacts.key import (
    LOST,
    MAX_EXACT_FLOAT,
    ContactKeyError,
    canonical_key,
    other_notations,
    same_person,
)

CELLS = st.one_of(
    st.none(),
    st.booleans(),
    st.text(),
    st.text(alphabet="0123456789.-+eE "),
    st.integers(),
    st.floats(),
    st.decimals(),
    st.uuids(),
    st.dates(),
    st.datetimes(),
    st.datetimes(timezones=st.just(UTC)),
    st.binary(),
)


@pytest.mark.parametrize("written", [1, "1", " 1 ", "1.0", "1.00", 1.0, Decimal(1), Decimal("1.00"), Decimal("1E+0")])
def test_a_number_is_one_key_however_the_source_writes_it(written: object) -> None:
    assert canonical_key(written) == "1"


@pytest.mark.parametrize("whole", ["0", "-0.0", 0, 0.0, -0.0, Decimal("-0"), Decimal("0.00")])
def test_zero_is_one_key(whole: object) -> None:
    assert canonical_key(whole) == "0"


@pytest.mark.parametrize("written", ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", UUID("a0eebc999c0b4ef8bb6d6bb9bd380a11")])
def test_a_uuid_is_one_key_in_both_cases(written: object) -> None:
    assert canonical_key(written) == "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"


def test_dates_and_instants_are_iso_and_instants_are_utc() -> None:
    assert canonical_key(date(2026, 11, 24)) == "2026-11-24"
    assert canonical_key(datetime(2026, 11, 24, 8, tzinfo=timezone(timedelta(hours=-6)))) == "2026-11-24T14:00:00+00:00"


@pytest.mark.parametrize("exact", [10**17 + 1, str(10**17 + 1), Decimal(10**17 + 1), f"{10**17 + 1}.00"])
def test_a_long_number_that_kept_its_digits_is_a_key(exact: object) -> None:
    assert canonical_key(exact) == "100000000000000001"


UUIDS = ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "a0eebc999c0b4ef8bb6d6bb9bd380a11", "A0EEBC999C0B4EF8BB6D6BB9BD380A11"]


@pytest.mark.parametrize(
    "notations",
    [
        [*UUIDS, UUID(UUIDS[0]), f"{{{UUIDS[0]}}}", f"urn:uuid:{UUIDS[0]}"],
        ["Zo\u00eb", "Zoe\u0308"],
        ["1.50", "1.5", 1.5, Decimal("1.500")],
        ["-0.10", -0.1],
    ],
)
def test_a_person_is_one_whatever_the_notation_of_the_key(notations: list[object]) -> None:
    keys = [canonical_key(cell) for cell in notations]
    (same,) = {same_person(key) for key in keys}
    assert same_person(same) == same
    for key in keys:
        assert {key, same} <= {same, *other_notations(key)}


def test_a_key_stays_as_the_source_writes_it() -> None:
    texts = [UUIDS[1], UUIDS[2], "Zoe\u0308", "1.50"]
    assert [canonical_key(text) for text in texts] == texts


@pytest.mark.parametrize("key", ["1", "007", "+15045550100", "A-17", "1.5.0", "1.", "2026-11-24", "12345678"])
def test_most_keys_have_one_notation(key: str) -> None:
    assert (same_person(key), other_notations(key)) == (key, ())


@given(st.text(min_size=1))
def test_a_notation_is_never_its_own_other(key: str) -> None:
    assert same_person(same_person(key)) == same_person(key)
    assert same_person(key) not in other_notations(key)


def test_texts_that_only_look_alike_stay_apart() -> None:
    assert len({canonical_key(text) for text in ("007", "7", "7a", "7A", "1.10", "1.1", "1e3", "1000")}) == 8


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        (None, "empty"),
        ("", "empty"),
        (" \t\n", "empty"),
        ("None", "empty"),
        ("NULL", "empty"),
        ("nan", "empty"),
        (math.nan, "empty"),
        (Decimal("NaN"), "empty"),
        (math.inf, "not a finite number"),
        (float(MAX_EXACT_FLOAT), "digits were lost; read the column as text"),
        ("1.23457E+17", "digits were lost; read the column as text"),
        ("1.2345678901234568e+17", "digits were lost; read the column as text"),
        ("1E+15", "digits were lost; read the column as text"),
        ("1,23457E+17", "digits were lost; read the column as text"),
        ("123456789012345680.0", "digits were lost; read the column as text"),
        (Decimal("1.2345678901234568E+17"), "digits were lost; read the column as text"),
        (Decimal("9007199254740992.0"), "digits were lost; read the column as text"),
        (LOST, "digits were lost; read the column as text"),
        (Decimal("Infinity"), "not a finite number"),
        (Decimal("1E+1000000"), "not a finite number"),
        (True, "a truth value"),
        (b"1", "of type bytes; read the column as text"),
        ([1], "of type list; read the column as text"),
        ("a\x00b", "has characters that do not print"),
        ("a\ud800b", "has characters that do not print"),
    ],
)
def test_a_cell_that_names_nobody_is_refused_with_a_reason(cell: object, reason: str) -> None:
    with pytest.raises(ContactKeyError) as refused:
        canonical_key(cell)
    assert str(refused.value) == reason


@given(CELLS)
@example(-0.0)
def test_a_key_is_its_own_key_and_can_be_stored(cell: object) -> None:
    try:
        key = canonical_key(cell)
    except ContactKeyError:
        return
    assert key
    assert key.encode()
    assert canonical_key(key) == key


@given(st.integers(min_value=1 - MAX_EXACT_FLOAT, max_value=MAX_EXACT_FLOAT - 1))
def test_an_integer_keeps_its_key_when_its_column_turns_into_another_type(number: int) -> None:
    assert {
        canonical_key(written) for written in (str(number), float(number), str(float(number)), Decimal(number))
    } == {canonical_key(number)}


@given(st.integers(), st.integers())
def test_different_integers_have_different_keys(one: int, other: int) -> None:
    assert (canonical_key(one) == canonical_key(other)) == (one == other)
