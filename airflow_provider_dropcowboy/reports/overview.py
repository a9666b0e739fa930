"""The campaigns of a ledger at a glance: where each stands, its counts, and its last run."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.counts import count_standing
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import is_live, live_runs
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, RUNS
from airflow_provider_dropcowboy.reports.status import Phase, Status, status_of
from airflow_provider_dropcowboy.states import State

BATCH: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Glance:
    """A campaign on one channel.

    :param dag_id: of its last run; None: a command's.
    :param last_run_at: when its last run began; None: it never had one.
    :param opens_at: the next calling window that its held contacts wait for.
    :param why: for which its last run stopped.
    :param sends: by state, ``expired`` among them.
    """

    account: str
    name: str
    channel: str
    phase: Phase
    dag_id: str | None
    last_run_at: datetime | None
    opens_at: datetime | None
    why: str | None
    sends: Counter[State]


def read_overview(
    ledger: Ledger,
    *,
    search: str | None = None,
    account: str | None = None,
    channel: str | None = None,
    dag_id: str | None = None,
    since: datetime | None = None,
    phase: Phase | None = None,
) -> Iterator[Glance]:
    """The campaigns for which all of it is true, the newest first.

    :param search: a part of the name, in any case.
    :param since: aware; its last run began then or later.
    """
    each = RUNS.alias()
    of_campaign = each.c.campaign_id == CAMPAIGNS.c.id
    last = sa.select(sa.func.max(each.c.id)).where(of_campaign).correlate(CAMPAIGNS).scalar_subquery()
    wanted = [
        *([CAMPAIGNS.c.name.icontains(search, autoescape=True)] if search else []),
        *([CAMPAIGNS.c.account == account] if account else []),
        *([CAMPAIGNS.c.channel == channel] if channel else []),
        *([RUNS.c.dag_id == dag_id] if dag_id else []),
        *([RUNS.c.started_at >= since] if since else []),
    ]
    columns = (CAMPAIGNS.c.id, CAMPAIGNS.c.account, CAMPAIGNS.c.name, CAMPAIGNS.c.channel, CAMPAIGNS.c.paused_at)
    found = (
        sa.select(*columns, RUNS.c.dag_id, RUNS.c.started_at)
        .outerjoin_from(CAMPAIGNS, RUNS, RUNS.c.id == last)
        .where(*wanted)
        .order_by(CAMPAIGNS.c.id.desc())
    )
    below: int | None = None
    while True:
        with ledger.reading() as connection:
            at = now(connection)
            page = found if below is None else found.where(CAMPAIGNS.c.id < below)
            rows = connection.execute(page.limit(BATCH)).all()
            ids = [row.id for row in rows]
            counts = count_standing(connection, ids, at=at)
            live = _live_among(connection, ids, at)
            runs = _last_runs(connection, ids, at=at)
        for row in rows:
            is_paused = row.paused_at is not None
            status = status_of(runs.get(row.id, ()), is_sending=row.id in live, is_paused=is_paused, at=at)
            glance = _glance(row, counts[row.id], status)
            if phase in (None, glance.phase):
                yield glance
        if len(rows) < BATCH:
            return
        below = rows[-1].id


@dataclass(frozen=True, slots=True, kw_only=True)
class _LastRun:
    """The newest run of a task of the campaign."""

    has_died: bool
    error: str | None
    stop_reason: str | None
    next_opening_at: datetime | None
    waits: bool


def _last_runs(connection: sa.Connection, ids: list[int], *, at: datetime) -> Mapping[int, list[_LastRun]]:
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


def _live_among(connection: sa.Connection, ids: list[int], at: datetime) -> frozenset[int]:
    """The campaigns of which any run lives; mapped tasks run beside each other."""
    which = (RUNS.c.campaign_id.in_(ids), live_runs(at))
    return frozenset(connection.execute(sa.select(RUNS.c.campaign_id).where(*which)).scalars())


def _glance(row: Any, sends: Counter[State], status: Status) -> Glance:
    return Glance(
        account=row.account,
        name=row.name,
        channel=row.channel,
        phase=status.phase,
        dag_id=row.dag_id,
        last_run_at=row.started_at,
        opens_at=status.opens_at,
        why=status.why,
        sends=sends,
    )
