"""A run writes nothing after the calling hours of a person, though it claimed the person before."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pytest

from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import NotTakenError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.states import State
from tests.integration.campaign.conftest import states
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


@dataclass(frozen=True)
class OpenUntil:
    """Hours of everybody that end at a moment; whoever asks is told that they are open."""

    closes_at: datetime

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
