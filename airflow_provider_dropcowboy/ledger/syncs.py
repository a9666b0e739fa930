"""Syncs of contact lists: one of a list at a time, and who has it until when."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock
from airflow_provider_dropcowboy.errors import InterruptedRunError
from airflow_provider_dropcowboy.ledger.batch import insert_row
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import Who, of_tasks
from airflow_provider_dropcowboy.ledger.schema import METADATA, Instant

SYNCS: Final = sa.Table(
    "dropcowboy_syncs",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("account", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("mode", sa.String(8), nullable=False),
    sa.Column("dag_id", sa.String),
    sa.Column("task_id", sa.String),
    sa.Column("run_id", sa.String),
    sa.Column("try_number", sa.Integer),
    sa.Column("map_index", sa.Integer),
    sa.Column("worker", sa.String, nullable=False),  # host and process
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("held_until", Instant, nullable=False),  # nobody else touches the list before
    sa.Column("ended_at", Instant),
    sa.Column("step", sa.String, nullable=False),
    sa.Column("counts", sa.JSON, nullable=False),
    sa.Column("end_reason", sa.String),
)
sa.Index("dropcowboy_syncs_name", SYNCS.c.account, SYNCS.c.name)


LEASE: Final = timedelta(seconds=60)
"""How long after a step was written down its call may be begun; every step and every heartbeat begins it anew."""

MAX_SYNCS: Final = 50  # of a DAG run
LAST_SYNCS: Final = 5  # of one list
TAKEN_OVER: Final = "replaced by another sync"
DONE: Final = "done"
"""The last step of a sync that came to its end."""


@dataclass(frozen=True, slots=True)
class Sync:
    """A sync's row.

    :param quiet_after: the lease, and how long a call that was begun in it may be under way.
    """

    id: int
    account: str
    name: str
    quiet_after: timedelta


@dataclass(frozen=True, slots=True)
class Held:
    """Another sync has the list.

    :param until: nobody touches the list before; later, if that sync lives.
    :param at: the database's time.
    """

    sync_id: int
    who: str
    until: datetime
    at: datetime


def begin_sync(ledger: Ledger, account: str, *, name: str, mode: str, who: Who, timeout_s: float) -> Sync | Held:
    """The list is this sync's alone. A sync that died before is ended, and none of its later steps counts.

    :param name: of the list, or the id of a list without a name.
    :param timeout_s: for connecting, and for each wait on an answer.
    """
    quiet_after = LEASE + timedelta(seconds=2 * timeout_s)
    with ledger.claiming(account) as connection:
        at = now(connection)
        is_open = sa.and_(SYNCS.c.account == account, SYNCS.c.name == name, SYNCS.c.ended_at.is_(None))
        # by its end in the WHERE: a heartbeat that is being written is waited for, and counts
        connection.execute(
            SYNCS.update().where(is_open, SYNCS.c.held_until <= at).values(ended_at=at, end_reason=TAKEN_OVER)
        )
        other = connection.execute(
            sa.select(SYNCS.c.id, SYNCS.c.dag_id, SYNCS.c.task_id, SYNCS.c.worker, SYNCS.c.held_until).where(is_open)
        ).first()
        if other is not None:
            task = ".".join(filter(None, (other.dag_id, other.task_id)))
            return Held(other.id, f"{task or 'a sync'} on {other.worker}", other.held_until, at)
        row_id = insert_row(
            connection,
            SYNCS,
            account=account,
            name=name,
            mode=mode,
            **who.columns(),
            started_at=at,
            held_until=at + quiet_after,
            step="begin",
            counts={},
        )
        return Sync(row_id, account, name, quiet_after)


class Hold:
    """The list as long as it is this sync's: all that the sync writes, and asks for, goes through here.

    Not for two threads at once, but for :meth:`beat`.

    :ivar lease_ends: no call is begun after it.
    """

    def __init__(self, ledger: Ledger, sync: Sync, *, clock: Clock = SYSTEM_CLOCK) -> None:
        self.ledger = ledger
        self.sync = sync
        self.clock = clock
        self.lease_ends = clock.deadline(timedelta(0))

    @contextmanager
    def writing(self, step: str) -> Iterator[sa.Connection]:
        """A transaction that is on disk only if the list is still this sync's; then the lease begins anew.

        :raises InterruptedRunError: another sync took the list over; nothing is written.
        """
        lease_ends = self.clock.deadline(LEASE)
        with self.ledger.writing() as connection:
            self._renew(connection, step=step)
            yield connection
        self.lease_ends = lease_ends

    def beat(self) -> None:
        """The sync lives, whatever it is at.

        :raises InterruptedRunError: another sync took the list over.
        """
        with self.ledger.writing() as connection:
            self._renew(connection, step=None)

    def finish(self, counts: Mapping[str, int]) -> None:
        """The sync is done, and the list is free.

        :raises InterruptedRunError: another sync took the list over.
        """
        with self.writing(DONE) as connection:
            self._end(connection, counts=counts, reason=None)

    def give_up(self, reason: str) -> None:
        """The list is free, with whatever is left to do; nothing happens if it is another's already."""
        with self.ledger.writing() as connection:
            self._end(connection, counts={}, reason=reason)

    def _end(self, connection: sa.Connection, *, counts: Mapping[str, int], reason: str | None) -> None:
        at = now(connection)
        connection.execute(
            SYNCS.update()
            .where(SYNCS.c.id == self.sync.id, SYNCS.c.ended_at.is_(None))
            .values(ended_at=at, held_until=at, counts=dict(counts), end_reason=reason)
        )

    def _renew(self, connection: sa.Connection, *, step: str | None) -> None:
        values: dict[str, object] = {"held_until": now(connection) + self.sync.quiet_after}
        if step is not None:
            values["step"] = step
        done = connection.execute(
            SYNCS.update().where(SYNCS.c.id == self.sync.id, SYNCS.c.ended_at.is_(None)).values(values)
        )
        if done.rowcount != 1:
            raise InterruptedRunError(
                f"Contact list {self.sync.name!r} is another sync's: this one was silent for too long, and another one "
                "replaced it. It stopped before its next step; what it had written down, the other one continues."
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class PastSync:
    """One sync, for people.

    :param name: of the list.
    :param end_reason: why it ended early; None: it is done, or still at work.
    """

    name: str
    mode: str
    started_at: datetime
    ended_at: datetime | None
    step: str
    counts: Mapping[str, int]
    end_reason: str | None


def last_syncs(ledger: Ledger, account: str, *, name: str) -> list[PastSync]:
    """The last syncs of a list, the newest first."""
    return _past(ledger, SYNCS.c.account == account, SYNCS.c.name == name, count=LAST_SYNCS)


def syncs_of_run(
    ledger: Ledger, *, dag_id: str, run_id: str, task_id: str | None = None, map_index: int | None = None
) -> list[PastSync]:
    """The syncs of a DAG run, the newest first.

    :param task_id: only of this task, and ``map_index`` of its mapped one.
    """
    which = of_tasks(SYNCS, dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index)
    return _past(ledger, *which, count=MAX_SYNCS)


def _past(ledger: Ledger, *which: sa.ColumnElement[bool], count: int) -> list[PastSync]:
    columns = (SYNCS.c[item.name] for item in fields(PastSync))
    with ledger.reading() as connection:
        rows = connection.execute(sa.select(*columns).where(*which).order_by(SYNCS.c.id.desc()).limit(count))
        return [PastSync(**row) for row in rows.mappings()]
