"""The tests' own way of running Airflow does what a user's Airflow does."""

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airflow.sdk import DAG, BaseOperator, task
from airflow.sdk.definitions.context import Context
from airflow.triggers.base import BaseTrigger, TriggerEvent
from airflow.utils.state import DagRunState, TaskInstanceState
from airflow.utils.types import DagRunType

from tests.in_airflow.dag_runs import clear_and_rerun, run_dag

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata_database")]

log = logging.getLogger(__name__)

LOGICAL_DATE = datetime(2026, 11, 24, tzinfo=UTC)


class Identify(BaseOperator):
    """Returns what Airflow calls this task of this run."""

    template_fields = ("text",)

    def __init__(self, *, text: str = "", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.text = text

    def execute(self, context: Context) -> dict[str, object]:
        ti, run = context["ti"], context["dag_run"]
        log.info("identify %s", ti.map_index)
        return {
            "text": self.text,
            "run_id": run.run_id,
            "run_type": run.run_type,
            "conf": run.conf,
            "try_number": ti.try_number,
            "logical_date": str(context.get("logical_date")),
        }


class Echo(BaseTrigger):
    """Fires at once with what it was given."""

    def __init__(self, *, said: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # by way of super, mypy does not see whose it is
        self.said = said

    def serialize(self) -> tuple[str, dict[str, object]]:
        return f"{__name__}.Echo", {"said": self.said}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        yield TriggerEvent(self.said)


class Shout(BaseOperator):
    """Waits for its echo, deferred."""

    def execute(self, context: Context) -> None:
        self.defer(trigger=Echo(said="hello"), method_name="heard")

    def heard(self, context: Context, event: str) -> dict[str, object]:
        return {"heard": event}


@pytest.mark.floor
def test_a_task_sees_the_run_it_belongs_to(caplog: pytest.LogCaptureFixture) -> None:
    with DAG("toy", schedule=None) as dag:
        Identify(task_id="identify", text="{{ ds }}")
    with caplog.at_level(logging.INFO):
        run = run_dag(dag, logical_date=LOGICAL_DATE, run_type=DagRunType.SCHEDULED, run_conf={"a": 1})
    assert run.state == DagRunState.SUCCESS
    assert run.task("identify").returned == {
        "text": "2026-11-24",
        "run_id": "scheduled__2026-11-24T00:00:00+00:00",
        "run_type": "scheduled",
        "conf": {"a": 1},
        "try_number": 1,
        "logical_date": "2026-11-24 00:00:00+00:00",
    }
    assert "identify -1" in caplog.text


def test_a_manual_run_may_have_no_logical_date() -> None:
    with DAG("toy", schedule=None) as dag:
        Identify(task_id="identify")
    assert run_dag(dag).task("identify").returned["logical_date"] == "None"


def test_a_failed_task_is_retried_and_keeps_its_exception() -> None:
    @task(retries=1, retry_delay=timedelta(0))
    def fail() -> None:
        raise ValueError("no luck")

    with DAG("toy", schedule=None) as dag:
        fail() >> Identify(task_id="after")
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    assert run.state == DagRunState.FAILED
    assert run.task("fail").state == TaskInstanceState.FAILED
    assert run.task("fail").try_number == 2
    assert isinstance(run.task("fail").error, ValueError)
    assert run.task("after").state == TaskInstanceState.UPSTREAM_FAILED


def test_each_mapped_task_has_its_own_result() -> None:
    with DAG("toy", schedule=None) as dag:
        Identify.partial(task_id="identify").expand(text=["a", "b"])
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    assert [run.task("identify", map_index).returned["text"] for map_index in (0, 1)] == ["a", "b"]


def test_a_cleared_task_is_tried_again_in_the_same_run() -> None:
    with DAG("toy", schedule=None) as dag:
        Identify(task_id="first") >> Identify(task_id="second")
    run = run_dag(dag, logical_date=LOGICAL_DATE)
    rerun = clear_and_rerun(run, ["second"])
    assert rerun.state == DagRunState.SUCCESS
    assert rerun.run_id == run.run_id
    assert (rerun.task("first").try_number, rerun.task("second").try_number) == (1, 2)
    assert rerun.task("second").returned == {**run.task("second").returned, "try_number": 2}


@pytest.mark.floor
def test_a_deferred_task_is_resumed_with_its_event() -> None:
    with DAG("toy", schedule=None) as dag:
        Shout(task_id="shout")
    assert run_dag(dag).task("shout").returned == {"heard": "hello"}


def test_a_task_that_stops_itself_with_a_timeout_fails() -> None:
    @task(execution_timeout=timedelta(milliseconds=50))
    def hang() -> None:
        while True:
            pass

    with DAG("toy", schedule=None) as dag:
        hang()
    assert type(run_dag(dag).task("hang").error).__name__ == "AirflowTaskTimeout"
