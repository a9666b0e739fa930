"""When a run of requests goes badly enough to stop."""

from collections.abc import Iterable

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.wire import ACCEPTED, Outcome, SendOutcome
from airflow_provider_dropcowboy.campaign.control import MIN_FAILURES, MIN_LOST, MIN_REQUESTS, WINDOW, Brakes, Order
from airflow_provider_dropcowboy.errors import AuthenticationError, RejectRateError, UnknownRateError, VendorDownError

REJECTED = SendOutcome(Outcome.REJECTED, "Invalid brand_id")
UNKNOWN = SendOutcome(Outcome.UNKNOWN, "no answer: time-out")
RELEASED = SendOutcome(Outcome.RELEASED, "HTTP 429")
REFUSED = SendOutcome(Outcome.REFUSED, "HTTP 401")


def brakes(max_reject_rate: float | None, max_unknown_rate: float | None, *, connections: int = 10_000) -> Brakes:
    """Brakes of a run with so many connections; with the default, no row of failures stops it."""
    return Brakes(max_reject_rate, max_unknown_rate, connections=connections)


def orders(brakes: Brakes, outcomes: Iterable[SendOutcome]) -> list[Order]:
    """What the brakes order while these come in."""
    return [order for outcome in outcomes if (order := brakes.pull(outcome)) is not None]


def test_fewer_than_fifty_requests_stop_nothing() -> None:
    few = brakes(0.2, 0.02)
    assert orders(few, [REJECTED] * (MIN_REQUESTS - 1)) == []
    assert len(orders(few, [REJECTED])) == 1


def test_a_rate_as_high_as_allowed_stops_nothing_and_one_more_does() -> None:
    careful = brakes(0.2, None)
    assert orders(careful, [ACCEPTED] * 80 + [REJECTED] * 20) == []
    (order,) = orders(careful, [REJECTED])
    assert isinstance(order.error, RejectRateError)
    assert "21 of the last 101 requests were refused (20.8%, the task allows 20.0%)" in str(order.error)
    assert 'most often with "Invalid brand_id"' in str(order.error)


def test_fewer_than_five_lost_answers_stop_no_run_and_the_fifth_does() -> None:
    careful = brakes(None, 0.02)
    assert orders(careful, [ACCEPTED] * 56 + [UNKNOWN] * (MIN_LOST - 1)) == []
    (order,) = orders(careful, [UNKNOWN])
    assert "5 of the last 61 requests are in doubt (8.2%, the task allows 2.0%)" in str(order.error)


def test_doubt_has_a_rate_of_its_own() -> None:
    careful = brakes(None, 0.02)
    assert orders(careful, [REJECTED] * 245 + [UNKNOWN] * 5) == []
    (order,) = orders(careful, [UNKNOWN])
    assert isinstance(order.error, UnknownRateError)


def test_what_was_surely_not_taken_has_no_rate() -> None:
    assert orders(brakes(0, 0), [RELEASED] * 200) == []


def test_a_refusal_of_the_whole_request_stops_the_run_at_once() -> None:
    (order,) = orders(brakes(None, None), [REFUSED])
    assert isinstance(order.error, AuthenticationError)


def test_one_failure_after_the_other_stops_a_run_once_all_its_connections_met_one() -> None:
    down = brakes(None, None, connections=30)
    assert orders(down, [UNKNOWN] * 29 + [ACCEPTED] + [RELEASED] * 29) == []
    (order,) = orders(down, [UNKNOWN])
    assert isinstance(order.error, VendorDownError)
    assert len(orders(brakes(None, None, connections=1), [RELEASED] * MIN_FAILURES)) == 1


def test_no_limit_stops_nothing() -> None:
    assert orders(brakes(None, None), [REJECTED, UNKNOWN] * WINDOW) == []


def test_a_bad_beginning_is_forgiven_after_the_window() -> None:
    bad = WINDOW // 10
    careful = brakes(0.1, None)
    assert orders(careful, [ACCEPTED] * (WINDOW - bad) + [REJECTED] * bad) == []
    assert orders(careful, [ACCEPTED] * WINDOW + [REJECTED] * bad) == []
    assert len(orders(careful, [REJECTED])) == 1


@given(
    st.lists(st.sampled_from([ACCEPTED, REJECTED, UNKNOWN, RELEASED]), max_size=3 * MIN_REQUESTS),
    st.floats(0, 1),
    st.floats(0, 1),
)
def test_a_run_stops_exactly_when_a_rate_is_above_its_limit(
    outcomes: list[SendOutcome], max_reject_rate: float, max_unknown_rate: float
) -> None:
    limited = brakes(max_reject_rate, max_unknown_rate)
    limits = {Outcome.REJECTED: max_reject_rate, Outcome.UNKNOWN: max_unknown_rate}
    requests: list[SendOutcome] = []
    for outcome in outcomes:
        order = limited.pull(outcome)
        if outcome is not RELEASED:
            requests.append(outcome)
        limit, lost = limits.get(outcome.kind), requests.count(outcome)
        is_above = limit is not None and lost >= MIN_LOST and lost > limit * len(requests)
        assert (order is not None) == (is_above and len(requests) >= MIN_REQUESTS)
