"""Celery workers, a broker that hands tasks out twice, a triggerer that dies: the sandbox takes each message once."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import DAG
from airflow.utils.state import TaskInstanceState

from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from dags.demo.cluster import CAMPAIGN, CONCURRENCY, DAG_ID, SEND, WAIT, Cluster
from tests.in_airflow.celery_processes import SLOTS
from tests.in_airflow.dag_runs import run_dag
from tests.in_airflow.vendor import VOICEMAIL
from tests.in_airflow.warehouse import rows
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.airflow

PEOPLE: Final = 400
SLOW: Final = ("--latency-ms", "400", "--outcome", "success=0.9", "--outcome", "failure=0.1")

WATCHING: Final = f"""
from airflow.sdk import DAG
from airflow_provider_dropcowboy.sensors.delivery import DropCowboyDeliverySensor

with DAG("watching", schedule=None):
    DropCowboyDeliverySensor(task_id="wait", campaign="{CAMPAIGN}", deferrable=True, poke_interval=1)
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[Cluster]:
    """``make demo-distributed``, in small."""
    with Cluster(tmp_path, rows=PEOPLE, sandbox_options=SLOW) as started:
        yield started


@pytest.mark.timeout(900)
def test_a_killed_worker_a_killed_triggerer_and_tasks_that_are_handed_out_twice_call_nobody_twice(
    cluster: Cluster,
) -> None:
    airflow, sandbox = cluster.airflow, cluster.sandbox
    airflow.add_dag("watching", WATCHING)
    watching = airflow.trigger("watching")
    airflow.wait_for_task("watching", watching, task_id="wait", states=["deferred"])
    run_id = cluster.trigger()
    cluster.wait_for_takes(PEOPLE // 8)
    airflow.kill("worker-1")
    airflow.kill("triggerer")
    airflow.add_worker()
    airflow.start("triggerer")
    cluster.wait_for_success(run_id)
    assert airflow.wait_for_run("watching", watching) == "success"
    airflow.clear(DAG_ID, run_id, task_ids=[SEND, WAIT])
    cluster.wait_for_success(run_id)
    parts = cluster.returned(run_id)
    takes = sandbox.takes_by_phone()
    in_doubt = sum(part.get("unknown", 0) for part in parts)
    # what waits in another DAG may end between a lost worker's run and its retry; what comes after the tasks may not
    results = airflow.return_value(DAG_ID, run_id, task_id=WAIT)
    assert isinstance(results, dict)
    assert set(takes.values()) == {1}
    assert set(sandbox.asks().values()) == {1}
    assert set(takes) <= set(cluster.numbers)
    assert sum(part["read"] for part in parts) == PEOPLE == len(takes) + in_doubt
    assert sum(part["asked"] for part in parts) == 0
    assert results["delivered"] + results["failed"] == len(takes)
    assert in_doubt <= 3 * CONCURRENCY * SLOTS
    assert handed_out(cluster).most_common(1)[0][1] > 1, "the broker handed no task out twice"


def handed_out(cluster: Cluster) -> Counter[str]:
    """How often a worker was given each task, by the name that Celery gave it."""
    logs = [log.read_text(errors="replace") for log in cluster.airflow.home.glob("worker-*.log")]
    return Counter(name for log in logs for name in re.findall(r"execute_workload\[([0-9a-f-]+)\] received", log))


@pytest.mark.usefixtures("metadata_database", "vendor_connection")
def test_an_embedded_ledger_is_refused_at_the_first_task_that_could_run_on_another_machine(
    sandbox: SandboxProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DROPCOWBOY_LEDGER_URL")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.setenv("AIRFLOW__CORE__EXECUTOR", "CeleryExecutor")
    with DAG("spread", schedule=None) as dag:
        SendRvmOperator(task_id="send", contacts=rows(3), key_column="contact_id", **VOICEMAIL)
    send = run_dag(dag).task("send")
    assert send.state == TaskInstanceState.FAILED
    assert isinstance(send.error, AirflowFailException)
    assert "Set ledger_conn_id in the connection, or DROPCOWBOY_LEDGER_URL, to a PostgreSQL database" in str(send.error)
    assert sandbox.takes()["asks"] == 0
    assert not (tmp_path / "dropcowboy-ledger.db").exists()
