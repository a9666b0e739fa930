"""OpenLineage is told which tables a campaign was read from, as its own provider asks for it."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from airflow.providers.openlineage.extractors import OperatorLineage
from airflow.providers.openlineage.extractors.manager import ExtractorManager
from airflow.providers.openlineage.utils.utils import translate_airflow_asset
from airflow.sdk import DAG, BaseOperator
from airflow.utils.state import TaskInstanceState
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from airflow_provider_dropcowboy.hooks.observability import create_asset
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.operators.contact_list import SyncContactListOperator
from airflow_provider_dropcowboy.operators.deliveries import ExportDeliveriesOperator
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from tests.in_airflow.dag_runs import run_dag
from tests.in_airflow.results import CAMPAIGN, sending
from tests.in_airflow.vendor import VOICEMAIL
from tests.in_airflow.warehouse import rows
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata_database", "results_connection")]

LOGICAL_DATE: Final = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def postgres_warehouse(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The connection ``warehouse`` is a PostgreSQL database with people in it; how OpenLineage names it."""
    url = make_url(postgres_url)
    engine = create_engine(postgres_url)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE due_today (contact_id int, phone text)"))
        connection.execute(text("CREATE TABLE do_not_call (phone text)"))
        connection.execute(text("INSERT INTO due_today VALUES (1, '+15045550101'), (2, '+15045550102')"))
    engine.dispose()
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", url.set(drivername="postgres").render_as_string(hide_password=False))
    return f"{url.database}.public"


def told(lineages: list[Any]) -> OperatorLineage[Any, Any]:
    """The one lineage that was found."""
    (lineage,) = lineages
    assert isinstance(lineage, OperatorLineage)
    return lineage


def asking(lineages: list[Any]) -> Any:
    """A callback that asks as the provider's listener does when a task has ended."""

    def ask(context: Any) -> None:
        task: BaseOperator = context["task"]
        lineages.append(
            ExtractorManager().extract_metadata(
                dagrun=context["dag_run"],
                task=task,
                task_instance_state=TaskInstanceState.SUCCESS,
                task_instance=context["ti"],
            )
        )

    return ask


def names(datasets: list[Any]) -> list[str]:
    """Datasets by their names."""
    return [dataset.name for dataset in datasets]


def test_a_campaign_comes_from_the_tables_of_its_queries(sandbox: SandboxProcess, postgres_warehouse: str) -> None:
    lineages: list[Any] = []
    with DAG("reminders", schedule=None) as dag:
        SendRvmOperator(
            task_id="send",
            sql="SELECT d.contact_id, d.phone FROM due_today d",
            sql_conn_id="warehouse",
            suppression_sql="SELECT phone FROM do_not_call",
            suppression_conn_id="warehouse",
            key_column="contact_id",
            on_success_callback=asking(lineages),
            **VOICEMAIL,
        )
    run_dag(dag, logical_date=LOGICAL_DATE)
    lineage = told(lineages)
    tables = [f"{postgres_warehouse}.do_not_call", f"{postgres_warehouse}.due_today"]
    assert sorted(names(lineage.inputs)) == tables
    (campaign,) = lineage.outputs
    # without the date: tomorrow's run fills the same
    assert (campaign.namespace, campaign.name) == (f"dropcowboy://{sandbox.team_id}", "campaigns/reminders.send")
    assert campaign.outputFacets["outputStatistics"].rowCount == 2
    assert "due_today" in lineage.job_facets["sql"].query


def test_a_list_is_named_as_its_asset_is(sandbox: SandboxProcess, tmp_path: Path) -> None:
    (tmp_path / "people.csv").write_text("id,phone\n1,+15045550101\n")
    lineages: list[Any] = []
    asset = create_asset(team_id=sandbox.team_id, kind="lists", name="due today")
    with DAG("lists", schedule=None) as dag:
        SyncContactListOperator(
            task_id="sync",
            list_name="due today",
            path=f"file://{tmp_path}/people.csv",
            fields={"record_id": "id", "phone": "phone"},
            on_success_callback=asking(lineages),
        )
    run_dag(dag, logical_date=LOGICAL_DATE)
    lineage = told(lineages)
    assert [(file.namespace, file.name) for file in lineage.inputs] == [("file", f"{tmp_path}/people.csv")]
    (filled,) = lineage.outputs
    by_asset = translate_airflow_asset(asset, None)
    assert by_asset is not None
    assert (filled.namespace, filled.name) == (by_asset.namespace, by_asset.name)


def test_an_export_leads_from_the_results_to_the_table(
    sandbox: SandboxProcess, ledger: Ledger, postgres_warehouse: str
) -> None:
    lineages: list[Any] = []
    export = ExportDeliveriesOperator(
        task_id="export",
        campaign=CAMPAIGN,
        table="deliveries",
        table_conn_id="warehouse",
        create_table=True,
        on_success_callback=asking(lineages),
    )
    run_dag(sending(ledger, export), logical_date=LOGICAL_DATE)
    lineage = told(lineages)
    assert names(lineage.inputs) == ["deliveries/results.send@2026-11-24T00:00:00Z"]
    assert names(lineage.outputs) == [f"{postgres_warehouse}.deliveries"]


def test_rows_that_a_dag_hands_over_have_no_source(sandbox: SandboxProcess) -> None:
    lineages: list[Any] = []
    with DAG("reminders", schedule=None) as dag:
        SendRvmOperator(
            task_id="send",
            contacts=rows(2),
            campaign="spring",
            on_success_callback=asking(lineages),
            **VOICEMAIL,
        )
    run_dag(dag, logical_date=LOGICAL_DATE)
    assert told(lineages).inputs == []
    assert names(told(lineages).outputs) == ["campaigns/spring"]
