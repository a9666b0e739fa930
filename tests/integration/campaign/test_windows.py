"""A run writes nothing after a person's calling hours or after a claim's lease, also if the machine slept meanwhile."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import DropCowboyError, NotTakenError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.lease import LEASE
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.screening.consent import Need
from airflow_provider_dropcowboy.states import State
from tests.clock import SleepyClock
from tests.integration.campaign.conftest import states, taken_once
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.sandbox_process import SandboxProcess

PEOPLE = 60


@dataclass(frozen=True)
class Ruling:
    closes_at: datetime
    is_open: bool = True
    is_banned: bool = False
    opens_at: datetime | None = None
    rule: str = "test"
    caps: tuple[tuple[int, timedelta], ...] = ()
    needs: tuple[Need, ...] = ()


@dataclass(frozen=True)
class OpenUntil:
    """Hours of everybody that end at a moment; whoever asks is told that they are open."""

    closes_at: datetime
    version: str = "test"

    def judge(self, e164: str, *, postal_code: str | None, at: datetime) -> Ruling:
        return Ruling(self.closes_at)


def test_who_was_claimed_and_not_asked_when_the_hours_end_is_left_for_the_next_run(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
) -> None:
    sandbox.settings(latency_ms=500)  # all would take fifteen seconds
    closing = plan(concurrency=2, hours=OpenUntil(utcnow() + timedelta(seconds=2)))
    with pytest.raises(NotTakenError, match="the calling hours ended"):
        run(closing, people(PEOPLE))
    asked = states(ledger)[State.ACCEPTED]
    assert sandbox.takes()["takes"] == asked < PEOPLE
    sandbox.settings(latency_ms=0)
    assert run(plan(), people(PEOPLE)).asked == PEOPLE - asked
    assert set(sandbox.asks().values()) == {1}


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
    closing = plan(concurrency=1, hours=OpenUntil(utcnow() + LEASE / 2))
    with pytest.raises(DropCowboyError):
        run(closing, people(PEOPLE), clock=SleepyClock(LEASE / 2, before=3))
    assert sandbox.takes()["asks"] == 2
