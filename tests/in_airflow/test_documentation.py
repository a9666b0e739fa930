"""The examples of the documentation are taken by Airflow, and the quick start does what it says."""

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from textwrap import indent

import pytest
from airflow.dag_processing.dagbag import DagBag
from airflow.utils.state import DagRunState

from airflow_provider_dropcowboy.sandbox.catalog import POOL_ID
from tests.in_airflow.dag_runs import clear_and_rerun, run_as_a_developer_does, run_dag
from tests.in_airflow.warehouse import numbers
from tests.ports import free_ports
from tests.sandbox_process import SandboxProcess
from tests.unit.docs.examples import Example, examples

pytestmark = pytest.mark.airflow

PART_OF_A_DAG = """
from datetime import timedelta

from airflow.sdk import DAG
from airflow_provider_dropcowboy.operators.contact_list import SyncContactListOperator
from airflow_provider_dropcowboy.operators.deliveries import ExportDeliveriesOperator
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from airflow_provider_dropcowboy.operators.sms import SendSmsOperator
from airflow_provider_dropcowboy.sensors.contact_list import DropCowboyContactListSensor
from airflow_provider_dropcowboy.sensors.delivery import DropCowboyDeliverySensor

with DAG("part", schedule="@daily"):
    send = SendRvmOperator(task_id="send", contacts=[], recording_id="…")
"""
"""What stands around an example that is a part of a DAG, or shows a value."""

QUICK_START = "docs/quick-start.md"
ALERTS = [example for example in examples("python") if "DropCowboyNotifier(" in example.text]


@pytest.mark.parametrize("example", examples("python"), ids=lambda example: example.place)
def test_an_example_is_a_dag_that_airflow_takes(example: Example, tmp_path: Path) -> None:
    is_whole = "DAG(" in example.text or "@dag" in example.text
    file = tmp_path / "documented.py"
    file.write_text(example.text if is_whole else PART_OF_A_DAG + indent(example.text, "    "))
    bag = DagBag(tmp_path, safe_mode=False)
    assert bag.import_errors == {}
    assert bag.dags


@pytest.mark.usefixtures("metadata_database", "vendor_connection")
@pytest.mark.parametrize("example", ALERTS, ids=lambda example: example.place)
def test_an_example_of_an_alert_texts_the_on_call_what_it_says(
    example: Example, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    (tmp_path / "alert.py").write_text(example.text.replace('pool_id="…"', f'pool_id="{POOL_ID}"'))
    (dag,) = DagBag(tmp_path, safe_mode=False).dags.values()
    run_as_a_developer_does(dag, logical_date=datetime(2026, 11, 24, tzinfo=UTC))
    (send,) = sandbox.sends().values()
    text = send["first_body"]["sms_body"]
    assert text.startswith(("nightly.load failed. http", "hourly failed: task_failure. Run manual__"))


@pytest.mark.usefixtures("metadata_database", "vendor_connection")
def test_the_quick_start_in_airflow_calls_each_once(sandbox: SandboxProcess, tmp_path: Path) -> None:
    (example,) = in_quick_start("python")
    (tmp_path / "first_voicemail.py").write_text(example.text)
    dag = DagBag(tmp_path, safe_mode=False).dags["first_voicemail"]
    run = run_dag(dag)
    assert run.state is DagRunState.SUCCESS
    assert run.task("call").returned["asked"] == 2
    again = clear_and_rerun(run)
    assert again.task("call").returned["asked"] == 0
    assert run_dag(dag).task("call").returned["capped"] == 2
    assert sandbox.takes_by_phone() == numbers(3, 4)


def test_the_quick_start_on_the_command_line_delivers_to_each_once(sandbox: SandboxProcess, tmp_path: Path) -> None:
    (example,) = (block for block in in_quick_start("sh") if "dropcowboy send" in block.text)
    sandbox.settings(outcomes={"success": 1.0})
    text = example.text.replace("http://127.0.0.1:8765", sandbox.base_url).replace("8766", str(free_ports(1)[0]))
    # results may be on the way when the page's own report is printed
    text += "\nuntil dropcowboy report hello --conn env:DC | grep -E 'delivered +2 '; do :; done\nkill %1\n"
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-mc", text],
        env=os.environ | {"AIRFLOW_HOME": str(tmp_path), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert sandbox.takes_by_phone() == numbers(1, 2)


def in_quick_start(language: str) -> list[Example]:
    """The blocks of that page."""
    return [example for example in examples(language) if example.place.startswith(QUICK_START)]
