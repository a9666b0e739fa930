"""Rows that the DAG itself hands over."""

from collections.abc import Iterator

import pytest

from airflow_provider_dropcowboy.contacts.source import read_iterable
from airflow_provider_dropcowboy.errors import ConfigurationError


def test_a_list_of_dicts_is_read_with_one_set_of_columns() -> None:
    assert list(read_iterable([{"phone": 1}, {"phone": 2, "zip": 3}])) == [
        {"phone": 1, "zip": None},
        {"phone": 2, "zip": 3},
    ]


def test_a_callable_is_called_for_each_reading() -> None:
    def due_today() -> Iterator[dict[str, object]]:
        yield {"phone": 1}

    assert [list(read_iterable(due_today)) for _wave in range(2)] == [[{"phone": 1}], [{"phone": 1}]]


def test_a_generator_is_refused_because_the_next_wave_would_find_it_empty() -> None:
    with pytest.raises(ConfigurationError, match="read only once"):
        read_iterable({"phone": number} for number in range(2))


@pytest.mark.parametrize(
    ("contacts", "message"),
    [
        ([{"phone": 1}, ("phone", 2)], r"contacts\[1\] is a tuple"),
        ("5045550100", r"contacts\[0\] is a str"),
        ({"phone": "5045550100"}, r"contacts\[0\] is a str"),
        ([{1: "5045550100"}], r"contacts\[0\] has a column name that is not text"),
        (lambda: None, "contacts is a NoneType"),
        (7, "contacts is a int"),
    ],
)
def test_what_is_no_row_is_refused_by_its_place_without_its_content(contacts: object, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as refused:
        list(read_iterable(contacts))  # type: ignore[arg-type]
    assert "555" not in str(refused.value)
