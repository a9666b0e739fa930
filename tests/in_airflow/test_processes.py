"""The tests' own Airflow in processes does what a user sees in theirs."""

import pytest

from tests.in_airflow.processes import AirflowProcesses

pytestmark = pytest.mark.airflow

TOY = """
import threading
from airflow.sdk import dag, get_current_context, task
from airflow.sdk.bases.hook import BaseHook

@dag(schedule=None)
def toy():
    @task
    def greet(name):
        print("hello", name, "from", BaseHook.get_connection("toy_host").host)
        return {"name": name, "try_number": get_current_context()["ti"].try_number}

    @task
    def hang():
        print("hanging")
        if get_current_context()["ti"].try_number == 1:
            threading.Event().wait()

    greet.expand(name=["Ada", "Bob"])
    hang()

toy()
"""


def test_a_run_is_triggered_failed_by_hand_and_cleared(airflow_processes: AirflowProcesses) -> None:
    airflow = airflow_processes
    airflow.add_connection("toy_host", conn_type="http", host="example.com")
    airflow.add_dag("toy", TOY)
    run_id = airflow.trigger("toy", conf={"a": 1})
    airflow.wait_for_task("toy", run_id, task_id="hang", states=["running"])
    airflow.mark_failed("toy", run_id, task_id="hang")
    assert airflow.wait_for_run("toy", run_id) == "failed"
    assert airflow.return_value("toy", run_id, task_id="greet", map_index=1) == {"name": "Bob", "try_number": 1}
    assert "hello Bob from example.com" in airflow.log_text("toy", run_id, task_id="greet", map_index=1)

    airflow.clear("toy", run_id, task_ids=["hang"])
    assert airflow.wait_for_run("toy", run_id) == "success"
    assert "hanging" in airflow.log_text("toy", run_id, task_id="hang", try_number=2)
    assert airflow.return_value("toy", run_id, task_id="greet", map_index=1) == {"name": "Bob", "try_number": 1}
