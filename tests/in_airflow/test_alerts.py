"""What only a whole Airflow reports: a failed DAG run (its DAG processor) and a missed deadline (its triggerer)."""

import json
import sqlite3
from contextlib import closing
from typing import Final

import pytest

from airflow_provider_dropcowboy.sandbox.catalog import POOL_ID
from tests.in_airflow.processes import AirflowProcesses
from tests.in_airflow.vendor import connection_to
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.airflow

ON_CALL: Final = "+15045550142"

BROKEN: Final = """
from datetime import timedelta
from airflow.sdk import DAG, task
from airflow_provider_dropcowboy.notifications.dropcowboy import DropCowboyNotifier

with DAG(
    "broken_run",
    schedule=None,
    on_failure_callback=DropCowboyNotifier(
        dropcowboy_conn_id="broken_run", to={to!r}, text="{{{{ dag.dag_id }}}} failed", caller_id="+15045550100",
        pool_id={pool_id!r}, opt_in=True,
    ),
):
    @task(retries=1, retry_delay=timedelta(0))
    def fail():
        raise RuntimeError("no such table")

    @task
    def fail_too():
        raise RuntimeError("no such table")

    fail()
    fail_too()
"""

LATE: Final = """
from datetime import datetime, timedelta
from airflow.sdk import DAG, AsyncCallback, DeadlineAlert, DeadlineReference, task
from airflow_provider_dropcowboy.notifications.dropcowboy import DropCowboyNotifier

with DAG(
    "late_run",
    schedule=None,
    deadline=DeadlineAlert(
        reference=DeadlineReference.DAGRUN_QUEUED_AT,
        interval=timedelta(milliseconds=1),
        callback=AsyncCallback(
            DropCowboyNotifier,
            kwargs={{
                "dropcowboy_conn_id": "late_run", "to": {to!r}, "text": "{{{{ dag_run.dag_id }}}} is late",
                "caller_id": "+15045550100", "pool_id": {pool_id!r}, "opt_in": True,
            }},
        ),
    ),
):
    @task
    def work():
        print("done")

    work()
"""


def connect(airflow: AirflowProcesses, sandbox: SandboxProcess, name: str) -> None:
    """A connection of this name leads to the sandbox, with a ledger of its own."""
    ledger = airflow.home / f"{name}-dropcowboy-ledger.db"
    airflow.add_connection(f"{name}_ledger", conn_type="sqlite", host=str(ledger))
    extra = json.dumps({"ledger_conn_id": f"{name}_ledger"})
    airflow.add_connection(name, **connection_to(sandbox) | {"extra": extra})


def runs_of_alerts(airflow: AirflowProcesses, name: str) -> int:
    """How often an alert was looked into."""
    with closing(sqlite3.connect(airflow.home / f"{name}-dropcowboy-ledger.db")) as ledger:
        query = "SELECT count(*) FROM dropcowboy_runs WHERE ended_at IS NOT NULL"
        return int(ledger.execute(query).fetchone()[0])


def logs_with(airflow: AirflowProcesses, private: str) -> list[str]:
    """What Airflow logged that holds the text: its own files, and its processes'."""
    files = [*(airflow.home / "logs").rglob("*.log"), *airflow.home.glob("*.log")]
    return [str(path.relative_to(airflow.home)) for path in files if private in path.read_text(errors="replace")]


def test_a_failed_run_is_told_once_whatever_failed_in_it_and_cleared_or_not(
    airflow_processes: AirflowProcesses, sandbox: SandboxProcess
) -> None:
    airflow = airflow_processes
    connect(airflow, sandbox, "broken_run")
    airflow.add_dag("broken_run", BROKEN.format(to=ON_CALL, pool_id=POOL_ID))
    run_id = airflow.trigger("broken_run")
    assert airflow.wait_for_run("broken_run", run_id) == "failed"
    sandbox.takes(wait_for=1, timeout_s=120)
    airflow.wait_until(lambda: runs_of_alerts(airflow, "broken_run") == 1, until="the alert is recorded")

    airflow.clear("broken_run", run_id, task_ids=["fail"])
    airflow.wait_for_run("broken_run", run_id, states=["queued", "running"])
    assert airflow.wait_for_run("broken_run", run_id) == "failed"
    airflow.wait_until(lambda: runs_of_alerts(airflow, "broken_run") == 2, until="the alert was looked into again")
    (send,) = sandbox.sends().values()
    assert (send["asks"], send["takes"], send["first_body"]["sms_body"]) == (1, 1, "broken_run failed")
    assert logs_with(airflow, "A text to the on-call about broken_run (failed")
    assert logs_with(airflow, "5045550142") == []


def test_a_missed_deadline_is_told(airflow_processes: AirflowProcesses, sandbox: SandboxProcess) -> None:
    airflow = airflow_processes
    connect(airflow, sandbox, "late_run")
    airflow.add_dag("late_run", LATE.format(to=ON_CALL, pool_id=POOL_ID))
    run_id = airflow.trigger("late_run")
    sandbox.takes(wait_for=1, timeout_s=120)
    (send,) = sandbox.sends().values()
    assert (send["asks"], send["first_body"]["sms_body"]) == (1, "late_run is late")
    airflow.wait_for_run("late_run", run_id)
    assert logs_with(airflow, "5045550142") == []
