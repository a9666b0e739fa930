"""A run that should not begin sends nothing, and says what would let it."""

import sqlite3
import threading
from contextlib import closing, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import sqlalchemy as sa
from pytest_mock import MockerFixture

from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.messages import Identity
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import ConfigurationError, GuardError, LedgerError
from airflow_provider_dropcowboy.ledger.campaigns import find_campaign
from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from airflow_provider_dropcowboy.ledger.postgres import read_timeline
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.ledger.upkeep import adopt_campaign, mark_restored, read_facts
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.postgres_server import PostgresServer
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
    assert mark_restored(ledger, at=watermark - YESTERDAY) == watermark == read_facts(ledger).restored_at


@pytest.mark.parametrize(
    "who",
    [
        pytest.param(Who(), id="from the command line"),
        pytest.param(Who(dag_id="daily", due_at=utcnow() + YESTERDAY), id="under a run that is due later"),
        pytest.param(Who(dag_id="daily", task_id="send"), id="as an alert"),
    ],
)
def test_after_a_restore_a_campaign_that_began_before_sends_nothing_until_it_is_adopted(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess, who: Who
) -> None:
    campaign = plan(who=who)
    run(campaign, people(1))
    mark_restored(ledger)
    with pytest.raises(GuardError, match=r"known campaign 'spring' since .* Nothing was sent.*ledger adopt 'spring'"):
        run(campaign, people(2))
    assert list(sandbox.asks().values()) == [1]
    adopt(ledger, campaign)
    assert run(campaign, people(2)).asked == 1


def test_after_a_restore_a_command_line_begins_no_campaign_that_it_may_have_sent_before(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess
) -> None:
    mark_restored(ledger)
    with pytest.raises(GuardError, match="does not know campaign 'spring', which may have been sent before"):
        run(plan(), people(1))
    assert sandbox.asks() == {}
    assert run(plan(who=Who(dag_id="daily", due_at=utcnow())), people(1)).asked == 1


def test_a_wave_that_goes_on_with_another_ledger_sends_nothing(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess
) -> None:
    resumed = plan(earlier_runs=(1,), who=Who(dag_id="daily", due_at=utcnow(), try_number=1))
    with pytest.raises(GuardError, match=r"began campaign 'spring' before, and this ledger has no record"):
        run(resumed, people(2))
    run(plan(campaign="autumn"), people(1))  # run 1 of this ledger is another campaign's
    with pytest.raises(GuardError, match="no record"):
        run(resumed, people(2))
    assert list(sandbox.asks().values()) == [1]


def test_a_task_that_used_another_ledger_sends_nothing_even_of_a_campaign_that_this_one_knows(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess
) -> None:
    run(plan(), people(1))
    for who in (Who(dag_id="daily", earlier_ledger="other"), Who(dag_id="daily", sibling_ledgers=frozenset({"other"}))):
        with pytest.raises(GuardError, match=r"used ledger other .*this is ledger .*Nothing was sent.*ledger adopt"):
            run(plan(who=who), people(2))
        assert list(sandbox.asks().values()) == [1]
    adopt(ledger, plan())
    assert run(plan(who=who), people(2)).asked == 1


def test_a_ledger_is_remembered_once_it_knows_the_campaign_and_not_by_a_run_that_is_refused(
    ledger: Ledger, plan: MakePlan, run: RunPlan, sandbox: SandboxProcess
) -> None:
    remembered: list[str] = []
    with pytest.raises(GuardError):
        run(plan(who=Who(dag_id="daily", earlier_ledger="other", remember=remembered.append)), people(1))
    assert remembered == []
    run(plan(who=Who(dag_id="daily", remember=remembered.append)), people(1))
    assert remembered == [ledger.ledger_id]


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


def test_a_failover_holds_back_what_began_before_though_no_checkpoint_was_written_since(
    postgres_server: PostgresServer, postgres_ledger: Ledger, plan: MakePlan, sandbox: SandboxProcess
) -> None:
    due = plan(who=Who(dag_id="daily", due_at=utcnow() + HOUR))
    assert run_campaign(due, postgres_ledger, rows=people(1), control=Control()).asked == 1
    timeline = read_timeline(postgres_ledger.engine)
    assert timeline is not None
    with postgres_server.failed_over() as port:
        promoted = open_ledger(postgres_ledger.engine.url.set(port=port))
        with promoted.reading() as connection:
            checkpoint = connection.execute(sa.text("SELECT timeline_id FROM pg_control_checkpoint()")).scalar_one()
        with pytest.raises(GuardError, match=r"restored at .* known campaign 'spring' since .* Nothing was sent"):
            run_campaign(due, promoted, rows=people(2), control=Control())
        seen = read_timeline(promoted.engine)
        adopt(promoted, due)
        assert run_campaign(due, promoted, rows=people(2), control=Control()).asked == 1
        promoted.engine.dispose()
    assert (timeline.split("/")[1], str(checkpoint), seen) == ("1", "1", timeline[:-1] + "2")
    assert list(sandbox.asks().values()) == [1, 1]


def test_a_timeline_that_the_role_may_not_read_is_said_in_the_log(
    postgres_ledger: Ledger, plan: MakePlan, sandbox: SandboxProcess, caplog: pytest.LogCaptureFixture
) -> None:
    statements = (
        "CREATE ROLE reader LOGIN",
        "GRANT ALL ON ALL TABLES IN SCHEMA public TO reader",
        "GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO reader",
        "REVOKE EXECUTE ON FUNCTION pg_walfile_name(pg_lsn) FROM PUBLIC",
    )
    with postgres_ledger.writing() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
    limited = open_ledger(postgres_ledger.engine.url.set(username="reader"))
    assert run_campaign(plan(), limited, rows=people(1), control=Control()).asked == 1
    limited.engine.dispose()
    with postgres_ledger.writing() as connection:
        connection.execute(sa.text("DROP OWNED BY reader"))
        connection.execute(sa.text("DROP ROLE reader"))
    assert "does not let this role read its timeline" in caplog.text


def test_a_connection_that_breaks_while_the_timeline_is_read_is_asked_again(
    postgres_server: PostgresServer, postgres_ledger: Ledger
) -> None:
    sessions = iter([True, False])

    @sa.event.listens_for(postgres_ledger.engine, "before_cursor_execute")
    def end_the_first(connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:
        if "pg_walfile_name" in statement and next(sessions):
            postgres_server.end_session(connection.connection.dbapi_connection.info.backend_pid)  # type: ignore[union-attr]

    timeline = read_timeline(postgres_ledger.engine)
    assert timeline is not None
    assert not list(sessions)


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


def test_a_worker_that_stands_still_in_a_transaction_does_not_hold_up_the_others(
    postgres_ledger: Ledger, plan: MakePlan
) -> None:
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


def test_on_sqlite_the_error_says_what_to_do_about_a_worker_that_stands_still_in_a_transaction(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    ledger = open_ledger(f"sqlite:///{path}", may_create=True)
    sa.event.listen(ledger.engine, "connect", lambda opened, _: opened.execute("PRAGMA busy_timeout = 0"))
    ledger.engine.dispose()
    with closing(sqlite3.connect(path, isolation_level=None)) as frozen:
        frozen.execute("BEGIN IMMEDIATE")
        with pytest.raises(LedgerError, match=r"SQLITE_BUSY.*suspended.*resume or kill it"), ledger.claiming("team"):
            pytest.fail("it has the lock")
    with ledger.claiming("team") as connection:  # killed: its lock is gone with it
        connection.execute(sa.select(1))
    ledger.engine.dispose()
