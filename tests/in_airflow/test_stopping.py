"""A task that is ended half way, in a whole Airflow: what was in flight is recorded, and the next try does the rest."""

import json
import os
import signal
import sqlite3
from contextlib import closing
from typing import Final

import pytest

from tests.in_airflow.processes import AirflowProcesses
from tests.in_airflow.vendor import VOICEMAIL, connection_to
from tests.in_airflow.warehouse import numbers, rows
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.airflow

PEOPLE: Final = 200
CONCURRENCY: Final = 5

SENDING: Final = """
from datetime import timedelta
from airflow.sdk import DAG
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator

def contacts():
    return {contacts!r}

with DAG("{dag_id}", schedule=None):
    for task_id in {task_ids!r}:
        SendRvmOperator(
            task_id=task_id,
            contacts=contacts,
            key_column="contact_id",
            campaign="{{{{ dag.dag_id }}}}",
            concurrency={concurrency},
            dropcowboy_conn_id="{dag_id}",
            retries={retries},
            retry_delay=timedelta(0),
            **{voicemail!r},
        )
"""


class Sending:
    """A run of a DAG that sends to ``PEOPLE``; each task of it has the whole campaign to send."""

    def __init__(
        self, airflow: AirflowProcesses, sandbox: SandboxProcess, dag_id: str, *, retries: int, tasks: int = 1
    ) -> None:
        self.airflow = airflow
        self.dag_id = dag_id
        # a ledger of its own: another one's caps would hold back whom another test has sent to
        self.ledger = airflow.home / f"{dag_id}-dropcowboy-ledger.db"
        airflow.add_connection(f"{dag_id}_ledger", conn_type="sqlite", host=str(self.ledger))
        fields = connection_to(sandbox) | {"extra": json.dumps({"ledger_conn_id": f"{dag_id}_ledger"})}
        airflow.add_connection(dag_id, **fields)
        airflow.add_dag(
            dag_id,
            SENDING.format(
                dag_id=dag_id,
                contacts=rows(PEOPLE),
                task_ids=[f"send_{index}" for index in range(tasks)],
                concurrency=CONCURRENCY,
                retries=retries,
                voicemail=VOICEMAIL,
            ),
        )
        self.run_id = airflow.trigger(dag_id)

    def finish(self) -> None:
        """The run ends well."""
        assert self.airflow.wait_for_run(self.dag_id, self.run_id) == "success"

    def returned(self, task: int = 0) -> dict[str, int]:
        """The counts that a task returned."""
        value = self.airflow.return_value(self.dag_id, self.run_id, task_id=f"send_{task}")
        assert isinstance(value, dict)
        return value

    def worker(self) -> int:
        """The process of the task's first try."""
        ((worker,),) = self._ledger("SELECT worker FROM dropcowboy_runs ORDER BY id LIMIT 1")
        return int(str(worker).rpartition(":")[2])

    def wait_for_its_end(self) -> None:
        """The first try has written down its end."""
        question = "SELECT id FROM dropcowboy_runs WHERE ended_at IS NOT NULL"
        self.airflow.wait_until(lambda: bool(self._ledger(question)), until=f"the first try of {self.dag_id} ends")

    def states(self) -> dict[str, int]:
        """The ledger's states, and of how many sends."""
        counted = self._ledger("SELECT state, count(*) FROM dropcowboy_sends GROUP BY state")
        return {str(state): int(str(count)) for state, count in counted}

    def _ledger(self, question: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.ledger)) as ledger:
            return list(ledger.execute(question))


@pytest.fixture
def slow_sandbox(sandbox: SandboxProcess) -> SandboxProcess:
    """A run of two hundred takes four seconds, so that it can be met half way."""
    sandbox.settings(latency_ms=100)
    return sandbox


def test_a_task_that_is_marked_failed_records_its_answers_and_is_cleared_for_the_rest(
    airflow_processes: AirflowProcesses, slow_sandbox: SandboxProcess
) -> None:
    # 40 s for the whole run: Airflow tells the task some seconds later, more on a busy machine
    slow_sandbox.settings(latency_ms=1000)
    sending = Sending(airflow_processes, slow_sandbox, "marked_failed", retries=0)
    slow_sandbox.wait_for_asks(10)
    airflow_processes.mark_failed(sending.dag_id, sending.run_id, task_id="send_0")
    sending.wait_for_its_end()
    taken = slow_sandbox.takes()["takes"]
    assert 0 < taken < PEOPLE
    assert sending.states().pop("accepted") == taken
    assert set(sending.states()) <= {"accepted", "released"}

    slow_sandbox.settings(latency_ms=0)
    airflow_processes.clear(sending.dag_id, sending.run_id, task_ids=["send_0"])
    sending.finish()
    returned = sending.returned()
    assert (returned["asked"], returned["already"]) == (PEOPLE - taken, taken)
    assert slow_sandbox.takes_by_phone() == numbers(*range(PEOPLE))
    assert slow_sandbox.takes()["asks"] == PEOPLE


def test_a_worker_that_is_told_to_end_records_its_answers_and_the_retry_does_the_rest(
    airflow_processes: AirflowProcesses, slow_sandbox: SandboxProcess
) -> None:
    sending = Sending(airflow_processes, slow_sandbox, "terminated", retries=1)
    slow_sandbox.wait_for_asks(20)
    os.kill(sending.worker(), signal.SIGTERM)
    sending.finish()
    returned = sending.returned()
    assert returned["accepted"] == PEOPLE
    assert 20 <= returned["already"] < PEOPLE
    assert slow_sandbox.takes_by_phone() == numbers(*range(PEOPLE))
    assert slow_sandbox.takes()["asks"] == PEOPLE


def test_a_worker_that_is_killed_leaves_few_in_doubt_and_the_retry_does_the_rest(
    airflow_processes: AirflowProcesses, slow_sandbox: SandboxProcess
) -> None:
    sending = Sending(airflow_processes, slow_sandbox, "killed", retries=1)
    slow_sandbox.wait_for_asks(20)
    os.kill(sending.worker(), signal.SIGKILL)
    sending.finish()
    returned = sending.returned()
    in_doubt = PEOPLE - returned["accepted"]
    assert in_doubt <= 3 * CONCURRENCY
    assert slow_sandbox.takes()["taken_twice"] == 0
    assert set(slow_sandbox.takes_by_phone().values()) == {1}
    assert slow_sandbox.takes()["takes"] >= returned["accepted"]


def test_two_tasks_that_send_one_campaign_at_once_ask_for_each_message_once(
    airflow_processes: AirflowProcesses, slow_sandbox: SandboxProcess
) -> None:
    # slow enough for the second to start before the first is done
    slow_sandbox.settings(latency_ms=200)
    sending = Sending(airflow_processes, slow_sandbox, "at_once", retries=0, tasks=2)
    sending.finish()
    asked = [sending.returned(task)["asked"] for task in range(2)]
    assert sum(asked) == PEOPLE
    assert all(asked)
    assert slow_sandbox.takes_by_phone() == numbers(*range(PEOPLE))
    assert slow_sandbox.takes()["asks"] == PEOPLE
