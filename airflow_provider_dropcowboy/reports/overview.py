"""The campaigns of a ledger at a glance: where each stands, its counts, and its last run."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.counts import count_standing
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, RUNS
from airflow_provider_dropcowboy.reports.status import Phase, Status, read_statuses
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
    columns = (CAMPAIGNS.c.id, CAMPAIGNS.c.account, CAMPAIGNS.c.name, CAMPAIGNS.c.channel)
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
            statuses = read_statuses(connection, ids, at=at)
        for row in rows:
            glance = _glance(row, counts[row.id], statuses[row.id])
            if phase in (None, glance.phase):
                yield glance
        if len(rows) < BATCH:
            return
        below = rows[-1].id


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
