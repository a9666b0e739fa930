"""Suppression lists: what people's files hold is read, and what cannot be read stops the run."""

import io
import logging
from collections.abc import Sequence
from decimal import Decimal

import pytest

from airflow_provider_dropcowboy.contacts.files import read_rows
from airflow_provider_dropcowboy.contacts.source import SourceArguments
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList, UnreadableSuppressionsError
from airflow_provider_dropcowboy.errors import ConfigurationError

ANN, BOB = "+15045550101", "+15045550102"
MORE = {"id": "7", "note": "by letter"}


def _file(name: str, text: str, **options: object) -> SuppressionList:
    return SuppressionList(read_rows(io.BytesIO(text.encode()), name), **options)  # type: ignore[arg-type]  # the tests' own


def _read(numbers: SuppressionList) -> list[str]:
    return [phone.e164 for phone in numbers]


def _check(column: object, allowed: object) -> None:
    given = {"suppression_column": column, "max_unreadable_suppressions": allowed}
    SourceArguments.check({"contacts": (), **given})


def _cell(cell: object) -> list[str]:
    return _read(SuppressionList([{"phone": cell}]))


@pytest.mark.parametrize(
    "cell",
    [
        "'+15045550101", "\u2018+15045550101", '="5045550101"', '="+1 (504) 555-0101"', '"5045550101"',
        "504-555-0101 x12", "504-555-0101 ext. 4", "+1 (504) 555-0101 ext", "504-555-0101,12", "504-555-0101 #3",
        "tel 504-555-0101", "Tel.: 504 555 0101", "mobile 5045550101", "Ann 504-555-0101 (do not call)",
        "504-555-0101 since 2026-10-05", "504-555-0101 (11/24/2026)", "504\t555\t0101", "0015045550101",
        "5.045550101E+9", "5.045550101e+09", "5,045550101E+9", 5045550101, 5045550101.0, "5045550101.0",
        "\uff15\uff10\uff14\uff15\uff15\uff15\uff10\uff11\uff10\uff11",
    ],
)  # fmt: skip
def test_a_number_is_read_in_each_form_that_files_hold(cell: object) -> None:
    assert _cell(cell) == [ANN]


@pytest.mark.parametrize(
    "cell",
    [
        "504-555-0101 / 504-555-0102", "504.555.0101/504.555.0102", "5045550101 5045550102", "5045550101-5045550102",
        "(504) 555-0101 (home), (504) 555-0102 cell", "504-555-0101\n504-555-0102", "504 555 0101 504 555 0102",
        "+15045550101;+15045550102", "504-555-0101 or 504-555-0102",
    ],
)  # fmt: skip
def test_both_numbers_of_a_cell_are_suppressed(cell: str) -> None:
    assert _cell(cell) == [ANN, BOB]


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("5550107", "the area code is missing"),
        (5550107, "the area code is missing"),
        ("5.04555E+09", "digits were lost; save the column as text"),
        ("1-800-FLOWERS", "has letters"),
        ("#REF!", "has letters"),
        ("504-555-0101 or 0199", "a second number is cut short"),
        ("504-555-0101 / 555-0102", "more than one number"),
        ("4111111111111111", "too long"),
        (True, "a truth value, not a phone number"),
        (b"5045550101", "neither text nor a whole number"),
    ],
)
def test_an_entry_that_is_no_number_stops_the_run_and_shows_no_digit(cell: object, reason: str) -> None:
    numbers = SuppressionList([{"phone": BOB, "name": "Bob"}, {"phone": cell, "name": "Cy"}])
    with pytest.raises(UnreadableSuppressionsError) as stopped:
        _read(numbers)
    told = str(stopped.value)
    assert f"1 of 2 entries cannot be read as phone numbers: {reason} (1). Such as row 2: " in told
    assert "Nobody was contacted" in told
    assert "555" not in told
    assert "Cy" not in told


def test_a_list_without_any_number_stops_the_run_whatever_is_allowed() -> None:
    for rows in ([{"phone": "n/a"}] * 7, [{"phone": None}] * 7):
        with pytest.raises(UnreadableSuppressionsError, match="Nobody was contacted"):
            _read(SuppressionList(rows, max_unreadable=1.0))


def test_a_row_of_blank_cells_names_nobody_but_a_name_without_a_number_is_somebody() -> None:
    blank = {"phone": " ", "name": None}
    nulls = [{"phone": null, "name": None} for null in (float("nan"), Decimal("NaN"), None)]
    assert _read(SuppressionList([{"phone": ANN, "name": "Ann"}, blank, *nulls])) == [ANN]
    with pytest.raises(UnreadableSuppressionsError, match=r"empty \(1\)"):
        _read(SuppressionList([{"phone": ANN, "name": "Ann"}, blank, {"phone": "", "name": "Bob"}]))


def test_unreadable_entries_pass_by_number_or_by_share_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    rows = [{"phone": f"+1504555{last:04}"} for last in range(100, 198)] + [{"phone": "n/a"}, {"phone": "none"}]
    for allowed in (2, 0.02):
        numbers = SuppressionList(rows, max_unreadable=allowed)
        with caplog.at_level(logging.WARNING):
            assert len(_read(numbers)) == 98
        assert (numbers.entries, numbers.numbers, numbers.unreadable) == (100, 98, 2)
        assert "2 of 100 entries cannot be read as phone numbers: has letters" in caplog.text
        caplog.clear()
    for allowed in (1, 0.019):
        with pytest.raises(UnreadableSuppressionsError):
            _read(SuppressionList(rows, max_unreadable=allowed))


def test_an_empty_list_keeps_nobody_out_and_is_told(caplog: pytest.LogCaptureFixture) -> None:
    assert _read(SuppressionList([])) == []
    assert _read(_file("stop.csv", "phone,name\n")) == []
    assert caplog.text.count("it has no entry") == 2


class TestColumn:
    @pytest.mark.parametrize(
        ("header", "cells"),
        [
            ("phone,name", "'+15045550101,Ann"),
            ("id,phone", "11,+15045550101"),
            ("PHONE_NUMBER,created_at", "5045550101,2026-10-05 12:00:00"),
            ("created_at,dnc", "2026-10-05 12:00:00,504-555-0101"),
            ("reason,caller", "by letter,504-555-0101"),
            ("area_code,number", "504,5550101"),
            ("Area Code,Phone", "504,555-0101"),
            ("stop", "tel 504-555-0101"),
            ("phone_e164,source", "+15045550101,web"),
        ],
    )
    def test_is_found_if_only_one_can_be_meant(self, header: str, cells: str) -> None:
        assert _read(_file("stop.csv", f"{header}\n{cells}\n")) == [ANN]

    @pytest.mark.parametrize(
        ("header", "cells"),
        [
            ("phone,mobile", "5045550101,5045550102"),
            ("home,work", "5045550101,5045550102"),
            ("account,phone", "5045550199,5045550101"),
            ("name,reason", "Ann,by letter"),
        ],
    )
    def test_that_cannot_be_found_without_doubt_stops_the_run(self, header: str, cells: str) -> None:
        with pytest.raises(ConfigurationError, match="Name the column with suppression_column") as stopped:
            _read(_file("stop.csv", f"{header}\n{cells}\n"))
        assert header.replace(",", ", ") in str(stopped.value)
        assert "Nobody was contacted" in str(stopped.value)

    def test_is_the_sources_and_not_the_first_of_each_row(self) -> None:
        rows = f'{{"phone": "{ANN}", "by": "text"}}\n{{"by": "text", "phone": "{BOB}"}}\n'
        assert _read(_file("stop.jsonl", rows)) == [ANN, BOB]

    def test_that_is_named_is_read_and_no_other(self) -> None:
        rows = [{"Home": ANN, "work": BOB}]
        assert _read(SuppressionList(rows, columns="home")) == [ANN]
        with pytest.raises(ConfigurationError, match="no column 'cell'"):
            _read(SuppressionList(rows, columns="cell"))

    def test_whose_key_some_rows_lack_leaves_somebody_unread(self) -> None:
        with pytest.raises(UnreadableSuppressionsError, match=r"empty \(1\)"):
            _read(_file("stop.jsonl", f'{{"phone": "{ANN}"}}\n{{"tel": "{BOB}"}}\n', columns="phone"))

    @pytest.mark.parametrize(
        ("row", "columns", "numbers"),
        [
            ({"area": "504", "number": "5550101"}, ["area", "number"], [ANN]),
            ({"area": 504.0, "number": 5550101}, ["area", "number"], [ANN]),
            ({"area": "504", "number": ANN}, ["area", "number"], [ANN]),
            ({"home": ANN, "work": BOB}, ["home", "work"], [ANN, BOB]),
            ({"home": ANN, "work": None}, ["home", "work"], [ANN]),
        ],
    )
    def test_may_be_several(self, row: dict[str, object], columns: Sequence[str], numbers: list[str]) -> None:
        assert _read(SuppressionList([{**row, **MORE}], columns=columns)) == numbers

    @pytest.mark.parametrize("first_line", ["'+15045550101,Ann", "tel 504-555-0101,Ann", '"=""5045550101""",Ann'])
    def test_names_must_stand_above_the_numbers(self, first_line: str) -> None:
        with pytest.raises(ConfigurationError, match="first line") as stopped:
            _read(_file("stop.csv", f"{first_line}\n{BOB},Bob\n"))
        assert "0101" not in str(stopped.value)


@pytest.mark.parametrize(
    ("column", "allowed"), [("", 0), ([], 0), (["a", ""], 0), (3, 0), (None, -1), (None, 1.5), (None, True), ("a", "2")]
)
def test_arguments_that_cannot_be_right_are_refused(column: object, allowed: object) -> None:
    with pytest.raises(ConfigurationError, match="Nothing was sent"):
        _check(column, allowed)


@pytest.mark.parametrize(("column", "allowed"), [(None, 0), ("phone", 10), (["area_code", "number"], 0.001)])
def test_arguments_that_can_be_right_pass(column: object, allowed: object) -> None:
    _check(column, allowed)
