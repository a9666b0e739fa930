"""Results are waited for; and sending, waiting and exporting leave the same table, whatever is repeated."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG, task
from airflow.utils.state import TaskInstanceState
from sqlalchemy.engine import make_url

from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from airflow_provider_dropcowboy.sensors.delivery import DropCowboyDeliverySensor
from tests.in_airflow.dag_runs import run_dag
from tests.in_airflow.processes import AirflowProcesses
from tests.in_airflow.results import CAMPAIGN, LOGICAL_DATE, SENDING, only, sending, tell
from tests.in_airflow.vendor import CALLBACKS, connection_to
from tests.in_airflow.warehouse import number, rows
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.airflow

in_process = pytest.mark.usefixtures("metadata_database", "results_connection")

WHOLE = """
from airflow.sdk import DAG
from airflow_provider_dropcowboy.operators.deliveries import ExportDeliveriesOperator
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from airflow_provider_dropcowboy.sensors.delivery import DropCowboyDeliverySensor

CAMPAIGN = "{{{{ ti.xcom_pull('send')['campaign'] }}}}"

with DAG("results", schedule=None):
    (
        SendRvmOperator(
            task_id="send",
            contacts=lambda: {contacts!r},
            dropcowboy_conn_id="results",
            **{sending!r},
        )
        >> DropCowboyDeliverySensor(
            task_id="wait", campaign=CAMPAIGN, dropcowboy_conn_id="results", deferrable=True, poke_interval=1
        )
        >> ExportDeliveriesOperator(
            task_id="export",
            campaign=CAMPAIGN,
            table="deliveries",
            table_conn_id="results_warehouse",
            create_table=True,
            dropcowboy_conn_id="results",
        )
    )
"""


def wait(**arguments: Any) -> DropCowboyDeliverySensor:
    return DropCowboyDeliverySensor(task_id="wait", campaign=CAMPAIGN, **{"poke_interval": 0.1, **arguments})


def test_sent_waited_for_in_the_triggerer_and_exported_and_a_rerun_leaves_the_table_the_same(
    airflow_processes: AirflowProcesses, sandbox: SandboxProcess, postgres_url: str
) -> None:
    airflow, url = airflow_processes, make_url(postgres_url)
    address = {"host": url.host, "port": url.port, "login": url.username, "schema": url.database}
    fields = connection_to(sandbox)
    extra = json.dumps(fields.pop("extra") | CALLBACKS | {"ledger_conn_id": "results_warehouse"})
    airflow.add_connection("results_warehouse", conn_type="postgres", **address)
    airflow.add_connection("results", **fields, extra=extra)
    airflow.add_dag("results", WHOLE.format(contacts=rows(30), sending=SENDING))
    run_id = airflow.trigger("results")
    airflow.wait_for_task("results", run_id, task_id="wait", states=["deferred"])
    ledger = open_ledger(postgres_url)
    tell(ledger, failed=3)
    assert airflow.wait_for_run("results", run_id) == "success"
    waited = airflow.return_value("results", run_id, task_id="wait")
    assert isinstance(waited, dict)
    assert (waited["delivered"], waited["failed"], waited["final_share"]) == (27, 3, 1.0)

    def table() -> list[tuple[Any, ...]]:
        with psycopg.connect(url.set(drivername="postgresql").render_as_string()) as connection:
            return connection.execute("SELECT * FROM deliveries ORDER BY foreign_id").fetchall()

    first = table()
    assert {row[3] for row in first} == {number(index) for index in range(30)}
    assert sorted(row[5] for row in first) == ["delivered"] * 27 + ["failed"] * 3
    for tasks in (["export"], ["send", "wait", "export"]):
        airflow.clear("results", run_id, task_ids=tasks)
        assert airflow.wait_for_run("results", run_id) == "success"
        assert table() == first
    again = airflow.return_value("results", run_id, task_id="export")
    assert isinstance(again, dict)
    assert (again["read"], again["written"]) == (30, 0)
    assert set(sandbox.asks().values()) == {1}
    ledger.engine.dispose()


@in_process
@pytest.mark.floor
def test_the_counts_are_the_sensors_result(sandbox: SandboxProcess, ledger: Ledger) -> None:
    run = run_dag(sending(ledger, wait(), failed=1), logical_date=LOGICAL_DATE)
    assert only(run, "wait") == {
        "campaign": "results.send@2026-11-24T00:00:00Z",
        "delivered": 3,
        "failed": 1,
        "final_share": 1.0,
        "delivered_share": 0.75,
    }


@in_process
def test_a_sensor_that_gave_up_its_slot_goes_on_when_the_results_are_there(
    sandbox: SandboxProcess, ledger: Ledger
) -> None:
    with DAG("results", schedule=None) as dag:
        sent = SendRvmOperator(task_id="send", contacts=rows(4), **SENDING)

        @task(task_id="x_tell_after_the_first_look")
        def tell_all() -> None:
            tell(ledger)

        sent >> [wait(mode="reschedule", poke_interval=0), tell_all()]
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    assert only(run, "wait")["delivered"] == 4


@in_process
def test_a_share_of_the_results_may_be_enough(sandbox: SandboxProcess, ledger: Ledger) -> None:
    run = run_dag(sending(ledger, wait(min_final_share=0.75), untold=1), logical_date=LOGICAL_DATE)
    assert (only(run, "wait")["delivered"], only(run, "wait")["accepted"]) == (3, 1)


@in_process
def test_too_few_delivered_fails_without_a_retry_and_names_the_command(sandbox: SandboxProcess, ledger: Ledger) -> None:
    dag = sending(ledger, wait(fail_below_delivered=0.8, retries=2, retry_delay=timedelta(0)), failed=2)
    waited = run_dag(dag, logical_date=LOGICAL_DATE).task("wait")
    assert (waited.state, waited.try_number) == (TaskInstanceState.FAILED, 1)
    assert "50.0% of the final sends were delivered, the task asks for 80.0%" in str(waited.error)
    assert "dropcowboy report 'results.send@2026-11-24T00:00:00Z'" in str(waited.error)


@in_process
@pytest.mark.parametrize("is_deferrable", [True, False])
def test_a_soft_failure_skips(sandbox: SandboxProcess, ledger: Ledger, is_deferrable: bool) -> None:
    waiting = wait(fail_below_delivered=0.8, soft_fail=True, deferrable=is_deferrable)
    run = run_dag(sending(ledger, waiting, failed=2), logical_date=LOGICAL_DATE)
    assert run.task("wait").state == TaskInstanceState.SKIPPED


@in_process
def test_a_sensor_ends_at_its_deadline(sandbox: SandboxProcess, ledger: Ledger) -> None:
    run = run_dag(sending(ledger, wait(timeout=0, poke_interval=0), told=False), logical_date=LOGICAL_DATE)
    assert run.task("wait").state == TaskInstanceState.FAILED
    assert "timed out" in str(run.task("wait").error)


@pytest.mark.usefixtures("metadata_database", "vendor_connection")
@pytest.mark.parametrize("is_deferrable", [True, False])
def test_without_a_callback_url_a_sensor_fails_at_once_and_says_why(
    sandbox: SandboxProcess, ledger: Ledger, is_deferrable: bool
) -> None:
    dag = sending(ledger, wait(deferrable=is_deferrable, retries=2, retry_delay=timedelta(0)), told=False)
    waited = run_dag(dag, logical_date=LOGICAL_DATE).task("wait")
    assert (waited.state, waited.try_number) == (TaskInstanceState.FAILED, 1)
    assert "no callback_url" in str(waited.error)


@in_process
def test_a_sensor_makes_no_ledger(tmp_path: Path) -> None:
    with DAG("results", schedule=None) as dag:
        DropCowboyDeliverySensor(task_id="wait", campaign="spring")
    waited = run_dag(dag, logical_date=LOGICAL_DATE).task("wait")
    assert isinstance(waited.error, AirflowFailException)
    assert "There is no ledger" in str(waited.error)
    assert not (tmp_path / "ledger.db").exists()
