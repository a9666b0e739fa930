"""The moves between the states of a row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.states import ASKED, BINDING, MOVES, OPEN, SENT, VERDICTS, State, may_move, sources_of

STATES = st.sampled_from(list(State))


def test_every_state_is_a_verdict_of_a_run_or_a_state_of_a_send() -> None:
    assert VERDICTS | ASKED | {State.READY} == set(State)
    assert not VERDICTS & ASKED


@given(STATES, STATES)
def test_the_two_ways_to_ask_for_a_move_agree(source: State, target: State) -> None:
    assert may_move(source, target) == (source in sources_of(target))


@given(STATES, STATES)
def test_a_verdict_of_one_run_is_never_a_move_of_a_send(source: State, target: State) -> None:
    if {source, target} - ASKED:
        assert not may_move(source, target)


@pytest.mark.parametrize("final", [State.DELIVERED, State.FAILED])
def test_a_callback_counts_in_every_open_state_and_ends_it(final: State) -> None:
    assert sources_of(final) == ASKED - {State.DELIVERED, State.FAILED}
    assert not MOVES[final] - OPEN


def test_nothing_leaves_what_was_delivered() -> None:
    assert not MOVES[State.DELIVERED]


def test_what_the_vendor_may_have_taken_is_claimed_again_only_out_of_doubt() -> None:
    assert sources_of(State.CLAIMED) == OPEN | {State.UNKNOWN, State.CLAIMED}  # a run's next request, a dead run's
    assert State.ACCEPTED in BINDING
    assert State.UNKNOWN in BINDING


def test_a_late_answer_of_its_owner_still_counts() -> None:
    for answer in (State.ACCEPTED, State.REJECTED, State.RELEASED):
        assert may_move(State.CLAIMED, answer)
        assert may_move(State.UNKNOWN, answer)


def test_only_an_accepted_send_expires() -> None:
    assert sources_of(State.EXPIRED) == {State.ACCEPTED}


def test_nothing_but_a_result_leaves_a_sent_row_for_one_that_may_be_sent() -> None:
    assert {State.ACCEPTED, State.EXPIRED, State.DELIVERED, State.FAILED} == SENT
    assert not sources_of(State.CLAIMED) & SENT
    for target in OPEN:  # API v2: a result says that nothing was sent
        assert sources_of(target) & SENT == {State.ACCEPTED, State.EXPIRED, State.FAILED}
    assert SENT <= BINDING
