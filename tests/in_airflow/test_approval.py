"""The example that a person approves, in a whole Airflow: the person's answer comes through Airflow's own API."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

import dags
from tests.in_airflow.processes import AirflowProcesses
from tests.in_airflow.vendor import connection_to
from tests.in_airflow.warehouse import Warehouse, number, numbers
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.airflow

DAG_ID: Final = "approved_campaign"
PEOPLE: Final = 30


@pytest.fixture(scope="module")
def airflow(airflow_processes: AirflowProcesses, sandbox_process: SandboxProcess) -> AirflowProcesses:
    """Has the example, with connections of its own; thirty people are due."""
    home = airflow_processes.home
    warehouse = Warehouse(home / "approval-warehouse.db")
    warehouse.due_today(*((index, number(index), "70112", None, 1) for index in range(PEOPLE)))
    airflow_processes.add_connection("approval_warehouse", conn_type="sqlite", host=str(warehouse.path))
    airflow_processes.add_connection("approval_ledger", conn_type="sqlite", host=str(home / "approval-ledger.db"))
    fields = connection_to(sandbox_process)
    extra = fields["extra"] | {"ledger_conn_id": "approval_ledger", "price_rvm_usd": 0.01}
    airflow_processes.add_connection("approval", **fields | {"extra": json.dumps(extra)})
    source = (Path(dags.__path__[0]) / f"{DAG_ID}.py").read_text()
    own = '"sql_conn_id": "approval_warehouse", "dropcowboy_conn_id": "approval"'
    airflow_processes.add_dag(DAG_ID, source.replace('"sql_conn_id": "warehouse"', own))
    return airflow_processes


def answer(airflow: AirflowProcesses, campaign: str, *, option: str) -> str:
    """A run in which the person, when asked, has chosen; its id."""
    run_id = airflow.trigger(DAG_ID, conf={"campaign": campaign})
    airflow.choose(DAG_ID, run_id, task_id="approve", option=option)
    assert airflow.wait_for_run(DAG_ID, run_id) == "success"
    return run_id


def test_approved_it_sends_to_twenty_and_then_to_the_rest(airflow: AirflowProcesses, sandbox: SandboxProcess) -> None:
    run_id = answer(airflow, "spring", option="Approve")
    count, first, rest = (_returned(airflow, run_id, task_id) for task_id in ("count", "first", "rest"))
    assert (count["ready"], count["asked"]) == (PEOPLE, 0)
    assert (count["forecast"]["sends"], count["forecast"]["cost_usd"]) == (PEOPLE, 0.3)
    assert (first["asked"], first["accepted"], first["held"]) == (20, 20, 10)
    assert (rest["asked"], rest["already"], rest["accepted"]) == (10, 20, PEOPLE)
    assert sandbox.takes_by_phone() == numbers(*range(PEOPLE))


def test_rejected_it_sends_nothing(airflow: AirflowProcesses, sandbox: SandboxProcess) -> None:
    run_id = answer(airflow, "summer", option="Reject")
    assert {airflow.task(DAG_ID, run_id, task_id=task_id)["state"] for task_id in ("first", "rest")} == {"skipped"}
    assert sandbox.asks() == {}


def _returned(airflow: AirflowProcesses, run_id: str, task_id: str) -> dict[str, Any]:
    value = airflow.return_value(DAG_ID, run_id, task_id=task_id)
    assert isinstance(value, dict)
    return value
