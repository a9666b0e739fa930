"""A run says where it stands, and how long it takes if it knows how many rows there are."""

import logging
from datetime import timedelta

import pytest

from airflow_provider_dropcowboy.campaign.heartbeat import Progress, Standing
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
    told = Progress(tally, expected=10_000, watch=None, clock=clock)
    with caplog.at_level(logging.INFO):
        for second in range(1, 12):
            clock.suspend(timedelta(seconds=1))
            read(tally, 20)
            told.tell(in_flight=second)
    assert [record.getMessage() for record in caplog.records] == [
        "1% · 100 of about 10,000 read · 100 sent · 20/s · 5 in flight · about 8 min left (100 accepted)",
        "2% · 200 of about 10,000 read · 200 sent · 20/s · 10 in flight · about 8 min left (200 accepted)",
    ]


@pytest.mark.parametrize("expected", [None, 10])
def test_nobody_is_told_a_time_that_is_not_known(
    clock: FrozenClock, caplog: pytest.LogCaptureFixture, expected: int | None
) -> None:
    tally = Tally()
    told = Progress(tally, expected=expected, watch=None, clock=clock)
    read(tally, 50)
    clock.suspend(timedelta(seconds=5))
    with caplog.at_level(logging.INFO):
        told.tell(in_flight=0)
    assert "left" not in caplog.text
    assert ("50 of about 10 read" if expected else "50 read") in caplog.text


def test_who_watches_is_told_every_time(clock: FrozenClock) -> None:
    tally = Tally()
    seen: list[Standing] = []
    told = Progress(tally, expected=40, watch=seen.append, clock=clock)
    for _ in range(2):
        clock.suspend(timedelta(seconds=1))
        read(tally, 10)
        told.tell(in_flight=3)
    assert [(standing.read, standing.left_s, standing.in_flight) for standing in seen] == [(10, 3.0, 3), (20, 2.0, 3)]
    assert seen[-1].rate_per_s == 10


def test_while_the_vendor_is_down_nothing_is_in_doubt_and_no_end_is_promised(
    clock: FrozenClock, caplog: pytest.LogCaptureFixture
) -> None:
    tally = Tally(read=2)
    for _ in range(2):
        tally.claim()
    told = Progress(tally, expected=2, watch=None, clock=clock)
    clock.suspend(timedelta(seconds=5))
    with caplog.at_level(logging.INFO):
        told.tell(in_flight=0, retrying=2)
    assert caplog.messages == [
        "100% · 2 of about 2 read · 0 sent · 0/s · 0 in flight · 2 not accepted, will be sent again (2 claimed)"
    ]


def test_a_few_that_wait_to_be_sent_again_at_the_end_have_no_time(clock: FrozenClock) -> None:
    tally, seen = Tally(), list[Standing]()
    told = Progress(tally, expected=100, watch=seen.append, clock=clock)
    clock.suspend(timedelta(seconds=98))
    read(tally, 98)
    told.tell(in_flight=2)
    told.tell(in_flight=0, retrying=2)
    assert [standing.left_s for standing in seen] == [pytest.approx(2.0), None]
