"""A DAG can wait for what was sent, for its results and for a contact list, and is told the counts."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest
from airflow.models.asset import AssetEvent
from airflow.sdk import DAG, Asset
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_dropcowboy.hooks.observability import create_asset
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.operators.contact_list import SyncContactListOperator
from airflow_provider_dropcowboy.operators.deliveries import ExportDeliveriesOperator
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from airflow_provider_dropcowboy.sensors.delivery import DropCowboyDeliverySensor
from tests.in_airflow.dag_runs import clear_and_rerun, run_dag
from tests.in_airflow.processes import AirflowProcesses
from tests.in_airflow.results import CAMPAIGN, sending
from tests.in_airflow.vendor import VOICEMAIL, connection_to
from tests.in_airflow.warehouse import rows
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.airflow

LOGICAL_DATE: Final = datetime(2026, 11, 24, tzinfo=UTC)
in_process = pytest.mark.usefixtures("metadata_database", "vendor_connection")


def events() -> dict[str, list[dict[str, Any]]]:
    """What Airflow wrote down of each asset's events."""
    told: dict[str, list[dict[str, Any]]] = {}
    with create_session() as session:
        for event in session.scalars(select(AssetEvent).order_by(AssetEvent.id)):
            told.setdefault(event.asset.uri, []).append(event.extra)
    return told


@in_process
@pytest.mark.floor
def test_a_sent_campaign_updates_its_asset_with_the_counts(sandbox: SandboxProcess) -> None:
    reminders = create_asset(team_id="team", kind="campaigns", name="payment reminder")
    with DAG("reminders", schedule=None) as dag:
        SendRvmOperator(task_id="send", contacts=rows(3), key_column="contact_id", outlets=[reminders], **VOICEMAIL)
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    (extra,) = events()["dropcowboy://team/campaigns/payment%20reminder"]
    assert extra.items() >= run.task("send").returned.items()
    assert (extra["campaign"], extra["accepted"], extra["asked"]) == ("reminders.send@2026-11-24T00:00:00Z", 3, 3)

    clear_and_rerun(run)
    assert [extra["asked"] for extra in events()["dropcowboy://team/campaigns/payment%20reminder"]] == [3, 0]


@in_process
def test_a_campaign_that_fails_updates_nothing(sandbox: SandboxProcess) -> None:
    sandbox.fault("unauthorized")
    with DAG("reminders", schedule=None) as dag:
        SendRvmOperator(task_id="send", contacts=rows(3), outlets=[Asset("dropcowboy://team/lists/x")], **VOICEMAIL)
    run_dag(dag, logical_date=LOGICAL_DATE)
    assert events() == {}


@in_process
def test_a_synced_list_updates_its_asset_with_the_counts(sandbox: SandboxProcess) -> None:
    with DAG("lists", schedule=None) as dag:
        SyncContactListOperator(
            task_id="sync",
            list_name="due today",
            contacts=rows(3),
            fields={"record_id": "contact_id", "phone": "phone"},
            outlets=[create_asset(team_id="team", kind="lists", name="due today")],
        )
    returned = run_dag(dag, logical_date=LOGICAL_DATE).task("sync").returned
    (extra,) = events()["dropcowboy://team/lists/due%20today"]
    assert extra.items() >= returned.items()
    assert (extra["added"], extra["contact_count"]) == (3, 3)


@pytest.mark.usefixtures("metadata_database", "results_connection")
@pytest.mark.parametrize("deferrable", [False, True])
def test_results_that_are_in_and_exported_update_their_assets_with_the_counts(
    sandbox: SandboxProcess, ledger: Ledger, tmp_path: Path, deferrable: bool
) -> None:
    wait = DropCowboyDeliverySensor(
        task_id="wait",
        campaign=CAMPAIGN,
        deferrable=deferrable,
        outlets=[create_asset(team_id="team", kind="deliveries", name="reminder")],
    )
    path = f"file://{tmp_path}/deliveries.csv"
    export = ExportDeliveriesOperator(task_id="export", campaign=CAMPAIGN, path=path, outlets=[Asset(path)])
    run_dag(sending(ledger, wait, export, failed=1), logical_date=LOGICAL_DATE)
    told = events()
    (results,) = told["dropcowboy://team/deliveries/reminder"]
    assert (results["delivered"], results["failed"], results["final_share"]) == (3, 1, 1.0)
    (written,) = told[path]
    assert (written["read"], written["written"]) == (4, 4)


@pytest.mark.parametrize(
    "uri",
    [
        "dropcowboy://team",
        "dropcowboy://team/campaigns",
        "dropcowboy://team/voicemails/x",
        "dropcowboy://team/lists/due/today",
        "dropcowboy:///lists/x",
        "dropcowboy://team/lists/x?y=1",
    ],
)
def test_a_uri_that_is_none_of_ours_is_an_error_of_the_dag(uri: str) -> None:
    with pytest.raises(ValueError, match="dropcowboy://TEAM-ID/KIND/NAME"):
        Asset(uri)


def test_two_ways_to_write_one_uri_are_one_asset() -> None:
    assert Asset("DropCowboy://team/lists/due%20today/").uri == "dropcowboy://team/lists/due%20today"


FOLLOWING: Final = """
from airflow.sdk import DAG, Asset, task
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator

sent = Asset("dropcowboy://team/campaigns/followed")

with DAG("followed", schedule=None):
    SendRvmOperator(
        task_id="send",
        contacts=lambda: {contacts!r},
        key_column="contact_id",
        dropcowboy_conn_id="followed",
        outlets=[sent],
        **{voicemail!r},
    )

with DAG("following", schedule=[sent]):
    @task
    def count(triggering_asset_events):
        (event,) = triggering_asset_events[sent]
        return event.extra["accepted"]

    count()
"""


def test_a_dag_that_is_scheduled_on_a_campaign_gets_its_counts(
    airflow_processes: AirflowProcesses, sandbox: SandboxProcess
) -> None:
    airflow = airflow_processes
    ledger = airflow.home / "followed-dropcowboy-ledger.db"
    airflow.add_connection("followed_ledger", conn_type="sqlite", host=str(ledger))
    fields = connection_to(sandbox) | {"extra": json.dumps({"ledger_conn_id": "followed_ledger"})}
    airflow.add_connection("followed", **fields)
    airflow.add_dag("following", FOLLOWING.format(contacts=rows(3), voicemail=VOICEMAIL))
    run_id = airflow.trigger("followed")
    assert airflow.wait_for_run("followed", run_id) == "success"
    airflow.wait_until(lambda: bool(airflow.runs("following")), until="the campaign triggers a run")
    (following,) = airflow.runs("following")
    assert airflow.wait_for_run("following", following) == "success"
    assert airflow.return_value("following", following, task_id="count") == 3
