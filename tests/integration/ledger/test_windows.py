"""Nobody is claimed once their calling hours are over, whatever the verdict said when the row was read."""

from dataclasses import replace
from datetime import timedelta

from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.ledger.claims import new_claim_id, reclaim
from tests.integration.ledger.conftest import Desk, message

HOUR = timedelta(hours=1)


def test_hours_that_end_between_verdict_and_claim_hold_the_row(desk: Desk) -> None:
    ended = replace(message("1"), closes_at=utcnow() - HOUR)
    going_on = replace(message("2"), closes_at=utcnow() + HOUR)
    judgement = desk.claim(ended, going_on)
    assert [claim.message for claim in judgement.claimed] == [going_on]
    assert judgement.closed == [ended]


def test_hours_that_end_between_two_requests_hold_the_second(desk: Desk) -> None:
    claim = desk.claim_one(message("1"))
    over = replace(claim, message=replace(claim.message, closes_at=utcnow() - HOUR))
    judgement = reclaim(desk.ledger, desk.run, claims=[over], claim_id=new_claim_id())
    assert not judgement.claimed
    assert judgement.closed == [over.message]
