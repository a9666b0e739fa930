"""Columns are found by the name a user wrote."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.contacts.contact import LOOK_AHEAD_ROWS, find_column, with_all_columns
from airflow_provider_dropcowboy.errors import ConfigurationError


def test_a_column_is_found_exactly_before_it_is_found_in_another_case() -> None:
    assert find_column("phone", {"PHONE": 1, "phone": 2}) == "phone"
    assert find_column("phone", {"ID": 1, "PHONE": 2}) == "PHONE"


def test_a_missing_column_is_an_error_that_names_the_columns_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"no column 'fone'; there are: id, phone\."):
        find_column("fone", {"id": "x", "phone": "5045550100"})


def test_two_columns_that_differ_in_case_alone_are_not_guessed_between() -> None:
    with pytest.raises(ConfigurationError, match="any of PHONE, Phone"):
        find_column("phone", {"PHONE": 1, "Phone": 2})


def test_a_column_that_the_first_row_leaves_out_is_there_all_the_same() -> None:
    rows: list[dict[str, object]] = [{"phone": 1}, {"phone": 2, "name": "x"}]
    assert list(with_all_columns(rows)) == [{"phone": 1, "name": None}, {"phone": 2, "name": "x"}]


@given(st.lists(st.dictionaries(st.sampled_from("abc"), st.integers()), max_size=20))
def test_levelled_rows_are_the_same_rows_with_one_set_of_columns(rows: list[dict[str, int]]) -> None:
    levelled = list(with_all_columns(rows))
    assert [{column: value for column, value in row.items() if value is not None} for row in levelled] == rows
    assert len({frozenset(row) for row in levelled}) <= 1


def test_rows_without_end_are_passed_on_as_they_come() -> None:
    def endless() -> Iterator[dict[str, object]]:
        while True:
            yield {"phone": 1}

    rows = with_all_columns(endless())
    assert [next(rows) for _ in range(LOOK_AHEAD_ROWS + 1)]
