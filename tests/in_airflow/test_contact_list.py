"""Contact lists in a real Airflow: whatever it repeats, the list is what the source says."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.serialized_dag import SerializedDagModel
from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException
from airflow.sdk import DAG, task
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from sqlalchemy import select

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.operators.contact_list import SyncContactListOperator
from airflow_provider_dropcowboy.sensors.contact_list import DropCowboyContactListSensor
from dags.contact_list_mirror import dag as example
from tests.in_airflow.dag_runs import clear_and_rerun, run_dag
from tests.in_airflow.warehouse import Warehouse, number, rows
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata_database", "vendor_connection")]

LOGICAL_DATE = datetime(2026, 11, 24, tzinfo=UTC)
FIELDS = {"record_id": "contact_id", "phone": "phone"}


def syncing(**arguments: Any) -> DAG:
    """A DAG that mirrors three contacts."""
    with DAG("lists", schedule=None) as dag:
        made_of = {"contacts": rows(3), "list_name": "leads", "mode": "mirror", "key_column": "contact_id"}
        SyncContactListOperator(task_id="sync", fields=FIELDS, **{**made_of, **arguments})
    return dag


def phones(sandbox: SandboxProcess) -> dict[str, list[str]]:
    """The numbers in each list, by its name."""
    return {made["list_name"]: [one["phone"] for one in made["contacts"]] for made in sandbox.lists().values()}


def shown_in_airflow() -> str:
    """Rendered fields and serialized DAGs, as everybody sees them who may read the DAG."""
    with create_session() as session:
        fields = [row.rendered_fields for row in session.scalars(select(RenderedTaskInstanceFields))]
        dags = [row.data for row in session.scalars(select(SerializedDagModel))]
    return json.dumps([fields, dags], default=str)


@pytest.mark.floor
def test_the_example_mirrors_the_table_and_waits_until_the_vendor_counts_it(
    warehouse: Warehouse, sandbox: SandboxProcess
) -> None:
    warehouse.due_today(
        (1, number(1), "70112", "Ada", 1),
        (2, "(504) 555-0102", "501", "Bob", 1),
        (3, number(3), None, None, 0),
        (4, "n/a", None, "Dan", 1),
    )
    run = run_dag(example, logical_date=LOGICAL_DATE)
    assert run.state == DagRunState.SUCCESS
    assert phones(sandbox) == {"Due today": [number(1), number(2)]}
    (made,) = sandbox.lists().values()
    assert [contact.get("postal") for contact in made["contacts"]] == ["70112", "00501"]
    returned = dict(run.task("mirror").returned)
    assert float(str(returned.pop("seconds"))) > 0
    assert returned == {
        "list_name": "Due today",
        "list_id": made["list_id"],
        "read": 3,
        "added": 2,
        "changed": 0,
        "unchanged": 0,
        "rejected": 0,
        "unknown": 0,
        "invalid": 1,
        "suppressed": 0,
        "duplicate": 0,
        "removed": 0,
        "contact_count": 2,
        "appends": 1,
        "calls": 4,
        "is_rebuilt": False,
        "left_over": [],
    }
    assert run.task("ready").returned == {"list_id": made["list_id"], "contact_count": 2}


def test_a_cleared_mirror_asks_nothing(sandbox: SandboxProcess) -> None:
    run = run_dag(syncing(), logical_date=LOGICAL_DATE)
    again = clear_and_rerun(run).task("sync").returned
    assert (again["calls"], again["unchanged"]) == (0, 3)
    assert phones(sandbox) == {"leads": [number(0), number(1), number(2)]}


def test_a_cleared_append_appends_nobody_again(sandbox: SandboxProcess) -> None:
    contacts = rows(2)
    run = run_dag(syncing(mode="append", contacts=lambda: contacts), logical_date=LOGICAL_DATE)
    contacts += rows(3)[2:]
    assert clear_and_rerun(run).task("sync").returned["added"] == 1
    assert phones(sandbox) == {"leads": [number(0), number(1), number(2)]}


def test_a_vendor_that_takes_nothing_now_is_asked_by_the_retry(sandbox: SandboxProcess) -> None:
    sandbox.fault("429_seconds", route="create", times=8, delay_s=0)
    run = run_dag(syncing(retries=1, retry_delay=timedelta(0)), logical_date=LOGICAL_DATE)
    assert (run.task("sync").state, run.task("sync").try_number) == (TaskInstanceState.SUCCESS, 2)
    assert phones(sandbox) == {"leads": [number(0), number(1), number(2)]}


def test_a_mirror_of_nothing_fails_without_a_retry_and_changes_nothing(sandbox: SandboxProcess) -> None:
    contacts = rows(3)
    dag = syncing(contacts=lambda: contacts, retries=2, retry_delay=timedelta(0))
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    contacts.clear()
    again = clear_and_rerun(run).task("sync")
    assert isinstance(again.error, AirflowFailException)
    assert "would lose 3 of its 3 contacts" in str(again.error)
    assert phones(sandbox) == {"leads": [number(0), number(1), number(2)]}


def test_contacts_of_a_task_before_are_shown_nowhere(sandbox: SandboxProcess) -> None:
    @task
    def pick() -> list[dict[str, object]]:
        return rows(3)

    with DAG("lists", schedule=None) as dag:
        syncing_task = SyncContactListOperator(
            task_id="sync", list_name="leads", mode="mirror", key_column="contact_id", fields=FIELDS, contacts=pick()
        )
    assert syncing_task.upstream_task_ids == {"pick"}
    assert run_dag(dag, logical_date=LOGICAL_DATE).state == DagRunState.SUCCESS
    assert len(phones(sandbox)["leads"]) == 3
    assert number(1) not in shown_in_airflow()


def test_numbers_of_a_suppression_query_are_left_out(warehouse: Warehouse, sandbox: SandboxProcess) -> None:
    warehouse.due_today((1, "504-555-0101", None, None, 0))
    dag = syncing(suppression_sql="SELECT phone FROM due_today", suppression_conn_id="warehouse")
    assert run_dag(dag, logical_date=LOGICAL_DATE).task("sync").returned["suppressed"] == 1
    assert phones(sandbox) == {"leads": [number(0), number(2)]}


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        ({"fields": {"telephone": "phone"}}, "does not know these contact fields: telephone"),
        ({"fields": {"first_name": "first"}}, "has no phone"),
        ({"list_id": "1", "list_name": None}, "list adopt"),
        ({"list_id": "1"}, "exactly one of list_name and list_id"),
        ({"on_change": "append"}, 'is for mode="append"'),
        ({"max_shrink": 2}, "max_shrink is 2"),
        ({"mode": "replace"}, "mode is 'replace'"),
        ({"sql": "SELECT 1"}, "exactly one of sql, contacts and path"),
        ({"region": "usa"}, "region 'usa' is not a country"),
    ],
)
def test_wrong_arguments_fail_when_the_dag_is_parsed(arguments: dict[str, Any], complaint: str) -> None:
    made_of = {"contacts": rows(1), "list_name": "leads", "mode": "mirror", "fields": FIELDS, **arguments}
    with pytest.raises(ConfigurationError, match=complaint):
        SyncContactListOperator(task_id="sync", **made_of)


def test_a_name_that_renders_to_nothing_fails_before_anything_is_asked(sandbox: SandboxProcess) -> None:
    run = run_dag(syncing(list_name="{{ params.name }}", params={"name": " "}), logical_date=LOGICAL_DATE)
    assert "names no list" in str(run.task("sync").error)
    assert sandbox.lists() == {}


class TestTheSensor:
    @pytest.fixture(params=[False, True], ids=["poking", "deferred"])
    def waiting(self, request: pytest.FixtureRequest) -> Callable[..., DAG]:
        """A DAG that waits for a list, in a worker and in the triggerer."""

        def make(**arguments: Any) -> DAG:
            with DAG("waiting", schedule=None) as dag:
                DropCowboyContactListSensor(
                    task_id="ready", **{"deferrable": request.param, "poke_interval": 0.1, "timeout": 30.0, **arguments}
                )
            return dag

        return make

    def test_it_ends_when_the_vendor_counts_enough(self, waiting: Callable[..., DAG], sandbox: SandboxProcess) -> None:
        synced = run_dag(syncing(), logical_date=LOGICAL_DATE).task("sync").returned
        ways: list[dict[str, object]] = [{"list_name": "leads"}, {"list_id": synced["list_id"]}]
        for day, arguments in enumerate(ways):
            sandbox.fault("html_200_before", route="show", times=2)  # looked at in vain, twice
            run = run_dag(waiting(min_count=3, **arguments), logical_date=LOGICAL_DATE + timedelta(days=day))
            assert run.task("ready").returned == {"list_id": synced["list_id"], "contact_count": 3}

    def test_a_list_id_that_is_none_fails_without_a_retry(self, waiting: Callable[..., DAG]) -> None:
        run = run_dag(waiting(list_id="0000", retries=2, retry_delay=timedelta(0)), logical_date=LOGICAL_DATE)
        assert isinstance(run.task("ready").error, AirflowFailException)
        assert run.task("ready").try_number == 1

    def test_without_a_ledger_a_name_says_nothing(self, waiting: Callable[..., DAG]) -> None:
        run = run_dag(waiting(list_name="leads"), logical_date=LOGICAL_DATE)
        assert isinstance(run.task("ready").error, AirflowException)
        assert "There is no ledger" in str(run.task("ready").error)

    def test_it_gives_up_after_its_timeout(self, sandbox: SandboxProcess) -> None:
        run_dag(syncing(), logical_date=LOGICAL_DATE)
        with DAG("waiting", schedule=None) as dag:
            DropCowboyContactListSensor(task_id="ready", list_name="leads", min_count=4, poke_interval=0.1, timeout=0.5)
        assert run_dag(dag, logical_date=LOGICAL_DATE).task("ready").state == TaskInstanceState.FAILED
