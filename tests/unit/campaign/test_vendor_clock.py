"""A run notices that this machine's clock is not the vendor's, and no odd proxy stops it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
import time_machine

from airflow_provider_dropcowboy.api.wire import Answer, Broken
from airflow_provider_dropcowboy.campaign.control import MIN_ANSWERS, Order, VendorClock

NOW = datetime(2026, 12, 2, 15, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def answer(ahead: timedelta) -> Answer:
    """The vendor's, whose clock is so far ahead."""
    return Answer(200, date=format_datetime(NOW + ahead, usegmt=True))


def checked(clock: VendorClock, *answers: Answer | Broken, took: timedelta = timedelta()) -> list[Order]:
    return [order for reply in answers if (order := clock.check(reply, took_s=took.total_seconds()))]


@pytest.mark.parametrize("ahead", [timedelta(minutes=-40), timedelta(seconds=31)])
def test_a_clock_that_differs_in_all_first_answers_stops_a_run_that_keeps_hours(ahead: timedelta) -> None:
    clock = VendorClock(may_stop=True)
    assert checked(clock, *[answer(ahead)] * (MIN_ANSWERS - 1)) == []
    (order,) = checked(clock, *[answer(ahead)] * 5)
    assert "Set the clock by NTP" in str(order.error)


def test_one_answer_that_agrees_ends_the_doubt() -> None:
    hour = timedelta(hours=1)
    assert checked(VendorClock(may_stop=True), answer(hour), answer(timedelta(seconds=-29)), *[answer(hour)] * 50) == []


def test_an_answer_that_was_long_under_way_is_no_difference(caplog: pytest.LogCaptureFixture) -> None:
    minute = timedelta(minutes=1)
    assert checked(VendorClock(may_stop=True), *[answer(-minute)] * 50, took=minute) == []
    assert caplog.messages == []


def test_where_another_clock_vouches_for_this_machines_it_is_warned_of_once(caplog: pytest.LogCaptureFixture) -> None:
    assert checked(VendorClock(may_stop=False), *[answer(timedelta(hours=1))] * 50) == []
    (warning,) = caplog.messages
    assert "clock is 1:00:00 behind the Date of the vendor's answers" in warning


@pytest.mark.parametrize("reply", [Broken("time-out"), Answer(200), Answer(200, date="yesterday")])
def test_what_names_no_date_says_nothing(reply: Answer | Broken, caplog: pytest.LogCaptureFixture) -> None:
    assert checked(VendorClock(may_stop=True), *[reply] * 50) == []
    assert caplog.messages == []
