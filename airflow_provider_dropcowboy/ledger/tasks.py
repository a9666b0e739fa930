"""How a task instance ended, or what it waits for, where no run of a campaign tells it."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.ledger.schema import RUNS, TASKS


class TaskState(StrEnum):
    """What a task instance came to."""

    SKIPPED = "skipped"
    FAILED = "failed"
    WAITING = "waiting"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskNote:
    """The last that a task instance said of itself.

    :param map_index: None: it is not mapped.
    :param noted_at: by the ledger's clock; None: not in the ledger yet.
    :param message: why it was skipped or failed, in words of this package.
    :param campaign: that it sends, waits for, or exports, of ``account``.
    :param min_final_share: of the accepted sends, at which it stops waiting.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int | None
    state: TaskState
    message: str | None = None
    account: str | None = None
    campaign: str | None = None
    min_final_share: float | None = None
    noted_at: datetime | None = None


def note_task(ledger: Ledger, note: TaskNote) -> None:
    """The note takes the place of an earlier one of the same task instance."""
    values = asdict(note) | {"map_index": -1 if note.map_index is None else note.map_index, "state": note.state.value}
    instance = (TASKS.c[name] == values[name] for name in ("dag_id", "run_id", "task_id", "map_index"))
    with ledger.writing() as connection:
        connection.execute(TASKS.delete().where(*instance))
        connection.execute(TASKS.insert().values(values | {"noted_at": now(connection)}))


def of_tasks(
    table: sa.Table, *, dag_id: str, run_id: str, task_id: str | None, map_index: int | None
) -> list[sa.ColumnElement[bool]]:
    """Which rows of a table are of the tasks of a DAG run.

    :param task_id: only of this task, and ``map_index`` of its mapped one.
    """
    wanted = {"dag_id": dag_id, "run_id": run_id, "task_id": task_id, "map_index": map_index}
    return [table.c[name] == value for name, value in wanted.items() if value is not None]


def read_notes(
    ledger: Ledger, *, dag_id: str, run_id: str, task_id: str | None = None, map_index: int | None = None
) -> Sequence[TaskNote]:
    """Of the tasks of a DAG run, the latest first.

    :param task_id: only of this task, and ``map_index`` of its mapped one.
    """
    which = of_tasks(TASKS, dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index)
    with ledger.reading() as connection:
        rows = connection.execute(sa.select(TASKS).where(*which).order_by(TASKS.c.noted_at.desc(), TASKS.c.id.desc()))
        return [
            TaskNote(
                **{item.name: row[item.name] for item in fields(TaskNote) if item.name not in {"map_index", "state"}},
                map_index=None if row["map_index"] < 0 else row["map_index"],
                state=TaskState(row["state"]),
            )
            for row in rows.mappings()
        ]


def rows_read_last(ledger: Ledger, who: Who) -> int | None:
    """How many rows the task read when it last ended: about what it will read now. None: nobody knows.

    :param who: a task of a DAG; a command line reads another file every time.
    """
    if who.dag_id is None:
        return None
    with ledger.reading() as connection:
        counts = connection.execute(
            sa.select(RUNS.c.counts)
            .where(
                RUNS.c.dag_id == who.dag_id,
                RUNS.c.task_id == who.task_id,
                RUNS.c.map_index.is_not_distinct_from(who.map_index),
                RUNS.c.ended_at.is_not(None),
                RUNS.c.stop_reason.is_(None),
            )
            .order_by(RUNS.c.id.desc())
            .limit(1)
        ).scalar()
    return sum(counts.values()) if counts else None
