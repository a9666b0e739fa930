"""Each example DAG does, in a real Airflow, what it says."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from airflow.utils.state import DagRunState

from tests.example_dags import FOLDER, example_dags
from tests.in_airflow.dag_runs import clear_and_rerun, run_dag
from tests.in_airflow.warehouse import Warehouse, number, numbers
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata_database", "vendor_connection")]

EXAMPLES = example_dags()
MONDAY = datetime(2026, 11, 23, tzinfo=UTC)
TUESDAY = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def due(warehouse: Warehouse) -> Warehouse:
    """Six contacts: three that can be sent to, one without consent, one without a number, one in there twice."""
    warehouse.due_today(
        (1, number(1), "70112", "Ada", 1),
        (2, "(504) 555-0102", "00501", "Bob", 1),
        (3, number(3), None, None, 1),
        (4, number(4), "70112", "Dan", 0),
        (5, "n/a", "70112", "Eve", 1),
        (1, number(1), "70112", "Ada", 1),
    )
    return warehouse


@pytest.mark.floor
def test_airflow_finds_the_examples_and_nothing_else_in_the_folder() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "airflow", "dags", "list", "--local", "--output", "json"],
        env=os.environ | {"AIRFLOW__CORE__DAGS_FOLDER": str(FOLDER)},
        capture_output=True,
        check=True,
    )
    listed = json.loads(done.stdout.splitlines()[-1])
    assert [dag["dag_id"] for dag in listed] == list(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_explains_itself_and_repeats_no_past_run(name: str) -> None:
    dag = EXAMPLES[name]
    assert dag.doc_md
    assert not dag.catchup
    assert all(task.retries and task.retry_delay.total_seconds() for task in dag.tasks)


@pytest.mark.floor
def test_the_warehouse_example_sends_a_voicemail_to_each_contact_who_may_get_one(
    due: Warehouse, sandbox: SandboxProcess
) -> None:
    run = run_dag(EXAMPLES["rvm_from_warehouse"], logical_date=TUESDAY)
    assert sandbox.takes_by_phone() == numbers(1, 2, 3)
    returned = dict(run.task("send").returned)
    assert float(str(returned.pop("seconds"))) > 0
    assert float(str(returned.pop("rate_per_s"))) > 0
    assert ", time zones 20" in str(returned.pop("calling_hours"))
    assert returned == {
        "campaign": "rvm_from_warehouse.send@2026-11-24T00:00:00Z",
        "read": 6,
        "invalid": 1,
        "suppressed": 1,
        "duplicate": 1,
        "accepted": 3,
        "asked": 3,
        "already": 0,
    }
    postal_codes = {send["phone_number"]: send["first_body"].get("postal_code") for send in sandbox.sends().values()}
    assert postal_codes == {number(1): "70112", number(2): "00501", number(3): None}


@pytest.mark.floor
def test_the_consent_example_texts_those_who_opted_in_by_name(due: Warehouse, sandbox: SandboxProcess) -> None:
    run_dag(EXAMPLES["sms_reminder_with_consent"], logical_date=TUESDAY)
    texts = {send["phone_number"]: send["first_body"]["sms_body"] for send in sandbox.sends().values()}
    tomorrow = "we see you tomorrow. Reply STOP to get no more texts."
    assert texts == {
        number(1): f"Hi Ada, {tomorrow}",
        number(2): f"Hi Bob, {tomorrow}",
        number(3): f"Hi there, {tomorrow}",
    }
    assert sandbox.takes_by_phone() == numbers(1, 2, 3)


def test_the_batches_of_the_example_are_one_campaign(warehouse: Warehouse, sandbox: SandboxProcess) -> None:
    warehouse.due_today(*((index, number(index), None, None, 1) for index in range(40)))
    run = run_dag(EXAMPLES["rvm_in_batches"], logical_date=TUESDAY)
    assert run.state == DagRunState.SUCCESS
    parts = [run.task("send", map_index).returned for map_index in range(4)]
    assert {part["campaign"] for part in parts} == {"rvm_in_batches.send@2026-11-24T00:00:00Z"}
    assert sum(int(str(part["read"])) for part in parts) == 40
    assert all(part["read"] for part in parts)
    assert sandbox.takes_by_phone() == numbers(*range(40))


def test_a_backfill_of_the_example_reads_its_own_day_and_asks_only_whom_the_day_missed(
    warehouse: Warehouse, sandbox: SandboxProcess
) -> None:
    warehouse.appointments((1, number(1), "2026-11-23", 1), (2, number(2), "2026-11-24", 1))
    monday = run_dag(EXAMPLES["backfill_safe_campaign"], logical_date=MONDAY)
    run_dag(EXAMPLES["backfill_safe_campaign"], logical_date=TUESDAY)
    assert sandbox.takes_by_phone() == numbers(1, 2)
    assert monday.task("remind").returned["campaign"] == "appointment reminder 2026-11-23"

    warehouse.appointments((3, number(3), "2026-11-23", 1))
    again = clear_and_rerun(monday)
    assert (again.task("remind").returned["asked"], again.task("remind").returned["already"]) == (1, 1)
    assert sandbox.takes_by_phone() == numbers(1, 2, 3)
