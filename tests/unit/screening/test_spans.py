"""Spans of time: what the quick ways leave out changes no moment."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.screening.places import load_places
from airflow_provider_dropcowboy.screening.rules import Spans, _even_midnight, _instants, both, state_at

ZONES = sorted({zone for zones in load_places()._zones_of.values() for zone in zones})

moments = st.sampled_from([float("-inf"), *map(float, range(12)), float("inf")])


@st.composite
def spans(draw: st.DrawFn) -> Spans:
    edges = sorted(draw(st.sets(moments)))
    return list(zip(edges[::2], edges[1::2], strict=False))


def is_in(moment: float, times: Spans) -> bool:
    return any(begins <= moment < ends for begins, ends in times)


@given(spans(), spans())
def test_both_are_open_at_the_moments_at_which_each_is(first: Spans, second: Spans) -> None:
    found = both(first, second)
    for moment in (each / 2 for each in range(-1, 25)):
        assert is_in(moment, found) == (is_in(moment, first) and is_in(moment, second))
    assert all(ends <= begins for (_, ends), (begins, _) in pairwise(found))


@given(spans(), st.integers(-1, 13))
def test_a_state_holds_until_its_end(times: Spans, now: int) -> None:
    is_open, until = state_at(times, now)
    assert is_open == is_in(now, times)
    edges = [edge for span in times for edge in span if edge > now]
    assert until == min(edges, default=float("inf"))


@pytest.mark.parametrize("zone", ZONES)
def test_a_day_without_a_change_of_the_clock_needs_one_reading(zone: str) -> None:
    for number in range(366):
        day = date(2026, 1, 1) + timedelta(days=number)
        midnight = _even_midnight(day, zone)
        if midnight is not None:
            for minutes in (0, 90, 8 * 60, 21 * 60, 24 * 60):
                assert _instants(day, minutes, zone) == (midnight + 60 * minutes,) * 2, (day, minutes)
