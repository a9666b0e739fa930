"""Results are waited for and brought into the warehouse; whatever is repeated, the table is the same."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG, task
from airflow.utils.state import DagRunState, TaskInstanceState
from sqlalchemy.engine import make_url

from airflow_provider_dropcowboy.api.callbacks import parse_callback
from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from airflow_provider_dropcowboy.ledger.reconcile import Received, reconcile
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.operators.deliveries import ExportDeliveriesOperator
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from airflow_provider_dropcowboy.sensors.delivery import DropCowboyDeliverySensor
from tests.in_airflow.dag_runs import FinishedRun, clear_and_rerun, run_dag
from tests.in_airflow.processes import AirflowProcesses
from tests.in_airflow.vendor import VOICEMAIL, connection_to
from tests.in_airflow.warehouse import Warehouse, number, rows
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.airflow

in_process = pytest.mark.usefixtures("metadata_database", "results_connection")

LOGICAL_DATE = datetime(2026, 11, 24, tzinfo=UTC)
CAMPAIGN = "{{ ti.xcom_pull('send')['campaign'] }}"
SENDING: dict[str, Any] = {**VOICEMAIL, "key_column": "contact_id", "calling_hours": "off"}
CALLBACKS = {"callback_url": "http://127.0.0.1:9", "callback_secret": "callback-secret"}

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


def tell(ledger: Ledger, *, failed: int = 0, untold: int = 0) -> None:
    """A result comes for each accepted send, but for so many; so many of the others failed."""
    with ledger.reading() as connection:
        sends = connection.execute(
            sa.select(SENDS.c.foreign_id, SENDS.c.phone_number)
            .where(SENDS.c.state == "accepted")
            .order_by(SENDS.c.phone_number)
        ).all()
    received = []
    for place, send in enumerate(sends[: len(sends) - untold]):
        ending = {"status": "failure", "reason": "Voicemail box full"} if place < failed else {"status": "success"}
        payload = json.dumps({**ending, "phone_number": send.phone_number, "drop_id": f"d{place}", "product_cost": 0.1})
        received.append(Received(send.foreign_id, 1, parse_callback(payload.encode()), payload))
    reconcile(ledger, received)


@pytest.fixture
def results_connection(vendor_connection: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """``dropcowboy_default`` has a receiver's URL; the test brings the results itself."""
    fields = vendor_connection | {"extra": vendor_connection["extra"] | CALLBACKS}
    monkeypatch.setenv("AIRFLOW_CONN_DROPCOWBOY_DEFAULT", json.dumps(fields))
    return fields


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """The ledger of ``dropcowboy_default``, set up."""
    opened = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", may_create=True)
    yield opened
    opened.engine.dispose()


def sending(ledger: Ledger, *further: Any, told: bool = True, **results: int) -> DAG:
    """A DAG that sends to four, is told the results, and goes on with these tasks."""
    with DAG("results", schedule=None) as dag:
        chain: Any = SendRvmOperator(task_id="send", contacts=rows(4), repeat_window=None, **SENDING)
        if told:

            @task(task_id="tell")
            def tell_all() -> None:
                tell(ledger, **results)

            chain = chain >> tell_all()
        for each in further:
            dag.add_task(each)
            chain = chain >> each
    return dag


def wait(**arguments: Any) -> DropCowboyDeliverySensor:
    return DropCowboyDeliverySensor(task_id="wait", campaign=CAMPAIGN, **{"poke_interval": 0.1, **arguments})


def table_of(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(warehouse.path)) as connection:
        return connection.execute("SELECT * FROM deliveries ORDER BY foreign_id").fetchall()


def only(run: FinishedRun, task_id: str) -> Any:
    return run.task(task_id).returned


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


def export(**arguments: Any) -> ExportDeliveriesOperator:
    if not {"since", "campaign"} & arguments.keys():
        arguments["campaign"] = CAMPAIGN
    if "path" not in arguments:
        arguments = {"table": "deliveries", "table_conn_id": "warehouse", "create_table": True, **arguments}
    return ExportDeliveriesOperator(task_id="export", **arguments)


@in_process
@pytest.mark.floor
def test_a_cleared_export_writes_only_what_changed(
    sandbox: SandboxProcess, ledger: Ledger, warehouse: Warehouse
) -> None:
    run = run_dag(sending(ledger, export(), untold=1), logical_date=LOGICAL_DATE)
    exported = only(run, "export")
    assert (exported["read"], exported["delivered"], exported["accepted"], exported["written"]) == (4, 3, 1, 4)
    before = table_of(warehouse)

    assert only(clear_and_rerun(run, ["export"]), "export")["written"] == 0
    assert table_of(warehouse) == before
    tell(ledger)
    assert only(clear_and_rerun(run, ["export"]), "export")["written"] == 1
    assert [row[5] for row in table_of(warehouse)] == ["delivered"] * 4


@in_process
def test_all_that_changed_since_a_moment_is_exported_over_all_campaigns(
    sandbox: SandboxProcess, ledger: Ledger, warehouse: Warehouse
) -> None:
    since = "{{ dag_run.start_date.isoformat() }}"
    for day in (0, 1):
        run = run_dag(sending(ledger, export(since=since)), logical_date=LOGICAL_DATE + timedelta(days=day))
        assert run.state == DagRunState.SUCCESS
    assert len({row[0] for row in table_of(warehouse)}) == 2
    assert len(table_of(warehouse)) == 8


@in_process
@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
def test_a_file_is_written_whole_and_the_same_again(
    sandbox: SandboxProcess, ledger: Ledger, tmp_path: Path, name: str
) -> None:
    run = run_dag(sending(ledger, export(path=f"file://{tmp_path / name}")), logical_date=LOGICAL_DATE)
    assert (only(run, "export")["read"], only(run, "export")["written"]) == (4, 4)
    first = (tmp_path / name).read_bytes()
    clear_and_rerun(run, ["export"])
    assert (tmp_path / name).read_bytes() == first


@in_process
def test_a_file_export_that_fails_half_way_leaves_the_former_file(
    sandbox: SandboxProcess, ledger: Ledger, tmp_path: Path
) -> None:
    out = tmp_path / "out.jsonl"
    run = run_dag(sending(ledger, export(path=f"file://{out}")), logical_date=LOGICAL_DATE)
    first = out.read_bytes()
    with closing(sqlite3.connect(tmp_path / "ledger.db")) as connection, connection:
        connection.execute("UPDATE dropcowboy_sends SET claimed_at = 'no instant'")
    assert clear_and_rerun(run, ["export"]).state == DagRunState.FAILED
    assert out.read_bytes() == first
    assert [path.name for path in tmp_path.glob("out*")] == ["out.jsonl"]


@in_process
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"campaign": "sprang"}, "Similar names|no similar name|knows no campaign"),
        ({"since": "yesterday"}, "since='yesterday' is no instant"),
        ({"table": "deliveries; DROP TABLE x"}, "names no table"),
        ({"path": "file:///tmp/out.xlsx"}, "of no known format"),
    ],
)
def test_a_wrong_argument_fails_without_a_retry_and_is_named(
    sandbox: SandboxProcess, ledger: Ledger, warehouse: Warehouse, arguments: dict[str, Any], told: str
) -> None:
    dag = sending(ledger, export(retries=2, retry_delay=timedelta(0), **arguments))
    exported = run_dag(dag, logical_date=LOGICAL_DATE).task("export")
    assert (exported.state, exported.try_number) == (TaskInstanceState.FAILED, 1)
    assert any(part in str(exported.error) for part in told.split("|"))


@in_process
def test_a_table_that_is_not_there_can_be_retried_and_tells_no_number(
    sandbox: SandboxProcess, ledger: Ledger, warehouse: Warehouse
) -> None:
    run = run_dag(sending(ledger, export(create_table=False)), logical_date=LOGICAL_DATE)
    assert "create_table=True" in str(run.task("export").error)
    assert not isinstance(run.task("export").error, AirflowFailException)
    with closing(sqlite3.connect(warehouse.path)) as connection:
        connection.execute("CREATE TABLE deliveries (foreign_id TEXT)")
    assert clear_and_rerun(run, ["export"]).state == DagRunState.FAILED
