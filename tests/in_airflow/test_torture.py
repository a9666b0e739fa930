"""The torture of tests/acceptance once more, through a whole Airflow: its retries, its processes, its clears.

On SQLite it is by API v1, on PostgreSQL by v2.
"""

import json
import os
import signal
from random import Random
from typing import Final

import psutil
import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.schema import RUNS
from tests.acceptance.contacts import contact_table
from tests.acceptance.evidence import Evidence, let_silence_pass
from tests.acceptance.faults import EVERY_FAULT
from tests.in_airflow.processes import AirflowProcesses
from tests.in_airflow.vendor import VOICEMAIL, connection_to
from tests.postgres_server import connection_fields
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]  # a task of Airflow takes seconds to start

ROWS: Final = 800
KILLS: Final = 3
TASKS: Final = ("send", "send_too")

SOURCE: Final = """
from datetime import timedelta
from airflow.sdk import DAG
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator

def contacts():
    from tests.acceptance.contacts import contact_table

    return contact_table({rows}).rows

with DAG("{dag_id}", schedule=None):
    for task_id in {tasks}:
        SendRvmOperator(
            task_id=task_id,
            contacts=contacts,
            key_column="contact_id",
            campaign="torture",
            concurrency=8,
            dropcowboy_conn_id="{dag_id}",
            max_reject_rate=1.0,
            max_unknown_rate=1.0,
            retries=50,
            retry_delay=timedelta(0),
            **{voicemail!r},
        )
"""


class Tortured:
    """A run of a DAG whose two tasks send one campaign at once."""

    def __init__(self, airflow: AirflowProcesses, sandbox: SandboxProcess, ledger_url: str, *, api: str) -> None:
        self._airflow = airflow
        self._url = sa.make_url(ledger_url)
        self._dag_id = f"torture_on_{self._url.get_backend_name()}"
        fields = connection_to(sandbox, api=api)
        extra = {**fields["extra"], "ledger_conn_id": f"{self._dag_id}_ledger", "timeout_s": 2}
        airflow.add_connection(f"{self._dag_id}_ledger", **_ledger_fields(self._url))
        airflow.add_connection(self._dag_id, **fields | {"extra": json.dumps(extra)})
        airflow.add_dag(self._dag_id, SOURCE.format(dag_id=self._dag_id, rows=ROWS, tasks=TASKS, voicemail=VOICEMAIL))
        self._run_id = airflow.trigger(self._dag_id)
        self.dead: list[int] = []

    def kill(self, dice: Random) -> None:
        """One of the tasks that send at this moment is gone, as after ``kill -9``."""
        self._airflow.wait_until(lambda: bool(self._living()), until="a task sends")
        victim = dice.choice(self._living())
        os.kill(victim, signal.SIGKILL)
        self.dead.append(victim)

    def finish(self) -> None:
        """Both tasks have ended well, with as many tries as that takes; who was killed is known to be dead."""
        assert self._airflow.wait_for_run(self._dag_id, self._run_id) == "success"
        let_silence_pass(self._url.render_as_string(hide_password=False), self.dead)

    def clear(self) -> None:
        """Both tasks have run once more."""
        self._airflow.clear(self._dag_id, self._run_id, task_ids=TASKS)
        assert self._airflow.wait_for_run(self._dag_id, self._run_id) == "success"

    def asked(self) -> int:
        """How many the last tries asked for."""
        returned = [self._airflow.return_value(self._dag_id, self._run_id, task_id=task_id) for task_id in TASKS]
        return sum(int(counts["asked"]) for counts in returned if isinstance(counts, dict))

    def _living(self) -> list[int]:
        ledger = open_ledger(self._url, may_create=True)
        with ledger.reading() as connection:
            workers = connection.scalars(sa.select(RUNS.c.worker).where(RUNS.c.ended_at.is_(None))).all()
        ledger.engine.dispose()
        pids = [int(worker.rpartition(":")[2]) for worker in workers]
        return [pid for pid in pids if pid not in self.dead and psutil.pid_exists(pid)]


def _ledger_fields(url: sa.URL) -> dict[str, object]:
    if url.get_backend_name() == "sqlite":
        return {"conn_type": "sqlite", "host": url.database}
    return connection_fields(url)


def test_tasks_that_are_killed_while_the_vendor_breaks_send_everything_once_and_lose_nothing(
    airflow_processes: AirflowProcesses, sandbox: SandboxProcess, ledger_url: str
) -> None:
    dice = Random(20261124)
    sandbox.settings(latency_ms=150)
    sandbox.faults(*EVERY_FAULT)
    api = "v2" if ledger_url.startswith("postgresql") else "v1"
    tortured = Tortured(airflow_processes, sandbox, ledger_url, api=api)
    for moment in sorted(dice.sample(range(50, ROWS // 2), KILLS)):
        sandbox.wait_for_asks(moment, timeout_s=120)
        tortured.kill(dice)
    tortured.finish()
    sandbox.clear_faults()
    tortured.clear()
    tortured.clear()
    assert tortured.asked() == 0
    evidence = Evidence.of(contact_table(ROWS), sandbox, ledger_url=ledger_url, api=api)
    assert not any(evidence.broken().values()), evidence.broken()
