"""P1: the vendor takes a message at most once, whatever is killed, lost, retried, or run twice at the same time."""

from collections.abc import Callable
from pathlib import Path

import pytest

from airflow_provider_dropcowboy.states import State
from tests.acceptance.conftest import KILLS
from tests.acceptance.contacts import contact_table
from tests.acceptance.databases import Databases
from tests.acceptance.doubt import bound, measure_doubt
from tests.acceptance.evidence import Evidence
from tests.acceptance.torture import Round
from tests.acceptance.worker_process import Task
from tests.sandbox_process import SandboxProcess


def test_no_message_and_no_number_is_taken_twice_whatever_breaks(tortured: Round) -> None:
    assert tortured.kills == KILLS
    assert all(tortured.faults_met.values()), "each fault was met"
    assert len(tortured.evidence.taken) > 1800
    assert tortured.evidence.taken_twice() == []


def test_a_message_is_asked_for_again_only_after_proof_that_it_was_not_taken_or_under_its_key(tortured: Round) -> None:
    assert any(send["asks"] > 1 for send in tortured.evidence.asked.values())
    assert tortured.evidence.asked_again_in_doubt() == []


def test_a_rerun_of_what_is_done_asks_for_nothing(tortured: Round) -> None:
    assert tortured.asked_by_reruns[1] == 0


def test_a_kill_leaves_few_in_doubt(
    api: str, sandbox: SandboxProcess, open_databases: Callable[[str], Databases], tmp_path: Path
) -> None:
    sandbox.settings(latency_ms=20)
    databases = open_databases("sqlite")
    left = measure_doubt(databases, sandbox, kills=3, rows=500, concurrency=10, seed=1, folder=tmp_path, api=api)
    assert 0 < max(doubt.claims for doubt in left) <= bound(10)


@pytest.fixture
def task(sandbox: SandboxProcess, api: str, ledger_url: str, tmp_path: Path) -> Task:
    """1,000 rows at a vendor that takes 50 ms."""
    sandbox.settings(latency_ms=50)
    return Task(sandbox=sandbox, ledger_url=ledger_url, log=tmp_path / "runs.log", rows=1000, concurrency=20, api=api)


def test_a_run_that_is_told_to_end_leaves_nothing_in_doubt_and_the_next_one_asks_for_the_rest(task: Task) -> None:
    with task.start() as run:
        task.sandbox.wait_for_asks(300)
        run.terminate()
        ended = run.wait()
    assert ended.wants_another_try
    stopped = Evidence.of(contact_table(task.rows), task.sandbox, ledger_url=task.ledger_url)
    counts = stopped.counts()
    assert (counts[State.UNKNOWN], counts[State.CLAIMED]) == (0, 0)
    assert counts[State.ACCEPTED] == len(stopped.taken) < 500

    asked = task.run()["asked"]
    assert asked == len(set(contact_table(task.rows).numbers.values())) - counts[State.ACCEPTED]
    assert set(task.sandbox.asks().values()) == {1}


def test_a_frozen_run_that_wakes_up_beside_its_retry_asks_for_nobody_twice_but_under_one_key(task: Task) -> None:
    with task.start() as zombie:
        task.sandbox.wait_for_asks(300)
        zombie.freeze()
        with task.start() as retry:
            task.sandbox.wait_for_asks(500)
            zombie.thaw()
            assert (retry.wait().code, zombie.wait().code) == (0, 0)
    evidence = Evidence.of(contact_table(task.rows), task.sandbox, ledger_url=task.ledger_url, api=task.api)
    assert evidence.taken_twice() == evidence.taken_and_lost() == evidence.not_in_the_ledger() == []
    assert evidence.unbalanced_runs() == []
    assert evidence.asked_again_in_doubt() == []
