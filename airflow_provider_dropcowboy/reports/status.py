"""What a campaign is doing, decided in one place for the command line and the report page."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.runs import is_live, live_runs
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, RUNS

DIED: Final = "Its worker was lost. Clear the task, or run the command again, to send the rest."
"""Why a campaign stopped whose run neither ended nor gives a sign of life."""


class Phase(StrEnum):
    """What a campaign is doing."""

    SENDING = "sending"
    WAITING = "waiting"  # for the next calling window
    PAUSED = "paused"
    STOPPED = "stopped"  # its last run failed, was skipped, or died
    FINISHED = "finished"


class LastRun(Protocol):
    """The newest run of one task of the campaign."""

    @property
    def has_died(self) -> bool: ...
    @property
    def error(self) -> str | None: ...
    @property
    def stop_reason(self) -> str | None: ...
    @property
    def next_opening_at(self) -> datetime | None: ...
    @property
    def waits(self) -> bool: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a campaign is doing, and why.

    :param why: for which a run of it stopped.
    :param has_failed: the run failed; otherwise somebody stopped it, or it was skipped.
    :param opens_at: the next calling window that its held contacts wait for.
    :param waits: its task goes on by itself then.
    """

    phase: Phase
    why: str | None = None
    has_failed: bool = False
    opens_at: datetime | None = None
    waits: bool = False


def status_of(runs: Iterable[LastRun], *, is_sending: bool, is_paused: bool, at: datetime) -> Status:
    """Where a campaign stands by the newest run of each of its tasks.

    :param is_sending: any run of it lives.
    :param at: now, by the database's clock.
    """
    last = list(runs)
    if is_sending:
        return Status(phase=Phase.SENDING)
    if is_paused:
        return Status(phase=Phase.PAUSED)
    if any(run.has_died for run in last):
        return Status(phase=Phase.STOPPED, why=DIED, has_failed=True)
    for run in last:
        if why := run.error or run.stop_reason:
            return Status(phase=Phase.STOPPED, why=why, has_failed=run.error is not None)
    openings = [run.next_opening_at for run in last if run.next_opening_at is not None]
    waits = any(run.waits for run in last)
    if openings and (waits or min(openings) > at):
        return Status(phase=Phase.WAITING, opens_at=min(openings), waits=waits)
    return Status(phase=Phase.FINISHED)


def read_statuses(connection: sa.Connection, ids: Sequence[int], *, at: datetime) -> Mapping[int, Status]:
    """Where each of these campaigns stands.

    :param at: now, by the database's clock.
    """
    is_paused = sa.and_(CAMPAIGNS.c.id.in_(ids), CAMPAIGNS.c.paused_at.is_not(None))
    paused = frozenset(connection.execute(sa.select(CAMPAIGNS.c.id).where(is_paused)).scalars())
    live, runs = _live_among(connection, ids, at), _last_runs(connection, ids, at=at)
    return {key: status_of(runs.get(key, ()), is_sending=key in live, is_paused=key in paused, at=at) for key in ids}


@dataclass(frozen=True, slots=True, kw_only=True)
class _LastRun:
    """The newest run of a task of the campaign."""

    has_died: bool
    error: str | None
    stop_reason: str | None
    next_opening_at: datetime | None
    waits: bool


def _last_runs(connection: sa.Connection, ids: Sequence[int], *, at: datetime) -> Mapping[int, list[_LastRun]]:
    """Of each campaign the newest run of each of its tasks, the newest first."""
    task = (RUNS.c.campaign_id, RUNS.c.dag_id, RUNS.c.task_id, RUNS.c.map_index)
    newest = sa.select(sa.func.max(RUNS.c.id)).where(RUNS.c.campaign_id.in_(ids)).group_by(*task)
    found: dict[int, list[_LastRun]] = defaultdict(list)
    for row in connection.execute(sa.select(RUNS).where(RUNS.c.id.in_(newest)).order_by(RUNS.c.id.desc())):
        run = _LastRun(
            has_died=row.ended_at is None and not is_live(None, row.heartbeat_at, at=at),
            error=row.error,
            stop_reason=row.stop_reason,
            next_opening_at=row.next_opening_at,
            waits=bool(row.waits),
        )
        found[row.campaign_id].append(run)
    return found


def _live_among(connection: sa.Connection, ids: Sequence[int], at: datetime) -> frozenset[int]:
    """The campaigns of which any run lives; mapped tasks run beside each other."""
    which = (RUNS.c.campaign_id.in_(ids), live_runs(at))
    return frozenset(connection.execute(sa.select(RUNS.c.campaign_id).where(*which)).scalars())
