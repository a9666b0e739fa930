"""A run writes nothing after a person's calling hours or after a claim's lease, also if the machine slept meanwhile."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.campaign.preview import preview_campaign
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.screening.screen import Ruling
from airflow_provider_dropcowboy.states import LEASE, State
from tests.clock import MovableClock, SleepyClock
from tests.integration.campaign.conftest import states, taken_once
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.sandbox_process import SandboxProcess

PEOPLE = 60


REOPENS_AFTER = timedelta(hours=11)


def ruling(closes_at: datetime | None, opens_at: datetime | None) -> Ruling:
    return Ruling(closes_at is not None, closes_at, opens_at, is_banned=False, rule="test", regions=("US-CA",))


@dataclass(frozen=True)
class OpenUntil:
    """Hours of everybody that end at a moment, and begin again eleven hours later."""

    closes_at: datetime
    version: str = "test"

    @property
    def reopens_at(self) -> datetime:
        return self.closes_at + REOPENS_AFTER

    def judge(self, e164: str, *, postal_code: str | None, at: datetime) -> Ruling:
        return ruling(self.closes_at if at < self.closes_at else None, self.reopens_at)


class JustClosing(OpenUntil):
    """Hours that end in the moment in which somebody is judged for the first time."""

    def __init__(self) -> None:
        super().__init__(utcnow())
        object.__setattr__(self, "_judged", set())

    def judge(self, e164: str, *, postal_code: str | None, at: datetime) -> Ruling:
        judged: set[str] = object.__getattribute__(self, "_judged")
        if e164 in judged:
            return super().judge(e164, postal_code=postal_code, at=at)
        judged.add(e164)
        return ruling(at, self.reopens_at)


@pytest.mark.parametrize("pace", [{"concurrency": 2}, {"concurrency": 50, "rate_per_s": 8.0}])
def test_who_was_claimed_and_not_asked_when_the_hours_end_is_held_until_they_open_again(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger, pace: dict[str, Any]
) -> None:
    sandbox.settings(latency_ms=200)  # all would take six seconds and more
    hours = OpenUntil(utcnow() + timedelta(seconds=1.5))
    summary = run(plan(hours=hours, **pace), people(PEOPLE))
    asked = summary.counts["accepted"]
    assert dict(summary.counts) == {"accepted": asked, "held": PEOPLE - asked}
    assert (summary.next_opening, summary.asked, summary.read) == (hours.reopens_at, asked, PEOPLE)
    assert sandbox.takes()["takes"] == asked < PEOPLE
    assert states(ledger).get(State.RELEASED, 0) <= 3 * 10
    sandbox.settings(latency_ms=0)
    assert run(plan(), people(PEOPLE)).asked == PEOPLE - asked
    assert set(sandbox.asks().values()) == {1}


def test_who_is_judged_open_and_found_closed_by_the_claim_waits_for_the_next_opening(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
) -> None:
    foreseen = preview_campaign(plan(hours=JustClosing()), ledger, rows=people(PEOPLE))
    hours = JustClosing()
    summary = run(plan(hours=hours), people(PEOPLE))
    assert dict(summary.counts) == dict(foreseen.counts) == {"held": PEOPLE}
    assert summary.next_opening == hours.reopens_at
    assert foreseen.next_opening is not None
    assert sandbox.takes()["asks"] == 0


class LongPauses(MovableClock):
    """The vendor's back-off lasts longer than the calling hours."""

    def pause_s(self, seconds: float) -> float:
        return 2.0


def test_a_message_that_is_to_be_sent_again_when_the_hours_end_is_held(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
) -> None:
    sandbox.fault("429", times=1)
    hours = OpenUntil(utcnow() + timedelta(seconds=1.5))
    summary = run(plan(concurrency=1, hours=hours), people(1), clock=LongPauses())
    assert (dict(summary.counts), summary.next_opening) == ({"held": 1}, hours.reopens_at)
    assert states(ledger) == {State.RELEASED: 1}


def test_a_machine_that_slept_past_its_leases_claims_anew_before_it_writes(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
) -> None:
    assert run(plan(concurrency=1), people(PEOPLE), clock=SleepyClock(LEASE, before=3)).counts == {
        State.ACCEPTED: PEOPLE
    }
    with ledger.reading() as connection:
        rows = connection.execute(sa.select(SENDS.c.contact_key, SENDS.c.attempt)).all()
    attempts = {row.contact_key: row.attempt for row in rows}
    assert [attempts[key] for key in ("0", "1", "2")] == [1, 1, 2]
    assert taken_once(sandbox, PEOPLE)


def test_a_machine_that_slept_past_the_calling_hours_writes_nothing_more(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan
) -> None:
    hours = OpenUntil(utcnow() + LEASE / 2)
    summary = run(plan(concurrency=1, hours=hours), people(PEOPLE), clock=SleepyClock(LEASE / 2, before=3))
    assert (dict(summary.counts), summary.next_opening) == ({"accepted": 2, "held": 58}, hours.reopens_at)
    assert sandbox.takes()["asks"] == 2
