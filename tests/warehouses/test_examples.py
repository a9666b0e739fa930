"""The examples that go round: out of a warehouse, to the people, and back into it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_dropcowboy.ledger.database import Ledger
from tests.example_dags import example_dags
from tests.in_airflow.dag_runs import clear_and_rerun, run_dag
from tests.in_airflow.results import tell
from tests.in_airflow.warehouse import number, numbers
from tests.sandbox_process import SandboxProcess
from tests.warehouses.conftest import make_warehouse
from tests.warehouses.engines import run_sql
from tests.warehouses.test_stand_ins import CASES, Driver

pytestmark = [
    pytest.mark.airflow,
    pytest.mark.usefixtures("metadata_database", "results_connection"),
    pytest.mark.filterwarnings("ignore:.*schema.*shadows"),
]

DAY = datetime(2026, 11, 24, 14, tzinfo=UTC)
INTERVAL = (DAY, DAY + timedelta(days=1))


def example(name: str, ledger: Ledger) -> DAG:
    """An example by its id; the results come as soon as its messages are sent."""
    dag = example_dags()[name]
    assert isinstance(dag, DAG)
    dag.get_task("send").on_success_callback = [lambda _: tell(ledger)]
    return dag


@pytest.mark.xdist_group("snowflake")
def test_out_of_snowflake_and_back(
    request: pytest.FixtureRequest, sandbox: SandboxProcess, ledger: Ledger, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    make_warehouse("snowflake", request, monkeypatch, tmp_path)
    booked = [DAY - timedelta(minutes=1), DAY, DAY + timedelta(hours=23), DAY + timedelta(days=1)]
    people = [*((index, number(index), at) for index, at in enumerate(booked)), (4, "no number", DAY)]
    rows = ", ".join(f"({key}, '{phone}', '{at:%Y-%m-%d %H:%M:%S}')" for key, phone, at in people)
    run_sql(
        "CREATE TABLE appointments (contact_id NUMBER(38, 0), phone VARCHAR, booked_at TIMESTAMP_NTZ)",
        f"INSERT INTO appointments VALUES {rows}",
    )
    run = run_dag(example("snowflake_round_trip", ledger), logical_date=DAY, data_interval=INTERVAL)
    assert [run.task(name).error for name in ("send", "wait", "export")] == [None] * 3
    assert sandbox.takes_by_phone() == numbers(1, 2)
    assert run_sql("SELECT contact_key, state FROM deliveries ORDER BY contact_key") == [
        ["1", "delivered"],
        ["2", "delivered"],
        ["4", "invalid"],
    ]
    assert clear_and_rerun(run).task("export").returned["written"] == 0
    assert sandbox.takes_by_phone() == numbers(1, 2)


def test_out_of_bigquery_and_back(
    sandbox: SandboxProcess, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, bigquery: Any
) -> None:
    bigquery.answers["SELECT CAST(contact_id"] = (("contact_id", "STRING"), ("phone", "STRING")), [("1", number(1))]
    run = run_dag(example("bigquery_round_trip", ledger), logical_date=DAY, data_interval=INTERVAL)
    assert [run.task(name).error for name in ("send", "wait", "export")] == [None] * 3
    assert sandbox.takes_by_phone() == numbers(1)
    read, *written = bigquery.queries
    assert "TIMESTAMP('2026-11-24 14:00:00+00:00')" in read
    assert [query.split(" ", 1)[0] for query in written] == ["CREATE", "SELECT", "MERGE"]


def test_out_of_redshift_by_a_file_and_back(
    sandbox: SandboxProcess, ledger: Ledger, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    driver = Driver("redshift_connector")
    folder = tmp_path / "due"
    folder.mkdir()
    (folder / "2026-11-24_000.csv").write_text(f"contact_id,phone,postal_code\n1,{number(1)},70112\n")  # as UNLOAD does
    monkeypatch.setattr("redshift_connector.connect", driver.connect)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(dict(CASES["redshift"].fields)))
    dag = example("redshift_unload", ledger)
    run = run_dag(dag, logical_date=DAY, run_conf={"folder": f"file://{tmp_path}"})
    assert [run.task(name).error for name in ("unload", "send", "wait", "export")] == [None] * 4
    assert sandbox.takes_by_phone() == numbers(1)
    unload = driver.statements[0][0]
    assert f"TO 'file://{tmp_path}/due/2026-11-24_'" in unload
    assert [statement.split(" ", 1)[0] for statement, _ in driver.statements[-3:]] == ["SELECT", "DELETE", "INSERT"]
