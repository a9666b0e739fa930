"""Which messages a run has met already, and which numbers its suppression list holds."""

import random

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.campaign.seen import Seen

NAMES = st.lists(st.integers(0, 30).map("{:048x}".format))


@given(st.lists(NAMES))
def test_a_name_is_new_exactly_once(batches: list[list[str]]) -> None:
    met: list[str] = []
    with Seen() as seen:
        for names in batches:
            new = seen.add(names)
            assert new == set(names) - set(met)
            met += new
        assert seen.met(met) == set(met)
        assert not seen.suppressed(met)
    assert len(met) == len(set(met))


@given(NAMES, NAMES)
def test_a_list_stops_its_numbers_and_no_others(listed: list[str], numbers: list[str]) -> None:
    with Seen() as seen:
        seen.suppress(listed)
        assert seen.suppressed(numbers) == set(listed) & set(numbers)
        assert not seen.met(numbers)


def test_many_names_are_remembered() -> None:
    names = [f"{number:048x}" for number in range(50_000)]
    random.Random(0).shuffle(names)
    with Seen() as seen:
        assert seen.add(names) == set(names)
        assert not seen.add(names[::100])
