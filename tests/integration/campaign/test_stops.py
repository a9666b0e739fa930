"""Runs that are stopped, paused or killed."""

import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.campaign.control import Control, Order
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.campaign.summary import Summary
from airflow_provider_dropcowboy.errors import InterruptedRunError, PausedError
from airflow_provider_dropcowboy.ledger.campaigns import bind_campaign
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.limits import pause_all, pause_campaign, resume_all, seek_share
from airflow_provider_dropcowboy.ledger.runs import SILENT_AFTER, Who, begin_run, end_run
from airflow_provider_dropcowboy.ledger.schema import RUNS
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.states import State
from tests.clock import BriskClock
from tests.integration.campaign.conftest import WAIT_S, states, taken_once, wait_until
from tests.integration.campaign.workers import ROOT, command
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.sandbox_process import SandboxProcess

Start = Callable[..., "Future[Summary]"]


@pytest.fixture
def control() -> Control:
    return Control()


@pytest.fixture
def start(run: RunPlan, control: Control) -> Iterator[Start]:
    """Starts a run that goes on while the test does: ``start(plan, rows)``."""
    with ThreadPoolExecutor(1) as thread:
        yield lambda plan, rows: thread.submit(run, plan, rows, control=control)
        control.stop(Order("the test is over", grace_s=0))


def is_over(ledger: Ledger) -> bool:
    """Whether the ledger says that every run has ended."""
    with ledger.reading() as connection:
        rows = connection.execute(sa.select(RUNS.c.ended_at)).all()
    return bool(rows) and all(row.ended_at for row in rows)


class TestStops:
    def test_what_is_under_way_is_recorded_and_the_next_run_asks_exactly_the_rest(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger, start: Start, control: Control
    ) -> None:
        sandbox.settings(latency_ms=100)
        running = start(plan(), people(1_000))
        sandbox.wait_for_asks(15)
        control.stop(Order("told to", grace_s=30))
        with pytest.raises(InterruptedRunError, match="told to"):
            running.result(WAIT_S)
        taken = sandbox.takes()["takes"]
        assert taken < 1_000
        assert states(ledger)[State.ACCEPTED] == taken
        assert set(states(ledger)) <= {State.ACCEPTED, State.RELEASED}
        sandbox.settings(latency_ms=0)
        summary = run(plan(), people(1_000))
        assert (dict(summary.counts), summary.asked) == ({"accepted": 1_000}, 1_000 - taken)
        assert taken_once(sandbox, 1_000)

    def test_what_has_no_answer_when_the_grace_is_over_is_in_doubt_and_the_rest_is_not(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger, start: Start, control: Control
    ) -> None:
        sandbox.fault("hang_after")
        running = start(plan(), people(100))
        sandbox.wait_for_asks(10)
        control.stop(Order("told to", grace_s=0))
        with pytest.raises(InterruptedRunError):
            running.result(WAIT_S)
        assert states(ledger)[State.UNKNOWN] == 10
        assert set(states(ledger)) <= {State.UNKNOWN, State.RELEASED}
        sandbox.clear_faults()
        summary = run(plan(), people(100))
        assert dict(summary.counts) == {"unknown": 10, "accepted": 90}
        assert set(sandbox.asks().values()) == {1}

    def test_who_was_still_connecting_is_not_in_doubt(
        self, plan: MakePlan, ledger: Ledger, start: Start, control: Control
    ) -> None:
        with socket.socket() as listener, socket.socket() as first, socket.socket() as second:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            for waiting in (first, second):  # the queue of connections nobody accepts is full
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
            url = f"http://127.0.0.1:{listener.getsockname()[1]}/v1"
            running = start(plan(account=Account("team", Secret("secret"), url)), people(50))
            wait_until(lambda: states(ledger).get(State.CLAIMED, 0) >= 10)
            control.stop(Order("told to", grace_s=0))
            with pytest.raises(InterruptedRunError):
                running.result(WAIT_S)
        assert set(states(ledger)) == {State.RELEASED}

    def test_a_stop_does_not_wait_for_a_source_that_hangs_before_everything_is_recorded(
        self, sandbox: SandboxProcess, plan: MakePlan, ledger: Ledger, start: Start, control: Control
    ) -> None:
        goes_on = threading.Event()

        def rows() -> Iterator[dict[str, object]]:
            yield from people(10)
            assert goes_on.wait(WAIT_S)

        running = start(plan(), rows())
        sandbox.takes(wait_for=10)
        control.stop(Order("told to", grace_s=30))
        wait_until(lambda: is_over(ledger))
        assert states(ledger) == {State.ACCEPTED: 10}
        assert not running.done()  # the source is in use, so nobody may close it
        goes_on.set()
        with pytest.raises(InterruptedRunError):
            running.result(WAIT_S)

    def test_a_run_that_waits_for_connections_can_be_stopped(
        self, sandbox: SandboxProcess, plan: MakePlan, ledger: Ledger, start: Start, control: Control
    ) -> None:
        ours = plan()
        campaign = bind_campaign(ledger, ours.account.name, name="other", channel=ours.channel, prefix="0" * 12)
        other = begin_run(ledger, campaign, who=Who(), wanted=90)
        assert seek_share(ledger, other, limit=90, using=0) == 90
        running = start(ours, people(10))
        wait_until(lambda: count_runs(ledger) == 2)
        control.stop(Order("told to"))
        with pytest.raises(InterruptedRunError, match="Nothing was sent"):
            running.result(WAIT_S)
        end_run(ledger, other, counts={}, reason=None)
        assert is_over(ledger)
        assert sandbox.takes()["asks"] == 0


class TestPauses:
    @pytest.mark.parametrize("pause", [pause_all, lambda ledger: pause_campaign(ledger, "spring")])
    def test_a_pause_by_somebody_else_stops_a_run(
        self,
        sandbox: SandboxProcess,
        plan: MakePlan,
        ledger: Ledger,
        start: Start,
        pause: Callable[[Ledger], object],
    ) -> None:
        sandbox.settings(latency_ms=20)
        running = start(plan(concurrency=1), people(5_000))
        sandbox.wait_for_asks(3)
        pause(ledger)
        with pytest.raises(PausedError, match="dropcowboy resume"):
            running.result(WAIT_S)
        assert sandbox.takes()["asks"] < 5_000
        assert State.UNKNOWN not in states(ledger)

    def test_a_paused_campaign_goes_on_once_it_is_resumed(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
    ) -> None:
        pause_all(ledger)
        with pytest.raises(PausedError):
            run(plan(), people(10))
        assert sandbox.takes()["asks"] == 0
        resume_all(ledger)
        assert run(plan(), people(10)).asked == 10


class TestProcesses:
    def test_two_processes_at_once_take_each_message_once(
        self, sandbox: SandboxProcess, ledger: Ledger, ledger_url: str, plan: MakePlan, run: RunPlan
    ) -> None:
        line = command(ledger_url, base_url=sandbox.base_url, team_id=sandbox.team_id, secret=sandbox.secret, count=600)
        both = [subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE) for _ in range(2)]
        said = [process.communicate(timeout=WAIT_S)[0].decode() for process in both]
        assert [process.returncode for process in both] == [0, 0], said
        assert taken_once(sandbox, 600)
        assert set(sandbox.asks().values()) == {1}
        summary = run(plan(), people(600))
        assert (dict(summary.counts), summary.asked) == ({"accepted": 600}, 0)

    def test_a_killed_process_leaves_little_in_doubt_and_nobody_is_asked_twice(
        self, sandbox: SandboxProcess, ledger: Ledger, ledger_url: str, plan: MakePlan, run: RunPlan
    ) -> None:
        sandbox.settings(latency_ms=10)
        line = command(
            ledger_url, base_url=sandbox.base_url, team_id=sandbox.team_id, secret=sandbox.secret, count=3_000
        )
        with subprocess.Popen(line, cwd=ROOT) as process:
            sandbox.wait_for_asks(60)
            process.kill()
        in_doubt = states(ledger).get(State.CLAIMED, 0)
        assert in_doubt <= 3 * 10
        with ledger.writing() as connection:  # a minute passes
            connection.execute(RUNS.update().values(heartbeat_at=ledger.born_at - 2 * SILENT_AFTER))
        sandbox.settings(latency_ms=0)
        summary = run(plan(), people(3_000))
        assert summary.counts.get("unknown", 0) == in_doubt
        assert summary.counts["accepted"] == 3_000 - in_doubt
        assert max(sandbox.asks().values()) == 1


def count_runs(ledger: Ledger) -> int:
    with ledger.reading() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(RUNS)).scalar_one())


def test_an_interrupted_main_thread_lets_the_engine_end_in_order(
    sandbox: SandboxProcess, plan: MakePlan, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As ``execution_timeout`` does, which raises anywhere in the main thread."""
    sandbox.settings(latency_ms=50)
    joins = 0

    class Interrupted(threading.Thread):
        def join(self, timeout: float | None = None) -> None:
            nonlocal joins
            joins += 1
            if joins == 1 and self.name == "dropcowboy-engine":
                sandbox.wait_for_asks(15)
                raise TimeoutError("execution_timeout")
            super().join(timeout)

    monkeypatch.setattr("airflow_provider_dropcowboy.campaign.run.threading.Thread", Interrupted)
    with pytest.raises(TimeoutError, match="execution_timeout"):
        run_campaign(plan(), ledger, rows=people(1_000), control=Control(), clock=BriskClock())
    assert is_over(ledger)
    assert states(ledger)[State.ACCEPTED] == sandbox.takes()["takes"]
    assert set(states(ledger)) <= {State.ACCEPTED, State.RELEASED}
