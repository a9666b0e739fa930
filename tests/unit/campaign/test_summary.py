"""Counts that add up, and that notice when they cannot."""

from collections import Counter
from datetime import UTC, datetime
from typing import Final

import pytest

from airflow_provider_dropcowboy.campaign.summary import Summary, Tally
from airflow_provider_dropcowboy.errors import BalanceError
from airflow_provider_dropcowboy.screening.screen import Verdict
from airflow_provider_dropcowboy.states import State


def tally(**came_to: int) -> Tally:
    """A run that claimed so many and settled them."""
    made = Tally(read=sum(came_to.values()))
    for name, count in came_to.items():
        for _ in range(count):
            made.claim()
            made.settle(State(name))
    return made


def test_every_row_is_in_one_state() -> None:
    made = tally(accepted=3, unknown=1)
    made.read += 2
    made.count(State.INVALID, "phone: empty")
    made.claim()
    made.lose(State.ACCEPTED)
    made.check_rows()
    assert (made.already, made.own.total()) == (1, 4)
    assert made.as_counts() == {"invalid": 1, "accepted": 4, "unknown": 1}


@pytest.mark.parametrize(
    ("own", "recorded"),
    [
        ({"accepted": 3}, {"accepted": 3}),
        ({"accepted": 3}, {"accepted": 1, "delivered": 1, "failed": 1}),
        ({"accepted": 3}, {"expired": 3}),
        ({"accepted": 2, "released": 2}, {"accepted": 2, "released": 1}),  # another run took one over
        ({"accepted": 2, "rejected": 1}, {"accepted": 2}),
        ({"unknown": 2}, {"claimed": 2}),
    ],
)
def test_what_happened_meanwhile_is_no_imbalance(own: dict[str, int], recorded: dict[str, int]) -> None:
    made = tally(**own)
    made.balance(Counter({State(name): count for name, count in recorded.items()}))
    made.check_rows()


@pytest.mark.parametrize(
    ("own", "recorded"),
    [
        ({"accepted": 3}, {"accepted": 2}),
        ({"accepted": 3}, {"accepted": 2, "released": 1}),
        ({"accepted": 3}, {}),
        ({"accepted": 3}, {"accepted": 4}),
        ({"accepted": 2, "released": 1}, {"accepted": 1, "released": 1}),
    ],
)
def test_a_ledger_that_knows_of_fewer_or_of_more_is_reported(own: dict[str, int], recorded: dict[str, int]) -> None:
    with pytest.raises(BalanceError, match="pause --all"):
        tally(**own).balance(Counter({State(name): count for name, count in recorded.items()}))


def test_claims_that_nobody_confirmed_are_counted_where_the_ledger_has_them() -> None:
    made = tally(accepted=3)
    made.unconfirmed = 2
    made.balance(Counter({State.ACCEPTED: 3, State.CLAIMED: 2}))
    assert made.as_counts() == {"accepted": 3, "unknown": 2}


@pytest.mark.parametrize("states", [{"accepted": 2}, {"accepted": 3, "invalid": 1}])
def test_a_row_that_is_lost_or_counted_twice_is_reported(states: dict[str, int]) -> None:
    made = tally(**states)
    made.read = 3
    with pytest.raises(BalanceError, match="3 rows were read"):
        made.check_rows()


def test_a_result_may_free_what_was_accepted_where_the_vendor_checks_later() -> None:
    made = tally(accepted=3)
    made.balance(Counter({State.ACCEPTED: 1, State.REJECTED: 1, State.RELEASED: 1}), results_may_free=True)
    assert made.as_counts() == {"accepted": 1, "rejected": 1, "released": 1}
    with pytest.raises(BalanceError):
        tally(accepted=3).balance(Counter({State.ACCEPTED: 1, State.REJECTED: 2}))


HELD = Verdict(State.HELD, "calling hours", opens_at=datetime(2026, 12, 2, 13, tzinfo=UTC))


@pytest.mark.parametrize(
    "recorded",
    [
        {"accepted": 2, "released": 3},
        {"delivered": 2, "released": 3},
        {"accepted": 2, "released": 2},  # another run took one over
        {"accepted": 2, "released": 2, "unknown": 1},  # one was a resend, and the first request is in doubt
        {"accepted": 2, "released": 2, "failed": 1},  # a callback proved that one was sent
    ],
)
def test_claims_that_were_given_back_count_by_their_verdict_and_are_no_imbalance(recorded: dict[str, int]) -> None:
    made = tally(accepted=2, released=1)
    for _ in range(2):
        made.read += 1
        made.claim()
        made.hold_back(HELD)
    made.balance(Counter({State(name): count for name, count in recorded.items()}))
    made.check_rows()
    assert (made.states[State.HELD], made.own[State.RELEASED]) == (2, 1)
    assert made.next_opening == HELD.opens_at


def test_a_summary_holds_counts_alone() -> None:
    made = tally(accepted=3)
    shown = Summary.of(made, campaign="spring", seconds=2.0, calling_hours="2026.11.24, time zones 2026f").as_dict()
    assert shown.pop("calling_hours") == "2026.11.24, time zones 2026f"
    assert shown == {
        "campaign": "spring", "read": 3, "accepted": 3, "asked": 3, "already": 0, "seconds": 2.0, "rate_per_s": 1.5,
    }  # fmt: skip


FIVE: Final = "reason 0 (9); reason 1 (8); reason 2 (7); reason 3 (6); reason 4 (5)"


@pytest.mark.parametrize(
    ("counts", "rows", "shown"),
    [
        ([30, 2], 32, "reason 0 (30); reason 1 (2)"),
        ([9, 8, 7, 6, 5, 4], 39, f"{FIVE}; 1 other reason (4)"),
        ([9, 8, 7, 6, 5, 4, 3], 43, f"{FIVE}; 2 other reasons (7); no reason given (1)"),
        ([7], 5, "reason 0 (7); 2 of them changed since"),
        ([], 5, ""),
    ],
)  # fmt: skip
def test_the_reasons_of_a_state_add_up_to_its_rows(counts: list[int], rows: int, shown: str) -> None:
    reasons = {(State.INVALID, f"reason {number}"): count for number, count in enumerate(counts)}
    summary = Summary(
        campaign="spring", read=rows, counts={"invalid": rows}, asked=0, already=0, seconds=1.0, reasons=reasons
    )
    assert summary.reasons_of("invalid") == shown
