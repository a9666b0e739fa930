"""Which runs are one campaign and which are not: each line of the table in docs/campaigns.md."""

import json
import sqlite3
from collections.abc import Collection
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

import pytest
from airflow.models.dagrun import DagRun
from airflow.sdk import DAG
from airflow.utils.session import create_session
from airflow.utils.state import TaskInstanceState
from airflow.utils.types import DagRunType
from sqlalchemy import select

from airflow_provider_dropcowboy.contacts.partition import partitions
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from tests.in_airflow.dag_runs import FinishedRun, clear_and_rerun, run_dag
from tests.in_airflow.processes import AirflowProcesses
from tests.in_airflow.vendor import VOICEMAIL, connection_to
from tests.in_airflow.warehouse import numbers, rows
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.airflow
in_this_process = pytest.mark.usefixtures("metadata_database", "vendor_connection")

DATE: Final = datetime(2099, 11, 24, tzinfo=UTC)
"""After the birth of the ledger, as all but the first date of its life."""
OF_DATE: Final = "identity.send@2099-11-24T00:00:00Z"


def sending(*, task_id: str = "send", **arguments: Any) -> DAG:
    """A DAG that sends a voicemail to each of two contacts, whatever the date."""
    with DAG("identity", schedule=None) as dag:
        SendRvmOperator(
            task_id=task_id, contacts=rows(2), key_column="contact_id", max_staleness=None, **VOICEMAIL, **arguments
        )
    return dag


def campaign(run: FinishedRun, task_id: str = "send") -> str:
    """What a task's campaign is called."""
    return str(run.task(task_id).returned["campaign"])


@pytest.fixture
def campaigns(tmp_path: Path) -> "Campaigns":
    """Those that the ledger knows."""
    return Campaigns(tmp_path / "ledger.db")


class Campaigns:
    """The ledger's campaigns, read as another program would."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        """Oldest first."""
        with closing(sqlite3.connect(self._path)) as ledger:
            return [name for (name,) in ledger.execute("SELECT name FROM dropcowboy_campaigns ORDER BY id")]


@in_this_process
def test_the_schedules_run_of_a_date_is_the_campaign_of_that_date(campaigns: Campaigns) -> None:
    run = run_dag(sending(), logical_date=DATE, run_type=DagRunType.SCHEDULED)
    assert campaign(run) == OF_DATE
    assert campaigns.names() == [OF_DATE]


@in_this_process
def test_a_retry_goes_on_with_the_campaign_of_the_try_before(sandbox: SandboxProcess, campaigns: Campaigns) -> None:
    # one refusal more than a try asks for
    sandbox.fault("429_seconds", times=6, to=next(iter(numbers(0))), delay_s=0)
    run = run_dag(sending(retries=1, retry_delay=timedelta(0)), logical_date=DATE)
    assert (run.task("send").state, run.task("send").try_number) == (TaskInstanceState.SUCCESS, 2)
    assert campaigns.names() == [OF_DATE]
    assert sandbox.takes_by_phone() == numbers(0, 1)


@in_this_process
def test_a_cleared_task_goes_on_with_its_campaign(sandbox: SandboxProcess, campaigns: Campaigns) -> None:
    again = clear_and_rerun(run_dag(sending(), logical_date=DATE))
    assert (again.task("send").returned["asked"], again.task("send").returned["already"]) == (0, 2)
    assert campaigns.names() == [OF_DATE]
    assert sandbox.takes_by_phone() == numbers(0, 1)


@in_this_process
@pytest.mark.parametrize("again", [DagRunType.BACKFILL_JOB, DagRunType.MANUAL])
def test_a_date_that_is_run_again_after_its_run_was_deleted_is_its_old_campaign(
    sandbox: SandboxProcess, campaigns: Campaigns, again: DagRunType
) -> None:
    run = run_dag(sending(), logical_date=DATE, run_type=DagRunType.SCHEDULED)
    with create_session() as session:
        session.delete(session.scalars(select(DagRun).where(DagRun.run_id == run.run_id)).one())
    returned = run_dag(sending(), logical_date=DATE, run_type=again).task("send").returned
    assert (returned["asked"], returned["already"]) == (0, 2)
    assert campaigns.names() == [OF_DATE]
    assert sandbox.takes_by_phone() == numbers(0, 1)


@in_this_process
def test_another_date_is_another_campaign(campaigns: Campaigns) -> None:
    for day in range(2):
        run_dag(sending(), logical_date=DATE + timedelta(days=day))
    assert campaigns.names() == [OF_DATE, OF_DATE.replace("24T", "25T")]


@in_this_process
def test_each_manual_run_without_a_date_is_a_campaign_of_its_own(campaigns: Campaigns) -> None:
    runs = [run_dag(sending()) for _ in range(2)]
    assert campaigns.names() == [f"identity.send@{run.run_id}" for run in runs]


@in_this_process
def test_a_given_name_is_one_campaign_over_all_dates(sandbox: SandboxProcess, campaigns: Campaigns) -> None:
    for day in range(2):
        run_dag(sending(campaign="spring"), logical_date=DATE + timedelta(days=day))
    assert campaigns.names() == ["spring"]
    assert sandbox.takes_by_phone() == numbers(0, 1)


@in_this_process
def test_another_given_name_is_another_campaign_of_the_same_run(campaigns: Campaigns) -> None:
    run = run_dag(sending(campaign="spring {{ ds }}"), logical_date=DATE)
    again = clear_and_rerun(replace(run, dag=sending(campaign="autumn {{ ds }}")))
    assert campaigns.names() == ["spring 2099-11-24", "autumn 2099-11-24"] == [campaign(run), campaign(again)]


@in_this_process
def test_a_renamed_task_is_another_campaign(campaigns: Campaigns) -> None:
    run_dag(sending(), logical_date=DATE)
    run_dag(sending(task_id="call"), logical_date=DATE + timedelta(days=1))
    assert campaigns.names() == [OF_DATE, "identity.call@2099-11-25T00:00:00Z"]


@in_this_process
def test_two_tasks_of_one_run_are_two_campaigns(campaigns: Campaigns) -> None:
    with DAG("identity", schedule=None) as dag:
        for task_id in ("call", "remind"):
            SendRvmOperator(task_id=task_id, contacts=rows(2), key_column="contact_id", **VOICEMAIL)
    run_dag(dag, logical_date=DATE)
    assert sorted(campaigns.names()) == ["identity.call@2099-11-24T00:00:00Z", "identity.remind@2099-11-24T00:00:00Z"]


def in_parts(count: int) -> DAG:
    """A DAG whose task is mapped over so many parts of 40 contacts."""
    with DAG("identity", schedule=None) as dag:
        SendRvmOperator.partial(task_id="send", contacts=rows(40), key_column="contact_id", **VOICEMAIL).expand(
            partition=partitions(count)
        )
    return dag


@in_this_process
def test_the_parts_of_a_mapped_task_are_one_campaign(sandbox: SandboxProcess, campaigns: Campaigns) -> None:
    run = run_dag(in_parts(4), logical_date=DATE)
    assert {str(run.task("send", part).returned["campaign"]) for part in range(4)} == {OF_DATE}
    assert campaigns.names() == [OF_DATE]
    assert sandbox.takes_by_phone() == numbers(*range(40))


@in_this_process
def test_a_mapped_task_that_is_cut_anew_goes_on_with_its_campaign(
    sandbox: SandboxProcess, campaigns: Campaigns
) -> None:
    run = run_dag(in_parts(4), logical_date=DATE)
    again = clear_and_rerun(replace(run, dag=in_parts(3)))
    recut = [again.task("send", part).returned for part in range(3)]
    assert [part["asked"] for part in recut] == [0, 0, 0]
    assert sum(int(str(part["already"])) for part in recut) == 40
    assert campaigns.names() == [OF_DATE]
    assert sandbox.takes_by_phone() == numbers(*range(40))


@in_this_process
def test_dag_test_of_a_date_is_the_campaign_of_that_date(sandbox: SandboxProcess, campaigns: Campaigns) -> None:
    dag = sending()
    run_dag(dag, logical_date=DATE)
    dag.test(logical_date=DATE)
    assert campaigns.names() == [OF_DATE]
    assert sandbox.takes_by_phone() == numbers(0, 1)


@in_this_process
def test_dag_test_without_a_date_is_the_campaign_of_this_moment(campaigns: Campaigns) -> None:
    dag = sending()
    run_dag(dag, logical_date=DATE)
    run = dag.test()
    now = run.logical_date.astimezone(UTC)
    assert campaigns.names() == [OF_DATE, f"identity.send@{now:%Y-%m-%dT%H:%M:%SZ}"]


ASSETS = """
from airflow.sdk import DAG, Asset, task
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator

due = Asset("due_today")

with DAG("identity_loads", schedule=None):
    @task(outlets=[due])
    def load():
        pass

    load()

with DAG("identity_of_assets", schedule=[due]):
    SendRvmOperator(
        task_id="send",
        contacts=lambda: {contacts!r},
        key_column="contact_id",
        dropcowboy_conn_id="identity_of_assets",
        **{voicemail!r},
    )
"""


def test_each_run_that_an_asset_triggers_is_a_campaign_of_its_own(
    airflow_processes: AirflowProcesses, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    airflow, dag_id = airflow_processes, "identity_of_assets"
    fields = connection_to(sandbox)
    airflow.add_connection("identity_ledger", conn_type="sqlite", host=str(tmp_path / "ledger.db"))
    extra = {**fields["extra"], "ledger_conn_id": "identity_ledger"}
    airflow.add_connection(dag_id, **fields | {"extra": json.dumps(extra)})
    airflow.add_dag(dag_id, ASSETS.format(contacts=rows(2), voicemail=VOICEMAIL))
    for _ in range(2):
        before = airflow.runs(dag_id)
        airflow.trigger("identity_loads")
        airflow.wait_until(partial(_has_new_run, airflow, dag_id, before), until="the asset triggers a run")
    run_ids = sorted(airflow.runs(dag_id))
    assert all(run_id.startswith("asset_triggered__") for run_id in run_ids)
    campaigns = []
    for run_id in run_ids:
        assert airflow.wait_for_run(dag_id, run_id) == "success"
        returned = airflow.return_value(dag_id, run_id, task_id="send")
        assert isinstance(returned, dict)
        campaigns.append(returned["campaign"])
    assert campaigns == [f"{dag_id}.send@{run_id}" for run_id in run_ids]


def _has_new_run(airflow: AirflowProcesses, dag_id: str, before: Collection[str]) -> bool:
    return len(airflow.runs(dag_id)) > len(before)
