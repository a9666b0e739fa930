"""Nobody is claimed once their calling hours are over, whatever the ruling said when the row was read."""

from dataclasses import replace
from datetime import datetime, timedelta

from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.ledger.claims import claim, new_claim_id, reclaim
from airflow_provider_dropcowboy.screening.screen import Candidate, Ruling, Verdict
from airflow_provider_dropcowboy.states import State
from tests.integration.ledger.conftest import Desk, message

HOUR = timedelta(hours=1)


def closing(at: datetime) -> Ruling:
    """Hours that were open when the row was read."""
    return Ruling(True, at, at + 12 * HOUR, is_banned=False, rule="open: test", regions=("US-CA",))


def closed(ruling: Ruling) -> Verdict:
    return Verdict(
        State.HELD, "calling hours: ended: test", opens_at=ruling.opens_at, places=("US-CA",), rule="ended: test"
    )


def test_hours_that_end_between_ruling_and_claim_hold_the_row(desk: Desk) -> None:
    ended = Candidate(message("1"), closing(utcnow() - HOUR))
    going_on = Candidate(message("2"), closing(utcnow() + HOUR))
    judgement = claim(desk.ledger, desk.run, candidates=[ended, going_on], claim_id=new_claim_id())
    assert [claim.message for claim in judgement.claimed] == [going_on.message]
    assert ended.ruling is not None
    assert judgement.stopped == [(ended.message, closed(ended.ruling))]


def test_hours_that_end_between_two_requests_hold_the_second(desk: Desk) -> None:
    ruling = closing(utcnow() - HOUR)
    over = replace(desk.claim_one(message("1")), candidate=Candidate(message("1"), ruling))
    judgement = reclaim(desk.ledger, desk.run, claims=[over], claim_id=new_claim_id())
    assert not judgement.claimed
    assert judgement.stopped == [(over.message, closed(ruling))]
