"""The campaigns of a ledger at a glance: where each stands, its counts, and its last run."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.counts import count_standing
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import SILENT_AFTER, is_live
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, RUNS
from airflow_provider_dropcowboy.states import State

BATCH: Final = 500


class Phase(StrEnum):
    """What a campaign is doing."""

    SENDING = "sending"
    WAITING = "waiting"  # for the next calling window
    PAUSED = "paused"
    STOPPED = "stopped"  # its last run failed, was skipped, or died
    FINISHED = "finished"


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
    of_run = (RUNS.c.dag_id, RUNS.c.started_at, RUNS.c.ended_at, RUNS.c.heartbeat_at, RUNS.c.stop_reason)
    found = (
        sa.select(*columns, *of_run, RUNS.c.next_opening_at)
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
            live = _live_among(connection, ids, at - SILENT_AFTER)
        for row in rows:
            glance = _glance(row, counts[row.id], at=at, is_sending=row.id in live)
            if phase in (None, glance.phase):
                yield glance
        if len(rows) < BATCH:
            return
        below = rows[-1].id


def _live_among(connection: sa.Connection, ids: list[int], since: datetime) -> frozenset[int]:
    """The campaigns of which any run lives; mapped tasks run beside each other."""
    which = (RUNS.c.campaign_id.in_(ids), RUNS.c.ended_at.is_(None), RUNS.c.heartbeat_at > since)
    return frozenset(connection.execute(sa.select(RUNS.c.campaign_id).where(*which)).scalars())


def _glance(row: Any, sends: Counter[State], *, at: datetime, is_sending: bool) -> Glance:
    opens_at = row.next_opening_at if row.next_opening_at is not None and row.next_opening_at > at else None
    has_died = row.started_at is not None and row.ended_at is None and not is_live(None, row.heartbeat_at, at=at)
    if is_sending:
        phase = Phase.SENDING
    elif row.paused_at is not None:
        phase = Phase.PAUSED
    elif row.stop_reason is not None or has_died:
        phase = Phase.STOPPED
    else:
        phase = Phase.FINISHED if opens_at is None else Phase.WAITING
    return Glance(
        account=row.account,
        name=row.name,
        channel=row.channel,
        phase=phase,
        dag_id=row.dag_id,
        last_run_at=row.started_at,
        opens_at=opens_at,
        why=row.stop_reason or ("its process died" if has_died else None),
        sends=sends,
    )
