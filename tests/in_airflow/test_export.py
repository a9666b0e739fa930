"""Deliveries are brought into the warehouse; whatever is repeated, the table is the same."""

import sqlite3
import stat
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.utils.state import DagRunState, TaskInstanceState

from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.operators.deliveries import ExportDeliveriesOperator
from tests.in_airflow.dag_runs import clear_and_rerun, run_dag
from tests.in_airflow.results import CAMPAIGN, LOGICAL_DATE, only, sending, tell
from tests.in_airflow.warehouse import Warehouse
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata_database", "results_connection")]


def table_of(warehouse: Warehouse) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(warehouse.path)) as connection:
        return connection.execute("SELECT * FROM deliveries ORDER BY foreign_id").fetchall()


def export(**arguments: Any) -> ExportDeliveriesOperator:
    if not {"since", "campaign"} & arguments.keys():
        arguments["campaign"] = CAMPAIGN
    if "path" not in arguments:
        arguments = {"table": "deliveries", "table_conn_id": "warehouse", "create_table": True, **arguments}
    return ExportDeliveriesOperator(task_id="export", **arguments)


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


def test_all_that_changed_since_a_moment_is_exported_over_all_campaigns(
    sandbox: SandboxProcess, ledger: Ledger, warehouse: Warehouse
) -> None:
    since = "{{ dag_run.start_date.isoformat() }}"
    for day in (0, 1):
        run = run_dag(sending(ledger, export(since=since)), logical_date=LOGICAL_DATE + timedelta(days=day))
        assert run.state == DagRunState.SUCCESS
    assert len({row[0] for row in table_of(warehouse)}) == 2
    assert len(table_of(warehouse)) == 8


@pytest.mark.parametrize("name", ["out.jsonl", "out.csv", "out.parquet"])
def test_a_file_is_written_whole_and_the_same_again(
    sandbox: SandboxProcess, ledger: Ledger, tmp_path: Path, name: str
) -> None:
    run = run_dag(sending(ledger, export(path=f"file://{tmp_path / name}")), logical_date=LOGICAL_DATE)
    assert (only(run, "export")["read"], only(run, "export")["written"]) == (4, 4)
    assert stat.S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    first = (tmp_path / name).read_bytes()
    clear_and_rerun(run, ["export"])
    assert (tmp_path / name).read_bytes() == first


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


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"campaign": "sprang"}, "Similar names|no similar name|knows no campaign"),
        ({"since": "yesterday"}, "since='yesterday' is not a point in time"),
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


def test_a_table_that_is_not_there_can_be_retried_and_tells_no_number(
    sandbox: SandboxProcess, ledger: Ledger, warehouse: Warehouse
) -> None:
    run = run_dag(sending(ledger, export(create_table=False)), logical_date=LOGICAL_DATE)
    assert "create_table=True" in str(run.task("export").error)
    assert not isinstance(run.task("export").error, AirflowFailException)
    with closing(sqlite3.connect(warehouse.path)) as connection:
        connection.execute("CREATE TABLE deliveries (foreign_id TEXT)")
    assert clear_and_rerun(run, ["export"]).state == DagRunState.FAILED
