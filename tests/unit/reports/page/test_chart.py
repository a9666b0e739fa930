"""Columns over time: every send is in one of them, and they fit the drawing."""

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.reports.page.html import (
    DAY_S,
    HEIGHT,
    HOUR_S,
    MAX_COLUMNS,
    MIN_COLUMNS,
    ORDER,
    WIDTH,
    draw,
)
from airflow_provider_dropcowboy.states import ASKED, State

BEGIN = datetime(2026, 11, 24, tzinfo=UTC)

hours = st.dictionaries(
    st.integers(0, 100_000).map(lambda hour: BEGIN + timedelta(hours=hour)),
    st.dictionaries(st.sampled_from(sorted(ASKED)), st.integers(1, 1_000_000), min_size=1).map(Counter),
    min_size=1,
)


def test_every_state_of_a_send_has_its_place_in_a_column() -> None:
    assert set(ORDER) == ASKED


@given(hours)
def test_every_send_is_in_one_column_and_every_column_fits(by_hour: dict[datetime, Counter[State]]) -> None:
    chart = draw(by_hour)
    if chart is None:
        assert max(by_hour) - min(by_hour) < timedelta(hours=MIN_COLUMNS)
        return
    assert MIN_COLUMNS <= len(chart.columns) <= MAX_COLUMNS
    assert sum((column.counts for column in chart.columns), Counter()) == sum(by_hour.values(), Counter())
    for column in chart.columns:
        assert 0 <= column.x < column.x + column.width <= WIDTH
        assert sum(block.sends for block in column.blocks) == column.counts.total()
        assert all(block.y >= -0.01 and block.y + block.height <= HEIGHT + 0.01 for block in column.blocks)
    begins = [column.begins_at for column in chart.columns]
    assert begins[0] <= min(by_hour)
    assert max(by_hour) < begins[-1] + timedelta(seconds=chart.width_s)
    assert {later - earlier for earlier, later in itertools.pairwise(begins)} <= {timedelta(seconds=chart.width_s)}


@pytest.mark.parametrize(
    ("last", "step_s", "width_s", "unit"),
    [
        (timedelta(hours=59), HOUR_S, HOUR_S, "hour"),
        (timedelta(hours=60), HOUR_S, 2 * HOUR_S, "2 hours"),
        (timedelta(days=31), HOUR_S, DAY_S, "day"),
        (timedelta(seconds=51), 1, 1, "second"),
        (timedelta(seconds=120), 1, 5, "5 seconds"),
        (timedelta(minutes=45), 10, 60, "minute"),
    ],
)
def test_columns_are_as_narrow_as_fits(last: timedelta, step_s: int, width_s: int, unit: str) -> None:
    chart = draw({BEGIN: Counter({State.FAILED: 1}), BEGIN + last: Counter({State.DELIVERED: 1})}, step_s=step_s)
    assert chart is not None
    assert (chart.width_s, chart.unit) == (width_s, unit)


def test_days_begin_at_the_readers_midnight() -> None:
    zone = ZoneInfo("America/New_York")
    chart = draw({BEGIN + timedelta(days=day): Counter({State.DELIVERED: 1}) for day in range(50)}, zone=zone)
    assert chart is not None
    assert chart.columns[0].begins_at.astimezone(zone).hour == 0


@pytest.mark.parametrize("hours", [0, 1, MIN_COLUMNS - 1])
def test_nothing_is_drawn_of_too_little(hours: int) -> None:
    assert draw({BEGIN + timedelta(hours=hour): Counter({State.DELIVERED: 9}) for hour in range(hours)}) is None
