"""Which names a run has met already."""

import random

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.campaign.seen import Seen


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5)))
def test_a_name_is_new_exactly_once(names: list[str]) -> None:
    with Seen() as seen:
        met = [name for name in names if seen.add(name)]
    assert met == list(dict.fromkeys(names))


def test_many_names_are_remembered() -> None:
    names = [f"{number:048x}" for number in range(50_000)]
    random.Random(0).shuffle(names)
    with Seen() as seen:
        assert all(seen.add(name) for name in names)
        assert not any(seen.add(name) for name in names[::100])
