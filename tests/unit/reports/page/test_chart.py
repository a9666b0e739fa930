"""Columns over time: every send is in one of them, and they fit the drawing."""

import itertools
from collections import Counter
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.reports.page.chart import HEIGHT, MAX_COLUMNS, ORDER, WIDTH, draw
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
    assert chart is not None
    assert len(chart.columns) <= MAX_COLUMNS
    assert sum((column.counts for column in chart.columns), Counter()) == sum(by_hour.values(), Counter())
    for column in chart.columns:
        assert 0 <= column.x < column.x + column.width <= WIDTH
        assert sum(block.sends for block in column.blocks) == column.counts.total()
        assert all(block.y >= -0.01 and block.y + block.height <= HEIGHT + 0.01 for block in column.blocks)
    begins = [column.begins_at for column in chart.columns]
    assert begins[0] <= min(by_hour)
    assert max(by_hour) < begins[-1] + timedelta(hours=chart.column_h)
    assert {later - earlier for earlier, later in itertools.pairwise(begins)} <= {timedelta(hours=chart.column_h)}


def test_two_days_are_shown_by_the_hour_and_a_longer_time_by_more() -> None:
    def widths(last: timedelta) -> int | None:
        chart = draw({BEGIN: Counter({State.FAILED: 1}), BEGIN + last: Counter({State.DELIVERED: 1})})
        return None if chart is None else chart.column_h

    assert widths(timedelta(hours=47)) == 1
    assert widths(timedelta(hours=48)) == 2
    assert widths(timedelta(days=31)) == 24


def test_nothing_is_drawn_of_nothing() -> None:
    assert draw({}) is None
