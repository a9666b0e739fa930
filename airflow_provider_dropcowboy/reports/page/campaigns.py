"""The list of campaigns: the newest first, a page at a time, found by a part of the name."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from math import ceil
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.counts import count_standing
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import live_runs
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, RUNS
from airflow_provider_dropcowboy.reports.page.sight import Reader, is_visible
from airflow_provider_dropcowboy.states import State

PAGE_ROWS: Final = 25


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A campaign in the list.

    :param counts: sends by state, as they are counted.
    :param last_run_at: when its last run began; None: it never had one.
    :param is_sending: a run of it lives.
    """

    account: str
    name: str
    channel: str
    counts: Counter[State]
    last_run_at: datetime | None
    is_sending: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignList:
    """One page of the list.

    :param number: of the page, from 1.
    :param total: campaigns on all pages.
    """

    items: Sequence[Listed]
    search: str
    number: int
    total: int

    @property
    def pages(self) -> int:
        """How many there are; at least one."""
        return max(ceil(self.total / PAGE_ROWS), 1)

    @property
    def is_sending(self) -> bool:
        """Whether anything on it changes by itself."""
        return any(item.is_sending for item in self.items)


def read_campaigns(ledger: Ledger, reader: Reader, *, search: str, number: int) -> CampaignList:
    """A page of the campaigns that the reader may see.

    :param search: a part of the name, in any case; empty: all.
    :param number: of the page, from 1; the last one if there are fewer.
    """
    with ledger.reading() as connection:
        which = [is_visible(connection, reader)]
        if search:
            which.append(CAMPAIGNS.c.name.icontains(search, autoescape=True))
        total = connection.execute(sa.select(sa.func.count()).select_from(CAMPAIGNS).where(*which)).scalar_one()
        number = max(1, min(number, ceil(total / PAGE_ROWS)))
        rows = connection.execute(
            sa.select(CAMPAIGNS.c.id, CAMPAIGNS.c.account, CAMPAIGNS.c.name, CAMPAIGNS.c.channel)
            .where(*which)
            .order_by(CAMPAIGNS.c.id.desc())
            .limit(PAGE_ROWS)
            .offset((number - 1) * PAGE_ROWS)
        ).all()
        return CampaignList(items=_listed(connection, rows), search=search, number=number, total=total)


def read_run_campaigns(
    ledger: Ledger, *, dag_id: str, run_id: str, task_id: str | None = None, map_index: int | None = None
) -> list[Listed]:
    """What a DAG run has sent, the newest campaign first; the caller has seen to it that the DAG may be read.

    :param task_id: only of this task, and ``map_index`` of its mapped one.
    """
    which = [RUNS.c.dag_id == dag_id, RUNS.c.run_id == run_id]
    if task_id is not None:
        which.append(RUNS.c.task_id == task_id)
    if map_index is not None:
        which.append(RUNS.c.map_index == map_index)
    with ledger.reading() as connection:
        rows = connection.execute(
            sa.select(CAMPAIGNS.c.id, CAMPAIGNS.c.account, CAMPAIGNS.c.name, CAMPAIGNS.c.channel)
            .where(CAMPAIGNS.c.id.in_(sa.select(RUNS.c.campaign_id).where(*which)))
            .order_by(CAMPAIGNS.c.id.desc())
        ).all()
        return _listed(connection, rows)


def _listed(connection: sa.Connection, rows: Sequence[Any]) -> list[Listed]:
    at = now(connection)
    ids = [row.id for row in rows]
    counts = count_standing(connection, ids, at=at)
    runs = connection.execute(
        sa.select(
            RUNS.c.campaign_id,
            sa.func.max(RUNS.c.started_at).label("last_run_at"),
            sa.func.count(sa.case((live_runs(at), 1))).label("live"),
        )
        .where(RUNS.c.campaign_id.in_(ids))
        .group_by(RUNS.c.campaign_id)
    )
    run_of = {run.campaign_id: (run.last_run_at, bool(run.live)) for run in runs}
    listed = []
    for row in rows:
        last_run_at, is_sending = run_of.get(row.id, (None, False))
        listed.append(
            Listed(
                account=row.account,
                name=row.name,
                channel=row.channel,
                counts=counts[row.id],
                last_run_at=last_run_at,
                is_sending=is_sending,
            )
        )
    return listed
