"""A task instance leads to the report of its campaign."""

from datetime import UTC, datetime
from typing import Final

import pytest
from airflow.models.dagbag import DBDagBag
from airflow.models.taskinstance import TaskInstance
from airflow.sdk import DAG
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.operators.deliveries import ExportDeliveriesOperator
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from airflow_provider_dropcowboy.sensors.delivery import DropCowboyDeliverySensor
from tests.in_airflow.dag_runs import FinishedRun, run_dag
from tests.in_airflow.results import CAMPAIGN, sending
from tests.in_airflow.vendor import VOICEMAIL
from tests.in_airflow.warehouse import Warehouse, rows
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata_database", "results_connection")]

LOGICAL_DATE: Final = datetime(2026, 11, 24, tzinfo=UTC)


def links(run: FinishedRun, task_id: str) -> dict[str, str | None]:
    """As the API server finds them: from the stored DAG and XComs, without the operator's class."""
    with create_session() as session:
        dag = DBDagBag().get_latest_version_of_dag(run.dag.dag_id, session=session)
        assert dag is not None
        ti = session.scalars(select(TaskInstance).where(TaskInstance.task_id == task_id)).one()
        task = dag.get_task(task_id)
        return {name: task.get_extra_links(ti, name) for name in task.extra_links}


@pytest.mark.floor
def test_send_wait_and_export_lead_to_the_report_of_their_campaign(
    sandbox: SandboxProcess, ledger: Ledger, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/prod/")
    wait = DropCowboyDeliverySensor(task_id="wait", campaign=CAMPAIGN)
    export = ExportDeliveriesOperator(
        task_id="export", campaign=CAMPAIGN, table="deliveries", table_conn_id="warehouse", create_table=True
    )
    run = run_dag(sending(ledger, wait, export), logical_date=LOGICAL_DATE)
    account = f"{sandbox.team_id}%40{sandbox.base_url.split('/')[2].replace(':', '%3A')}"
    report = (
        "https://airflow.example.com/prod/dropcowboy-report/campaign"
        f"?account={account}&campaign=results.send%402026-11-24T00%3A00%3A00Z"
    )
    assert [links(run, task_id) for task_id in ("send", "wait", "export")] == [{"Campaign report": report}] * 3


def test_a_task_that_fails_leads_there_too(sandbox: SandboxProcess) -> None:
    sandbox.fault("unauthorized")
    with DAG("links", schedule=None) as dag:
        SendRvmOperator(task_id="send", contacts=rows(3), **VOICEMAIL)
    found = links(run_dag(dag, logical_date=LOGICAL_DATE), "send")
    assert "/dropcowboy-report/campaign?" in str(found["Campaign report"])


def test_a_task_that_never_knew_its_campaign_leads_nowhere(sandbox: SandboxProcess) -> None:
    with DAG("links", schedule=None) as dag:
        SendRvmOperator(task_id="send", contacts=rows(3), campaign="{{ '' }}", **VOICEMAIL)
    assert not links(run_dag(dag, logical_date=LOGICAL_DATE), "send")["Campaign report"]
