"""What each request came to is on disk, under the claim it was written with."""

import logging
from dataclasses import replace
from datetime import timedelta

import pytest

from airflow_provider_dropcowboy.api.callbacks import Callback, DeliveryStatus
from airflow_provider_dropcowboy.api.wire import Outcome
from airflow_provider_dropcowboy.ledger.claims import claim, new_claim_id, reclaim
from airflow_provider_dropcowboy.ledger.digest import number_digest
from airflow_provider_dropcowboy.ledger.judgement import Claim, ClaimRules
from airflow_provider_dropcowboy.ledger.outcomes import STATE_OF
from airflow_provider_dropcowboy.ledger.reconcile import Received, reconcile
from airflow_provider_dropcowboy.ledger.runs import Run
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.screening.screen import Candidate
from airflow_provider_dropcowboy.states import BINDING, State
from tests.integration.ledger.conftest import Desk, message, messages

SETTLED = [State.DELIVERED, State.FAILED]
NOT_TAKEN = [Outcome.RELEASED, Outcome.REFUSED, Outcome.REJECTED]
MAY_BE_TAKEN = [Outcome.ACCEPTED, Outcome.UNKNOWN]


@pytest.mark.parametrize("kind", list(Outcome))
def test_an_outcome_is_written_under_its_claim(desk: Desk, kind: Outcome) -> None:
    claim = desk.claim_one(message("1"))
    assert desk.record(claim, kind=kind, reason="said so") == 0
    row = desk.row(claim.message)
    assert (row.state, row.reason, row.owns_number) == (STATE_OF[kind], "said so", STATE_OF[kind] in BINDING)
    assert row.answered_at.tzinfo is not None
    assert (row.attempt, row.claim_id) == (claim.attempt, claim.claim_id)


def test_many_outcomes_are_written_at_once(desk: Desk) -> None:
    claims = desk.claim(*messages(range(500))).claimed
    assert desk.record(*claims, kind=Outcome.ACCEPTED) == 0
    assert {desk.row(claim.message).state for claim in claims[::50]} == {State.ACCEPTED}


@pytest.mark.parametrize("kind", list(Outcome))
def test_writing_an_outcome_twice_does_no_harm(desk: Desk, kind: Outcome) -> None:
    claims = desk.claim(*messages(range(3))).claimed
    for _ in range(2):
        assert desk.record(*claims, kind=kind) == 0
    assert {desk.row(claim.message).state for claim in claims} == {STATE_OF[kind]}
    assert desk.history() == []


@pytest.mark.parametrize("kind", MAY_BE_TAKEN)
def test_what_may_be_taken_owns_its_number_also_where_its_row_did_not(desk: Desk, kind: Outcome) -> None:
    claims = desk.claim(*messages(range(3))).claimed
    with desk.ledger.writing() as connection:
        lost = SENDS.c.foreign_id == claims[1].message.foreign_id
        connection.execute(SENDS.update().where(lost).values(owns_number=False))
    assert desk.record(*claims, kind=kind) == 0
    assert [(row.state, row.owns_number) for row in map(desk.row, (claim.message for claim in claims))] == [
        (STATE_OF[kind], True)
    ] * 3


@pytest.mark.parametrize("kind", list(Outcome))
def test_a_late_answer_of_the_owner_counts_for_what_was_unknown(desk: Desk, kind: Outcome) -> None:
    claim = desk.claim_one(message("1"))
    desk.record(claim, kind=Outcome.UNKNOWN)
    assert desk.record(claim, kind=kind) == 0
    assert desk.row(claim.message).state == STATE_OF[kind]


@pytest.mark.parametrize("state", SETTLED)
@pytest.mark.parametrize("kind", [Outcome.ACCEPTED, Outcome.UNKNOWN])
def test_an_answer_does_not_move_what_a_callback_has_settled(desk: Desk, kind: Outcome, state: State) -> None:
    claim = desk.claim_one(message("1"))
    desk.move(claim.message, state)
    assert desk.record(claim, kind=kind) == 0
    assert desk.row(claim.message).state == state


def test_one_settled_row_holds_up_none_of_its_batch(desk: Desk) -> None:
    claims = desk.claim(*messages(range(5))).claimed
    desk.move(claims[2].message, State.DELIVERED)
    assert desk.record(*claims, kind=Outcome.ACCEPTED) == 0
    states = [desk.row(claim.message).state for claim in claims]
    assert states == ["accepted", "accepted", "delivered", "accepted", "accepted"]


def test_what_a_person_settled_is_not_contradicted_by_an_answer_that_says_nothing(desk: Desk) -> None:
    claim = desk.claim_one(message("1"))
    desk.move(claim.message, State.ACCEPTED)
    assert desk.record(claim, kind=Outcome.UNKNOWN) == 0
    assert desk.row(claim.message).state == State.ACCEPTED


def test_an_answer_that_contradicts_a_person_is_reported_and_kept(desk: Desk) -> None:
    claim = desk.claim_one(message("1"))
    desk.move(claim.message, State.RELEASED)
    assert desk.record(claim, kind=Outcome.ACCEPTED) == 1
    assert desk.history() == [("answer after a person or a callback moved the row", "released", "accepted")]


@pytest.mark.parametrize("kind", MAY_BE_TAKEN)
def test_an_answer_under_an_old_claim_says_that_somebody_was_asked_twice(
    desk: Desk, kind: Outcome, caplog: pytest.LogCaptureFixture
) -> None:
    old = desk.claim_one(message("1"))
    desk.move(old.message, State.RELEASED)
    new = desk.rival().claim_one(message("1"))
    with caplog.at_level(logging.ERROR):
        assert desk.record(old, kind=kind) == 1
    row = desk.row(new.message)
    assert (row.state, row.claim_id) == (State.CLAIMED, new.claim_id)
    assert desk.history() == [("sent twice", "claimed", STATE_OF[kind])]
    assert old.message.foreign_id in caplog.text
    assert old.message.phone.e164 not in caplog.text


@pytest.mark.parametrize("kind", NOT_TAKEN)
def test_an_old_claim_that_was_surely_not_taken_is_no_contradiction(desk: Desk, kind: Outcome) -> None:
    old = desk.claim_one(message("1"))
    desk.record(old, kind=kind)
    desk.move(old.message, State.RELEASED)
    desk.rival().claim_one(message("1"))
    assert desk.record(old, kind=kind) == 0  # its first record's answer was lost, so it is written again
    assert desk.history() == []


def test_an_answer_counts_only_for_the_attempt_it_was_written_under(desk: Desk) -> None:
    first = desk.claim_one(message("1"))
    (second,) = reclaim(desk.ledger, desk.run, claims=[first], claim_id=new_claim_id()).claimed
    assert desk.record(second, kind=Outcome.ACCEPTED) == 0
    assert desk.record(first, kind=Outcome.RELEASED) == 0
    assert desk.row(first.message).state == State.ACCEPTED


def test_an_answer_for_a_row_that_the_ledger_lost_is_reported_and_kept(desk: Desk) -> None:
    lost, kept = desk.claim(message("1"), message("2")).claimed
    with desk.ledger.writing() as connection:
        connection.execute(SENDS.delete().where(SENDS.c.foreign_id == lost.message.foreign_id))
    assert desk.record(lost, kept, kind=Outcome.ACCEPTED) == 1
    assert desk.row(kept.message).state == State.ACCEPTED
    assert desk.history() == [("answer for a claim that the ledger lost", None, "accepted")]


@pytest.mark.parametrize("is_freed", [True, False], ids=["nothing was sent", "settled as not sent"])
def test_a_late_acceptance_on_v2_contradicts_no_result_that_nothing_was_sent(desk: Desk, is_freed: bool) -> None:
    asked = replace(message("1"), number_digest=number_digest(desk.ledger.key, message("1").phone))
    rules = ClaimRules(key_lasts=timedelta(hours=22), request_digest="r")

    def claim_by(run: Run) -> Claim:
        (made,) = claim(desk.ledger, run, candidates=[Candidate(asked)], claim_id=new_claim_id(), rules=rules).claimed
        return made

    frozen = claim_by(desk.run)
    if is_freed:
        told = Callback(status=DeliveryStatus.FAILURE, reason_code=3000, phone_number=asked.phone.e164)
        reconcile(desk.ledger, [Received(asked.foreign_id, 1, told, payload="{}")])
    else:
        desk.move(asked, State.RELEASED)
    claim_by(desk.rival().run)
    conflicts = desk.record(frozen, kind=Outcome.ACCEPTED)
    assert (conflicts, len(desk.history())) == ((0, 0) if is_freed else (1, 1))
