"""Runs of a DAG in a real Airflow inside the test's process: its scheduling, task runner and metadata database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self

from airflow.dag_processing.bundles.manager import DagBundlesManager
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.serialized_dag import SerializedDagModel
from airflow.models.taskinstance import TaskInstance, clear_task_instances
from airflow.models.xcom import XComModel
from airflow.sdk import DAG
from airflow.sdk.definitions.dag import _run_task
from airflow.serialization.serialized_objects import LazyDeserializedDAG, SerializedDAG  # type: ignore[attr-defined]  # 3.1's place
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, State, TaskInstanceState
from airflow.utils.types import DagRunTriggeredByType, DagRunType
from sqlalchemy import select
from sqlalchemy.orm import Session

BUNDLE: Final = "dags-folder"

UNMAPPED: Final = -1
"""Airflow's map index of a task that is not mapped."""


@dataclass(frozen=True, slots=True)
class FinishedTask:
    """What one task instance came to.

    :param error: what its last try of this run or rerun raised; None too where it did not run.
    """

    state: TaskInstanceState | None
    try_number: int
    error: BaseException | None
    xcoms: Mapping[str, object]

    @property
    def returned(self) -> Mapping[str, object]:
        """The dict that ``execute`` returned."""
        returned = self.xcoms["return_value"]
        assert isinstance(returned, dict)
        return returned


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run of a DAG that Airflow calls finished, success or not."""

    dag: DAG
    run_id: str
    state: DagRunState
    tasks: Mapping[tuple[str, int], FinishedTask]

    @classmethod
    def known(cls, dag: DAG, run_id: str) -> Self:
        """A run of another process that ended before it was finished."""
        return cls(dag, run_id, DagRunState.RUNNING, {})

    def task(self, task_id: str, map_index: int = UNMAPPED) -> FinishedTask:
        """One task of it."""
        return self.tasks[task_id, map_index]


def run_dag(
    dag: DAG,
    *,
    logical_date: datetime | None = None,
    run_type: DagRunType = DagRunType.MANUAL,
    run_conf: Mapping[str, object] | None = None,
    data_interval: tuple[datetime, datetime] | None = None,
) -> FinishedRun:
    """Run a DAG that was made in a test, or in a file, to its end: retries, mapped tasks and triggers included.

    Tasks run one after the other in this process. What they log goes through :mod:`logging` (``caplog``). A retry must
    be due at once (``retry_delay=timedelta(0)``). A callback of the whole DAG is not called, one of a task is.

    :param logical_date: aware; also both ends of the data interval, as with Airflow's own schedules, unless
        ``data_interval`` is given. None: a manual run without one.
    :param run_type: who started it, as the task sees it.
    :raises AssertionError: nothing can run any more and the run has not ended, as with a retry that is not due.
    """
    registered = _register(dag)
    now = datetime.now(UTC)
    run_after = logical_date or now
    run_id = DagRun.generate_run_id(run_type=run_type, logical_date=logical_date, run_after=run_after)
    with create_session() as session:
        registered.create_dagrun(
            run_id=run_id,
            logical_date=logical_date,
            data_interval=data_interval or ((logical_date, logical_date) if logical_date else None),
            run_after=run_after,
            conf=dict(run_conf or {}),
            run_type=run_type,
            triggered_by=DagRunTriggeredByType.TEST,
            state=DagRunState.RUNNING,
            start_date=now,
            session=session,
        )
    return _finish(dag, registered, run_id)


def run_as_a_developer_does(dag: DAG, *, logical_date: datetime) -> None:
    """Run a DAG by its own ``dag.test()``, which also calls the callbacks of the whole DAG."""
    _register(dag)
    dag.test(logical_date=logical_date)


def clear_and_rerun(run: FinishedRun, task_ids: Sequence[str] | None = None) -> FinishedRun:
    """Clear tasks of a finished run as the user interface does, and run them again: same run, next try.

    :param task_ids: the tasks to clear, downstream ones not added; None: all.
    """
    registered = _register(run.dag)
    with create_session() as session:
        tis = _dag_run(session, run.dag, run.run_id).get_task_instances(session=session)
        clear_task_instances([ti for ti in tis if task_ids is None or ti.task_id in task_ids], session)
    with create_session() as session:
        _dag_run(session, run.dag, run.run_id).state = DagRunState.RUNNING  # the scheduler's next act on a queued run
    return _finish(run.dag, registered, run.run_id)


def _register(dag: DAG) -> SerializedDAG:
    """Do the DAG processor's part; the DAG as the scheduler reads it from the database."""
    DagBundlesManager().sync_bundles_to_db()
    serialized = LazyDeserializedDAG.from_dag(dag)
    SerializedDAG.bulk_write_to_db(BUNDLE, None, [serialized])
    SerializedDagModel.write_dag(serialized, bundle_name=BUNDLE)
    with create_session() as session:
        registered = DBDagBag().get_latest_version_of_dag(dag.dag_id, session=session)
    assert registered is not None
    return registered


def _dag_run(session: Session, dag: DAG, run_id: str) -> DagRun:
    return session.scalars(select(DagRun).where(DagRun.dag_id == dag.dag_id, DagRun.run_id == run_id)).one()


def _finish(dag: DAG, registered: SerializedDAG, run_id: str) -> FinishedRun:
    """The loop of Airflow's own ``dag.test()``, which can neither choose the run's type nor run the same run again."""
    errors: dict[tuple[str, int], BaseException | None] = {}
    with create_session() as session:
        run = _dag_run(session, dag, run_id)
        run.dag = registered
        while True:
            session.expire_all()
            due, _ = run.update_state(session=session, execute_callbacks=False)
            for ti in due:
                if ti.state != TaskInstanceState.UP_FOR_RESCHEDULE:
                    ti.try_number += 1
                ti.state = TaskInstanceState.SCHEDULED
            session.commit()
            tis = run.get_task_instances(session=session)
            scheduled = [ti for ti in tis if ti.state == TaskInstanceState.SCHEDULED]
            if run.state != DagRunState.RUNNING:
                break
            waiting = [(ti.task_id, ti.map_index, ti.state) for ti in tis if ti.state not in State.finished]
            assert scheduled or not waiting, f"nothing can run: {waiting}"
            for ti in sorted(scheduled, key=lambda ti: (ti.task_id, ti.map_index)):
                result = _run_task(ti=ti, task=dag.task_dict[ti.task_id], run_triggerer=True)
                assert result is not None, f"Airflow could not run {ti.task_id}; the reason is in the log"
                errors[ti.task_id, ti.map_index] = result.error
        return FinishedRun(
            dag,
            run_id,
            DagRunState(run.state),
            {
                (ti.task_id, ti.map_index): _finished(session, ti, error=errors.get((ti.task_id, ti.map_index)))
                for ti in tis
            },
        )


def _finished(session: Session, ti: TaskInstance, *, error: BaseException | None) -> FinishedTask:
    rows = session.scalars(
        select(XComModel).where(
            XComModel.dag_id == ti.dag_id,
            XComModel.run_id == ti.run_id,
            XComModel.task_id == ti.task_id,
            XComModel.map_index == ti.map_index,
        )
    )
    state = TaskInstanceState(ti.state) if ti.state else None
    return FinishedTask(state, ti.try_number, error, {row.key: XComModel.deserialize_value(row) for row in rows})
