"""When a run of requests goes badly enough to stop."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.answers import ACCEPTED, Outcome, SendOutcome
from airflow_provider_dropcowboy.campaign.brakes import MIN_REQUESTS, WINDOW, Brakes
from airflow_provider_dropcowboy.campaign.control import Order
from airflow_provider_dropcowboy.errors import RejectRateError, UnknownRateError

REJECTED = SendOutcome(Outcome.REJECTED, "Invalid brand_id")
UNKNOWN = SendOutcome(Outcome.UNKNOWN, "no answer: time-out")
RELEASED = SendOutcome(Outcome.RELEASED, "HTTP 429")
REFUSED = SendOutcome(Outcome.REFUSED, "HTTP 401")


def orders(brakes: Brakes, outcomes: Iterable[SendOutcome]) -> list[Order]:
    """What the brakes order while these come in."""
    return [order for outcome in outcomes if (order := brakes.pull(outcome)) is not None]


def test_fewer_than_fifty_requests_stop_nothing() -> None:
    brakes = Brakes(0.2, 0.02)
    assert orders(brakes, [REJECTED] * (MIN_REQUESTS - 1)) == []
    assert len(orders(brakes, [REJECTED])) == 1


def test_a_rate_as_high_as_allowed_stops_nothing_and_one_more_does() -> None:
    brakes = Brakes(0.2, None)
    assert orders(brakes, [ACCEPTED] * 80 + [REJECTED] * 20) == []
    (order,) = orders(brakes, [REJECTED])
    assert isinstance(order.error, RejectRateError)
    assert "21 of the last 101 requests were refused (20.8%, the task allows 20.0%)" in str(order.error)
    assert 'most often with "Invalid brand_id"' in str(order.error)


def test_doubt_has_a_rate_of_its_own() -> None:
    brakes = Brakes(None, 0.02)
    assert orders(brakes, [REJECTED] * 98 + [UNKNOWN] * 2) == []
    (order,) = orders(brakes, [UNKNOWN])
    assert isinstance(order.error, UnknownRateError)


@pytest.mark.parametrize("outcome", [RELEASED, REFUSED])
def test_what_was_surely_not_taken_is_no_request(outcome: SendOutcome) -> None:
    assert orders(Brakes(0, 0), [outcome] * 200) == []


def test_no_limit_stops_nothing() -> None:
    assert orders(Brakes(None, None), [REJECTED, UNKNOWN] * WINDOW) == []


def test_a_bad_beginning_is_forgiven_after_the_window() -> None:
    bad = WINDOW // 10
    brakes = Brakes(0.1, None)
    assert orders(brakes, [ACCEPTED] * (WINDOW - bad) + [REJECTED] * bad) == []
    assert orders(brakes, [ACCEPTED] * WINDOW + [REJECTED] * bad) == []
    assert len(orders(brakes, [REJECTED])) == 1


@given(
    st.lists(st.sampled_from([ACCEPTED, REJECTED, UNKNOWN, RELEASED]), max_size=3 * MIN_REQUESTS),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_a_run_stops_exactly_when_a_rate_is_above_its_limit(
    outcomes: list[SendOutcome], max_reject_rate: float, max_unknown_rate: float
) -> None:
    brakes = Brakes(max_reject_rate, max_unknown_rate)
    limits = {Outcome.REJECTED: max_reject_rate, Outcome.UNKNOWN: max_unknown_rate}
    requests: list[SendOutcome] = []
    for outcome in outcomes:
        order = brakes.pull(outcome)
        if outcome is not RELEASED:
            requests.append(outcome)
        limit = limits.get(outcome.kind)
        is_above = limit is not None and requests.count(outcome) > limit * len(requests)
        assert (order is not None) == (is_above and len(requests) >= MIN_REQUESTS)
