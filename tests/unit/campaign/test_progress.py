"""A run says where it stands, and how long it takes if it knows how many rows there are."""

import logging
from datetime import timedelta

import pytest

from airflow_provider_dropcowboy.campaign.progress import Progress, Standing
from airflow_provider_dropcowboy.campaign.summary import Tally
from airflow_provider_dropcowboy.states import State
from tests.clock import FrozenClock


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


def read(tally: Tally, rows: int) -> None:
    tally.read += rows
    for _ in range(rows):
        tally.claim()
        tally.settle(State.ACCEPTED)


def test_a_line_comes_every_few_seconds_with_the_time_left(
    clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    tally = Tally()
    told = Progress("spring", tally, expected=10_000, watch=None, clock=clock)
    with caplog.at_level(logging.INFO):
        for second in range(1, 12):
            clock.suspend(timedelta(seconds=1))
            read(tally, 20)
            told.tell(in_doubt=second)
    assert [record.getMessage() for record in caplog.records] == [
        "campaign spring: 100 read of about 10000, 100 accepted; 20/s, 5 in doubt; about 8 min left",
        "campaign spring: 200 read of about 10000, 200 accepted; 20/s, 10 in doubt; about 8 min left",
    ]


@pytest.mark.parametrize("expected", [None, 10])
def test_nobody_is_told_a_time_that_is_not_known(
    clock: FrozenClock, caplog: pytest.LogCaptureFixture, expected: int | None
) -> None:
    tally = Tally()
    told = Progress("spring", tally, expected=expected, watch=None, clock=clock)
    read(tally, 50)
    clock.suspend(timedelta(seconds=5))
    with caplog.at_level(logging.INFO):
        told.tell(in_doubt=0)
    assert "left" not in caplog.text
    assert "50 read" in caplog.text


def test_who_watches_is_told_every_time(clock: FrozenClock) -> None:
    tally = Tally()
    seen: list[Standing] = []
    told = Progress("spring", tally, expected=40, watch=seen.append, clock=clock)
    for _ in range(2):
        clock.suspend(timedelta(seconds=1))
        read(tally, 10)
        told.tell(in_doubt=3)
    assert [(standing.read, standing.left_s, standing.in_doubt) for standing in seen] == [(10, 3.0, 3), (20, 2.0, 3)]
    assert seen[-1].rate_per_s == 10
