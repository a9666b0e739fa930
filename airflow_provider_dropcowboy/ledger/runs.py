"""Runs and tasks: who is sending at this moment, and how each task instance ended or what it waits for."""

import os
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.batch import insert_row
from airflow_provider_dropcowboy.ledger.campaigns import Campaign
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.schema import RUNS, TASKS

SILENT_AFTER: Final = timedelta(seconds=60)
"""A run without a heartbeat for so long counts as dead; it beats every second or so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Who runs: an Airflow task instance, or a command line (then only ``task_id`` is set).

    :param due_at: when the DAG run was due; the same in every try and after a clear, unlike its start.
    :param earlier_ledger: ID of the ledger that the task used last; empty: it used none yet. None: it is not known.
    :param sibling_ledgers: IDs of the ledgers that other tasks of the DAG run used for the same campaign or list.
    :param has_begun: the task, or another of its DAG run, began this very campaign or list before.
    :param remember: keeps the ID of the ledger for later tries of the task, and for its DAG run.
    """

    dag_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    try_number: int | None = None
    map_index: int | None = None
    due_at: datetime | None = None
    earlier_ledger: str | None = None
    sibling_ledgers: frozenset[str] = frozenset()
    has_begun: bool = False
    remember: Callable[[str], object] | None = field(default=None, repr=False, compare=False)

    def columns(self) -> dict[str, object]:
        """As the tables of runs and of syncs name the task instance and this process."""
        names = ("dag_id", "task_id", "run_id", "try_number", "map_index")
        return {name: getattr(self, name) for name in names} | {"worker": this_process()}

    @property
    def is_command_line(self) -> bool:
        """No task: nothing says when it was due, or what it did before."""
        return self.dag_id is None and self.due_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a run was given that its report shows.

    :param gets_results: callbacks can arrive; None: not known.
    :param budget_micros: of the campaign, in millionths of a US dollar; None: no budget.
    """

    gets_results: bool | None = None
    budget_micros: int | None = None


NO_TERMS: Final = Terms()


@dataclass(frozen=True, slots=True)
class Run:
    """A run's row."""

    id: int
    campaign: Campaign


def begin_run(
    ledger: Ledger,
    campaign: Campaign,
    *,
    who: Who,
    wanted: int,
    started_at: datetime | None = None,
    terms: Terms = NO_TERMS,
) -> Run:
    """Enter a run; it has no connections until it seeks its share of the account's.

    :param wanted: connections it could use.
    :param started_at: by the ledger's clock: with the process it names the run, which is entered once, however often
        this is called. None: now, and it is entered anew.
    """
    # under the account's lock: a COMMIT whose answer was lost may still be under way, and holds it until it is over
    with ledger.claiming(campaign.account) as connection:
        at = now(connection)
        is_it = sa.and_(
            RUNS.c.campaign_id == campaign.id, RUNS.c.worker == this_process(), RUNS.c.started_at == started_at
        )
        entered = connection.execute(sa.select(RUNS.c.id).where(is_it)).scalar() if started_at is not None else None
        if entered is not None:
            return Run(entered, campaign)
        run_id = insert_row(
            connection,
            RUNS,
            campaign_id=campaign.id,
            account=campaign.account,
            **who.columns(),
            started_at=started_at or at,
            heartbeat_at=at,
            wanted=wanted,
            connections=0,
            counts={},
            **asdict(terms),
        )
        return Run(run_id, campaign)


def end_run(
    ledger: Ledger,
    run: Run,
    *,
    counts: Mapping[str, int],
    reason: str | None,
    next_opening_at: datetime | None = None,
    verdicts: Mapping[str, Mapping[str, int]] | None = None,
    unreadable_suppressions: int | None = None,
    waits: bool = False,
    openings: Mapping[str, Mapping[str, int]] | None = None,
    error: str | None = None,
) -> None:
    """Give the connections back; the row stays as a record of what the run did.

    :param next_opening_at: the first moment at which a row that it held may be called; None: none waits for one.
    :param verdicts: of the rows that it did not ask for: by state, how many for which reason.
    :param unreadable_suppressions: entries of its suppression list that were no numbers, and were allowed to be none.
    :param waits: another wave follows by itself at ``next_opening_at``.
    :param openings: rows that it held: by the instant of their opening, in ISO 8601, how many in which places.
    :param error: with which it failed, in words of this package.
    """
    with ledger.writing() as connection:
        at = now(connection)
        connection.execute(
            RUNS.update()
            .where(RUNS.c.id == run.id)
            .values(
                heartbeat_at=at,
                ended_at=at,
                counts=dict(counts),
                stop_reason=reason,
                next_opening_at=next_opening_at,
                verdicts=verdicts,
                unreadable_suppressions=unreadable_suppressions,
                waits=waits,
                openings=openings,
                error=error,
            )
        )


def explain_run(ledger: Ledger, run: Run, *, error: str) -> None:
    """The run, which has ended, failed with this error, in words of this package."""
    with ledger.writing() as connection:
        connection.execute(RUNS.update().where(RUNS.c.id == run.id).values(error=error))


def live_runs(at: datetime) -> sa.ColumnElement[bool]:
    """Which runs may still be working.

    :param at: now, by the database's clock.
    """
    return sa.and_(RUNS.c.ended_at.is_(None), RUNS.c.heartbeat_at > at - SILENT_AFTER)


def is_live(ended_at: datetime | None, heartbeat_at: datetime | None, *, at: datetime) -> bool:
    """The same of a run that was read."""
    return ended_at is None and heartbeat_at is not None and heartbeat_at > at - SILENT_AFTER


def this_process() -> str:
    """Host and process, as the tables of runs and of syncs name who works."""
    return f"{socket.gethostname()}:{os.getpid()}"


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
