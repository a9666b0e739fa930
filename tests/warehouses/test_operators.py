"""What a DAG does with a warehouse: send, send again, leave out, keep a list, bring results back; on each engine."""

from datetime import UTC, datetime
from typing import Any

import pytest
from airflow.sdk import DAG

from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.operators.contact_list import SyncContactListOperator
from airflow_provider_dropcowboy.operators.deliveries import ExportDeliveriesOperator
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from tests.in_airflow.dag_runs import clear_and_rerun, run_dag
from tests.in_airflow.results import tell
from tests.in_airflow.vendor import VOICEMAIL
from tests.in_airflow.warehouse import number, numbers
from tests.sandbox_process import SandboxProcess
from tests.warehouses.engines import DECIMAL, TEXT, Warehouse, run_sql

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata_database", "results_connection")]

LOGICAL_DATE = datetime(2026, 11, 24, tzinfo=UTC)
PEOPLE = 4


@pytest.fixture
def people(warehouse: Warehouse) -> Warehouse:
    """Four people who are due on the 24th, one on the 25th; and a stop list with the number of one of the four."""
    decimal, text = (warehouse.types.get(kind, kind) for kind in (DECIMAL, TEXT))
    due = [(index, number(index), "24" if index < PEOPLE else "25") for index in range(PEOPLE + 1)]
    rows = ", ".join(f"({index}.00, '{phone}', '{day}')" for index, phone, day in due)
    run_sql(
        f"CREATE TABLE people (contact_id {decimal}, phone {text}, due_on {text}) {warehouse.engine}",
        f"CREATE TABLE stop_list (phone {text}) {warehouse.engine}",
        f"INSERT INTO people (contact_id, phone, due_on) VALUES {rows}",
        f"INSERT INTO stop_list (phone) VALUES ('{number(1)}')",
    )
    return warehouse


def source(warehouse: Warehouse) -> dict[str, Any]:
    """The people who are due, by a parameter as the driver writes it."""
    mark, parameters = warehouse.parameter("day", "24")
    sql = f"SELECT contact_id, phone FROM people WHERE due_on = {mark} AND phone LIKE '%'"
    if "%" in mark:  # such a driver reads a single one as the beginning of a parameter
        sql = sql.replace("'%'", "'%%'")
    return {"sql": sql, "sql_conn_id": "warehouse", "parameters": parameters, "key_column": "contact_id"}


def test_a_campaign_goes_round_and_each_part_of_it_may_be_run_again(
    people: Warehouse, sandbox: SandboxProcess, ledger: Ledger
) -> None:
    with DAG("warehouse", schedule=None) as dag:
        yesterday = SendRvmOperator(  # the same campaign, out of a list: keys are ints here, and Decimals or text there
            task_id="yesterday", contacts=[{"contact_id": 0, "phone": number(0)}], key_column="contact_id",
            campaign="spring", calling_hours="off", **VOICEMAIL,
        )  # fmt: skip
        send = SendRvmOperator(
            task_id="send", **source(people), campaign="spring", calling_hours="off", **VOICEMAIL,
            suppression_sql="SELECT phone FROM stop_list", suppression_conn_id="warehouse",
        )  # fmt: skip
        export = ExportDeliveriesOperator(
            task_id="export", campaign="spring", table="deliveries", table_conn_id="warehouse", create_table=True,
            include_not_sent=True,
        )  # fmt: skip
        yesterday >> send >> export
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    assert {name: run.task(name).error for name in ("send", "export")} == {"send": None, "export": None}
    sent = run.task("send").returned
    assert (sent["read"], sent["suppressed"], sent["asked"], sent["already"]) == (4, 1, 2, 1)
    assert sandbox.takes_by_phone() == numbers(0, 2, 3)
    exported = run.task("export").returned
    assert (exported["read"], exported["suppressed"], exported["written"]) == (4, 1, 4)

    again = clear_and_rerun(run, ["send", "export"])
    assert again.task("send").returned["asked"] == 0
    assert again.task("export").returned["written"] == 0
    tell(ledger, failed=1)
    assert clear_and_rerun(run, ["export"]).task("export").returned["written"] == 3
    assert clear_and_rerun(run, ["export"]).task("export").returned["written"] == 0
    final = " FINAL" if people.name == "clickhouse" else ""
    found = run_sql(f"SELECT contact_key, state, cost_usd, claimed_at FROM deliveries{final} ORDER BY contact_key")
    assert [(row[0], row[1], row[2] and float(row[2]), row[3] is not None) for row in found] == [
        ("0", "failed", 0.1, True),
        ("1", "suppressed", None, False),
        ("2", "delivered", 0.1, True),
        ("3", "delivered", 0.1, True),
    ]
    assert sandbox.takes_by_phone() == numbers(0, 2, 3)


def test_a_contact_list_follows_the_warehouse(people: Warehouse, sandbox: SandboxProcess) -> None:
    with DAG("warehouse", schedule=None) as dag:
        SyncContactListOperator(
            task_id="sync", list_name="leads", mode="mirror", fields={"record_id": "contact_id", "phone": "phone"},
            **source(people),
        )  # fmt: skip
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    assert run.task("sync").error is None
    assert run.task("sync").returned["read"] == PEOPLE
    ((members),) = sandbox.lists().values()
    assert len(members["contacts"]) == PEOPLE
