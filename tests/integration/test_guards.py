"""A run that should not begin sends nothing, and says what would let it."""

import threading
from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
import sqlalchemy as sa
import time_machine
from pytest_mock import MockerFixture

from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.identity import Identity
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import ConfigurationError, GuardError, LedgerError, StaleRunError
from airflow_provider_dropcowboy.ledger import database
from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from airflow_provider_dropcowboy.ledger.origin import adopt_campaign, mark_restored, restored_at
from airflow_provider_dropcowboy.ledger.runs import Who, find_campaign
from airflow_provider_dropcowboy.ledger.schema import LEDGER
from airflow_provider_dropcowboy.screening.calling_hours import CallingHours, Mode
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.sandbox_process import SandboxProcess

HOUR = timedelta(hours=1)
YESTERDAY = timedelta(days=1)


def adopt(ledger: Ledger, plan: Plan) -> None:
    """As ``dropcowboy ledger adopt`` does."""
    account = plan.account.name
    identity = Identity(ledger.key, account, plan.campaign, plan.channel)
    adopt_campaign(ledger, account, name=plan.campaign, channel=plan.channel, prefix=identity.prefix)


def test_after_a_restore_a_run_that_was_due_before_sends_nothing(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess
) -> None:
    watermark = mark_restored(ledger)
    due_before = plan(who=Who(due_at=watermark - HOUR))
    with pytest.raises(GuardError, match=r"restored at .* Nothing was sent.*dropcowboy ledger adopt 'spring'"):
        run(due_before, people(2))
    assert sandbox.asks() == {}
    assert find_campaign(ledger, due_before.account.name, name="spring", channel=due_before.channel) is None


def test_after_a_restore_a_campaign_that_the_ledger_knows_is_held_back_too(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess
) -> None:
    due = plan(who=Who(due_at=utcnow()))
    run(due, people(1))
    mark_restored(ledger)
    with pytest.raises(GuardError, match="restored"):
        run(due, people(2))
    assert list(sandbox.asks().values()) == [1]


def test_after_a_restore_a_run_that_is_due_later_sends(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess
) -> None:
    watermark = mark_restored(ledger)
    assert run(plan(who=Who(due_at=watermark + HOUR)), people(2)).asked == 2


def test_a_campaign_that_a_person_adopts_after_the_restore_sends(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess
) -> None:
    held_back = plan(who=Who(due_at=mark_restored(ledger) - HOUR))
    adopt(ledger, held_back)
    assert run(held_back, people(2)).asked == 2


def test_what_was_adopted_before_the_restore_is_held_back_again(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess
) -> None:
    held_back = plan(who=Who(due_at=utcnow()))
    adopt(ledger, held_back)
    mark_restored(ledger)
    with pytest.raises(GuardError, match="restored"):
        run(held_back, people(2))


def test_the_watermark_never_moves_back(ledger: Ledger) -> None:
    watermark = mark_restored(ledger)
    assert mark_restored(ledger, at=watermark - YESTERDAY) == watermark == restored_at(ledger)


def test_a_retry_of_a_run_that_is_older_than_the_ledger_is_refused(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess
) -> None:
    retry = plan(who=Who(due_at=ledger.born_at - HOUR, try_number=2))
    with pytest.raises(GuardError, match=r"try 2 .* ledger is younger .* Nothing was sent"):
        run(retry, people(2))
    assert sandbox.asks() == {}
    adopt(ledger, retry)
    assert run(retry, people(2)).asked == 2


def test_a_first_try_and_a_retry_of_a_known_campaign_need_no_older_ledger(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess
) -> None:
    due_at = ledger.born_at - HOUR
    assert run(plan(who=Who(due_at=due_at, try_number=1)), people(2)).asked == 2
    assert run(plan(who=Who(due_at=due_at, try_number=2)), people(3)).asked == 1


@pytest.fixture
def postgres_ledger(postgres_url: str) -> Iterator[Ledger]:
    """An open ledger on PostgreSQL."""
    opened = open_ledger(postgres_url, may_create=True)
    yield opened
    opened.engine.dispose()


def test_a_postgresql_that_is_on_another_timeline_holds_back_what_was_due_before(
    postgres_ledger: Ledger, plan: MakePlan, sandbox: SandboxProcess
) -> None:
    def run(rows: int) -> int:
        due = plan(who=Who(due_at=postgres_ledger.born_at + timedelta(microseconds=1)))
        return run_campaign(due, postgres_ledger, rows=people(rows), control=Control()).asked

    assert run(1) == 1
    with postgres_ledger.writing() as connection:
        timeline = str(connection.execute(sa.select(LEDGER.c.timeline)).scalar_one())
        system, _, number = timeline.partition("/")
        connection.execute(LEDGER.update().values(timeline=f"{system}/{int(number) - 1}"))  # before the failover
    with pytest.raises(GuardError, match="restored"):
        run(2)
    assert list(sandbox.asks().values()) == [1]
    with postgres_ledger.reading() as connection:
        assert connection.execute(sa.select(LEDGER.c.timeline)).scalar_one() == timeline
    adopt(postgres_ledger, plan())
    assert run(2) == 1


def test_a_worker_whose_clock_differs_from_the_ledgers_sends_nothing(
    postgres_ledger: Ledger, plan: MakePlan, sandbox: SandboxProcess
) -> None:
    with time_machine.travel(utcnow() - timedelta(seconds=40)), pytest.raises(GuardError, match=r"clock .* differ"):
        run_campaign(plan(), postgres_ledger, rows=people(2), control=Control())
    assert sandbox.asks() == {}


class Disk(NamedTuple):
    """What psutil says of a mounted disk."""

    mountpoint: str
    fstype: str


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "9p", "fuse.sshfs", "CEPH"])
def test_a_ledger_on_a_network_disk_is_refused_before_its_file_is_made(
    kind: str, tmp_path: Path, mocker: MockerFixture
) -> None:
    mocker.patch("psutil.disk_partitions", return_value=[Disk("/", "ext4"), Disk(str(tmp_path), kind)])
    with pytest.raises(ConfigurationError, match=rf"network file system \({kind.lower()}\).* Nothing was sent"):
        open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", may_create=True)
    assert not (tmp_path / "ledger.db").exists()


def test_a_ledger_on_a_local_disk_inside_a_network_one_is_taken(tmp_path: Path, mocker: MockerFixture) -> None:
    mocker.patch("psutil.disk_partitions", return_value=[Disk("/", "nfs"), Disk(str(tmp_path), "overlay")])
    open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", may_create=True).engine.dispose()


def test_a_run_that_is_too_old_and_not_begun_sends_nothing(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess
) -> None:
    old = plan(stale_from=utcnow() - 2 * YESTERDAY, max_staleness=YESTERDAY)
    with pytest.raises(StaleRunError, match=r"ended 2 days.* ago.*Nothing was sent.*dropcowboy_allow_stale") as caught:
        run(old, people(2))
    assert not caught.value.is_begun
    assert sandbox.asks() == {}


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
    with pytest.raises(StaleRunError, match="Some of its campaign were asked") as caught:
        run(plan(stale_from=utcnow() - 2 * YESTERDAY, max_staleness=YESTERDAY), people(2))
    assert caught.value.is_begun
    assert list(sandbox.asks().values()) == [1]


@pytest.mark.parametrize("max_staleness", [3 * YESTERDAY, None])
def test_a_run_that_is_not_too_old_sends(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess, max_staleness: timedelta | None
) -> None:
    assert run(plan(stale_from=utcnow() - 2 * YESTERDAY, max_staleness=max_staleness), people(2)).asked == 2


def test_a_worker_that_stands_still_in_a_transaction_does_not_hold_up_the_others(
    postgres_ledger: Ledger, plan: MakePlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "MAX_IDLE_S", 0.1)
    account = plan().account.name
    has_lock, is_over = threading.Event(), threading.Event()

    def stand_still() -> None:
        with suppress(LedgerError), postgres_ledger.claiming(account) as connection:
            has_lock.set()
            is_over.wait(60)
            connection.execute(sa.select(1))
            pytest.fail("the server has not ended it")

    frozen = threading.Thread(target=stand_still)
    frozen.start()
    assert has_lock.wait(60)
    with postgres_ledger.claiming(account) as connection:
        connection.execute(sa.select(1))
    is_over.set()
    frozen.join()


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)  # whose clock is this machine's: none to decide
def test_a_machine_whose_clock_is_not_the_vendors_stops_before_it_calls_people_at_night(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess
) -> None:
    rules = (Path(__file__).parents[1] / "data" / "always_open.toml").read_text()
    hours = CallingHours.load(Mode.STATE, channel="rvm", message_kind="marketing", rules_text=rules)
    with (
        time_machine.travel(utcnow() - HOUR - timedelta(seconds=30), tick=True),
        pytest.raises(GuardError, match=r"clock is 1:00:\d\d behind the vendor's.*nobody else was asked"),
    ):
        run(plan(hours=hours), people(500))
    asked = sandbox.takes()["takes"]
    assert asked < 100
    assert run(plan(hours=hours), people(500)).asked == 500 - asked  # with the right time it goes on
