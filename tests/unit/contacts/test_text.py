"""Texts are filled in for each row, or the row says why not."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.contacts.contact import Template, TextError
from airflow_provider_dropcowboy.errors import ConfigurationError


def test_fields_take_the_values_of_the_row() -> None:
    template = Template.parse("Hi {first_name}, {first_name}: {amount} {{due}} on {Due Day}")
    row = {"first_name": " Ann ", "amount": Decimal("20.00"), "Due Day": date(2026, 11, 24)}
    assert template.columns == ("first_name", "first_name", "amount", "Due Day")
    assert template.render(row) == "Hi Ann, Ann: 20.00 {due} on 2026-11-24"


def test_a_text_without_fields_is_itself() -> None:
    template = Template.parse("Call us {{now}}")
    assert template.columns == ()
    assert template.render({}) is template.render({"a": 1})
    assert template.render({}) == "Call us {now}"


def test_upper_case_columns_of_a_warehouse_are_found() -> None:
    assert Template.parse("Hi {first_name}").render({"FIRST_NAME": "Ann"}) == "Hi Ann"


def test_a_column_that_is_missing_is_an_error_that_names_the_columns_there_are() -> None:
    with pytest.raises(ConfigurationError, match="no column 'name'; there are: id, first_name"):
        Template.parse("Hi {name}").render({"id": 1, "first_name": "Ann"})


@pytest.mark.parametrize(
    "text", ["{}", "{a.b}", "{a[0]}", "{a!r}", "{a:>9}", "{a", "a}", "{a{b}}", "{a:{b}}", "{ {a} }"]
)
def test_only_a_column_in_braces_is_a_field(text: str) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read as a template"):
        Template.parse(text)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no value for {name}"),
        (float("nan"), "no finite value for {name}"),
        (Decimal("Infinity"), "no finite value for {name}"),
        (True, "a value of type bool for {name}"),
        (b"Ann", "a value of type bytes for {name}"),
        (["Ann"], "a value of type list for {name}"),
        ("Ann\ud800", "a column holds characters that are not Unicode text"),
    ],
)
def test_a_row_whose_text_cannot_be_filled_in_says_why_without_the_value(value: object, reason: str) -> None:
    with pytest.raises(TextError) as refused:
        Template.parse("Hi {name}").render({"name": value})
    assert str(refused.value) == reason


def test_an_empty_text_is_a_value() -> None:
    assert Template.parse("Hi{name}!").render({"name": ""}) == "Hi!"


@pytest.mark.parametrize(("value", "written"), [(3, "3"), (3.0, "3"), (19.5, "19.5"), (Decimal("1E+2"), "100")])
def test_numbers_are_written_as_people_write_them(value: object, written: str) -> None:
    assert Template.parse("{n}").render({"n": value}) == written


UTF8 = st.text(st.characters(codec="utf-8"))


@given(UTF8)
def test_any_text_with_its_braces_doubled_is_itself(text: str) -> None:
    assert Template.parse(text.replace("{", "{{").replace("}", "}}")).render({}) == text


@given(st.lists(st.tuples(UTF8, st.sampled_from(["a", "b c", "Ü"])), max_size=6), UTF8)
def test_braces_inside_a_value_stay_what_they_are(parts: list[tuple[str, str]], value: str) -> None:
    text = "".join(f"{literal.replace('{', '{{').replace('}', '}}')}{{{column}}}" for literal, column in parts)
    row = dict.fromkeys(["a", "b c", "Ü"], "{a}" + value + "{b}")
    assert Template.parse(text).render(row) == "".join(literal + "{a}" + value + "{b}" for literal, _ in parts)


@given(st.text())
def test_whatever_is_written_is_a_template_or_refused(text: str) -> None:
    try:
        template = Template.parse(text)
    except ConfigurationError:
        return
    assert len(template.literals) == len(template.columns) + 1
