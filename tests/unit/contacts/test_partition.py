"""The parts of a source hold each contact exactly once."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.contacts.partition import Partition, partitions
from airflow_provider_dropcowboy.errors import ConfigurationError


@given(st.integers(1, 50), st.one_of(st.none(), st.text(st.characters(codec="utf-8"))))
def test_every_contact_is_in_exactly_one_part(count: int, key: str | None) -> None:
    assert sum(Partition.parse(text).has(key) for text in partitions(count)) == 1


@given(st.integers(1, 10**6).flatmap(lambda count: st.tuples(st.integers(1, count), st.just(count))))
def test_a_part_is_read_as_it_is_written(numbers: tuple[int, int]) -> None:
    part = Partition(*numbers)
    assert Partition.parse(str(part)) == part


def test_parts_are_counted_from_one() -> None:
    assert partitions(3) == ["1/3", "2/3", "3/3"]
    assert Partition.parse(" 3 / 8 ") == Partition(3, 8)


@pytest.mark.parametrize("text", ["0/8", "9/8", "0/0", "8", "", "a/b", "-1/8", "1/8/2", "1.0/8", "٣/8"])
def test_a_part_that_does_not_exist_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError, match="partition"):
        Partition.parse(text)


def test_a_source_cannot_be_cut_into_no_parts() -> None:
    with pytest.raises(ConfigurationError, match="at least 1"):
        partitions(0)


@given(st.text(st.characters(codec="utf-8")), st.integers(1, 50))
def test_the_rule_is_the_one_that_the_docstring_gives_for_sql(key: str, count: int) -> None:
    seven_hex_digits = hashlib.md5(key.encode()).hexdigest()[:7]
    assert Partition(int(seven_hex_digits, 16) % count + 1, count).has(key)


def test_parts_are_about_equal() -> None:
    sizes = [sum(Partition.parse(part).has(str(key)) for key in range(8_000)) for part in partitions(8)]
    assert min(sizes) > 800
