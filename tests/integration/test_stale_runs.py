"""A run that is too old, or whose machine has the wrong time, sends nothing."""

from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
import time_machine

from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import GuardError, StaleRunError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.ledger.schema import RUNS
from airflow_provider_dropcowboy.screening.calling_hours import CallingHours, Mode
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.sandbox_process import SandboxProcess

HOUR = timedelta(hours=1)
YESTERDAY = timedelta(days=1)


def test_a_worker_whose_clock_differs_from_the_ledgers_sends_nothing(
    postgres_ledger: Ledger, plan: MakePlan, sandbox: SandboxProcess
) -> None:
    with time_machine.travel(utcnow() - timedelta(seconds=40)), pytest.raises(GuardError, match=r"clock .* differ"):
        run_campaign(plan(), postgres_ledger, rows=people(2), control=Control())
    assert sandbox.asks() == {}


def test_a_run_that_is_too_old_and_not_begun_sends_nothing_and_says_why(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess, caplog: pytest.LogCaptureFixture
) -> None:
    old = plan(stale_from=utcnow() - 2 * YESTERDAY, max_staleness=YESTERDAY)
    with pytest.raises(
        StaleRunError, match=r"^Nothing was sent: this run was due 2 days.* ago.*dropcowboy_allow_stale"
    ) as caught:
        run(old, people(2))
    assert not caught.value.is_begun
    assert sandbox.asks() == {}
    with ledger.reading() as connection:
        (kept,) = connection.execute(sa.select(RUNS)).all()
    assert (kept.stop_reason, kept.counts) == (str(caught.value), {})
    assert kept.ended_at is not None
    assert (caplog.records[-1].levelname, caplog.messages[-1]) == ("WARNING", str(caught.value))


def test_a_run_that_was_too_old_sends_in_a_later_try_that_is_allowed_to(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess
) -> None:
    due_at = ledger.born_at - 2 * YESTERDAY
    with pytest.raises(StaleRunError):
        run(plan(who=Who(due_at=due_at), stale_from=due_at, max_staleness=YESTERDAY), people(2))
    assert run(plan(who=Who(due_at=due_at, try_number=2)), people(2)).asked == 2


def test_a_run_that_is_too_old_and_was_begun_says_so(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess
) -> None:
    run(plan(), people(1))
    with pytest.raises(StaleRunError, match=r"^The rest of the campaign was not sent: this run was due") as caught:
        run(plan(stale_from=utcnow() - 2 * YESTERDAY, max_staleness=YESTERDAY), people(2))
    assert caught.value.is_begun
    assert list(sandbox.asks().values()) == [1]


@pytest.mark.parametrize("max_staleness", [3 * YESTERDAY, None])
def test_a_run_that_is_not_too_old_sends(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess, max_staleness: timedelta | None
) -> None:
    assert run(plan(stale_from=utcnow() - 2 * YESTERDAY, max_staleness=max_staleness), people(2)).asked == 2


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)  # whose clock is this machine's: none to decide
def test_a_machine_whose_clock_is_not_the_vendors_stops_before_it_calls_people_at_night(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess
) -> None:
    rules = (Path(__file__).parents[1] / "data" / "always_open.toml").read_text()
    hours = CallingHours.load(Mode.STATE, channel="rvm", message_kind="marketing", rules_text=rules)
    with (
        time_machine.travel(utcnow() - HOUR - timedelta(seconds=30), tick=True),
        pytest.raises(GuardError, match=r"clock is 1:00:\d\d behind the vendor's.*nothing else was sent"),
    ):
        run(plan(hours=hours), people(500))
    asked = sandbox.takes()["takes"]
    assert asked < 100
    assert run(plan(hours=hours), people(500)).asked == 500 - asked  # with the right time it goes on
