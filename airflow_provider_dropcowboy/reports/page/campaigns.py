"""The list of campaigns, a page at a time: which a person may see, what is looked for, and in which order."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from enum import StrEnum
from math import ceil
from typing import Any, Final, Protocol

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.counts import kept_standing
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import live_runs, of_tasks
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, COUNTS, RUNS
from airflow_provider_dropcowboy.reports.status import Listed, list_campaigns
from airflow_provider_dropcowboy.states import State

PAGE_ROWS: Final = 25


class Reader(Protocol):
    """A person who is logged in; checked anew for each page."""

    def may_see_dag(self, dag_id: str) -> bool:
        """Whether the person may read the runs of a DAG."""

    def may_see_others(self) -> bool:
        """Whether the person may see what no DAG has sent, but somebody at a shell."""


class Shown(StrEnum):
    """Which campaigns are in the list."""

    SENT = ""  # those that sent something, are sending, or wait
    SENDING = "sending"
    WAITING = "waiting"
    DOUBT = "doubt"
    NOTHING = "nothing"


class Order(StrEnum):
    """By what the list is sorted."""

    NEWEST = ""
    NAME = "name"
    SENT = "sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter:
    """What is looked for.

    :param search: a part of the name, in any case; empty: any.
    :param dag_id: that had a run of it; empty: any.
    :param channel: ``rvm`` or ``sms``; empty: both.
    :param since: the first day, ``2026-11-28``, of a run of it; empty: any.
    :param zone: in which that day begins.
    """

    search: str = ""
    dag_id: str = ""
    channel: str = ""
    shown: Shown = Shown.SENT
    since: str = ""
    order: Order = Order.NEWEST
    zone: tzinfo = UTC

    @property
    def is_empty(self) -> bool:
        """Whether everything that sent something is shown."""
        return not (self.search or self.dag_id or self.channel or self.since or self.shown)


@dataclass(frozen=True, slots=True, kw_only=True)
class CampaignList:
    """One page of the list.

    :param number: of the page, from 1.
    :param total: campaigns on all pages.
    :param silent: campaigns that the same filter finds and that sent nothing.
    :param dag_ids: of which the person may see campaigns.
    """

    items: Sequence[Listed]
    wanted: Filter
    number: int
    total: int
    silent: int
    dag_ids: Sequence[str]

    @property
    def pages(self) -> int:
        """How many there are; at least one."""
        return max(ceil(self.total / PAGE_ROWS), 1)

    @property
    def is_sending(self) -> bool:
        """Whether anything on it changes by itself."""
        return any(item.is_sending for item in self.items)


def read_campaigns(ledger: Ledger, reader: Reader, *, wanted: Filter, number: int) -> CampaignList:
    """A page of the campaigns that the reader may see.

    :param number: of the page, from 1; the last one if there are fewer.
    """
    with ledger.reading() as connection:
        at = now(connection)
        dag_ids = _seen_dags(connection, reader)
        which = [is_visible(connection, reader, dag_ids=dag_ids), *_conditions(wanted)]
        if wanted.shown in {Shown.SENT, Shown.NOTHING}:
            silent = _count(connection, [*which, sa.not_(_has_begun(at))])
            which.append(_has_begun(at) if wanted.shown is Shown.SENT else sa.not_(_has_begun(at)))
        else:
            silent = 0
            which.append(_SHOWN[wanted.shown](at))
        total = _count(connection, which)
        number = max(1, min(number, ceil(total / PAGE_ROWS)))
        found = sa.select(CAMPAIGNS).where(*which).order_by(*_ORDERS[wanted.order], CAMPAIGNS.c.id.desc())
        return CampaignList(
            items=list_campaigns(connection, found.limit(PAGE_ROWS).offset((number - 1) * PAGE_ROWS)),
            wanted=wanted,
            number=number,
            total=total,
            silent=silent,
            dag_ids=sorted(dag_id for dag_id in dag_ids if dag_id is not None),
        )


def is_visible(
    connection: sa.Connection, reader: Reader, *, dag_ids: set[str | None] | None = None
) -> sa.ColumnElement[bool]:
    """Whether a campaign had a run that the person may see.

    :param dag_ids: that the person may see; None: not known yet.
    """
    seen = _seen_dags(connection, reader) if dag_ids is None else dag_ids
    if len(seen) == len(_all_dags(connection)):
        return sa.true()
    named = RUNS.c.dag_id.in_([dag_id for dag_id in seen if dag_id is not None])
    is_seen = sa.or_(named, RUNS.c.dag_id.is_(None)) if None in seen else named
    return CAMPAIGNS.c.id.in_(sa.select(RUNS.c.campaign_id).where(is_seen))


def _all_dags(connection: sa.Connection) -> set[str | None]:
    return set(connection.execute(sa.select(RUNS.c.dag_id).distinct()).scalars())


def _seen_dags(connection: sa.Connection, reader: Reader) -> set[str | None]:
    """None among them: what a shell has sent."""
    return {
        dag_id
        for dag_id in _all_dags(connection)
        if (reader.may_see_others() if dag_id is None else reader.may_see_dag(dag_id))
    }


def _conditions(wanted: Filter) -> list[sa.ColumnElement[bool]]:
    which: list[sa.ColumnElement[bool]] = []
    if wanted.search:
        which.append(CAMPAIGNS.c.name.icontains(wanted.search, autoescape=True))
    if wanted.channel:
        which.append(CAMPAIGNS.c.channel == wanted.channel)
    if wanted.dag_id:
        which.append(_had_run(RUNS.c.dag_id == wanted.dag_id))
    if wanted.since:
        day_at = datetime.combine(datetime.fromisoformat(wanted.since), time(), tzinfo=wanted.zone)
        which.append(_had_run(RUNS.c.started_at >= day_at.astimezone(UTC)))
    return which


def _had_run(*which: sa.ColumnElement[bool]) -> sa.ColumnElement[bool]:
    return CAMPAIGNS.c.id.in_(sa.select(RUNS.c.campaign_id).where(*which))


def _is_sending(at: datetime) -> sa.ColumnElement[bool]:
    return _had_run(live_runs(at))


def _is_waiting(at: datetime) -> sa.ColumnElement[bool]:
    return _had_run(RUNS.c.next_opening_at > at - timedelta(minutes=15))  # a wave begins within minutes of its opening


def _has_doubt(at: datetime) -> sa.ColumnElement[bool]:
    in_doubt = sa.select(COUNTS.c.campaign_id).where(kept_standing(at) == State.UNKNOWN.value)
    return CAMPAIGNS.c.id.in_(in_doubt.group_by(COUNTS.c.campaign_id).having(sa.func.sum(COUNTS.c.sends) > 0))


def _has_begun(at: datetime) -> sa.ColumnElement[bool]:
    """Whether a message of it was ever claimed, or is about to be."""
    has_sends = sa.exists().where(COUNTS.c.campaign_id == CAMPAIGNS.c.id)
    return sa.or_(has_sends, _is_sending(at), _is_waiting(at))


_SHOWN: Final = {Shown.SENDING: _is_sending, Shown.WAITING: _is_waiting, Shown.DOUBT: _has_doubt}
_ORDERS: Final[dict[Order, list[sa.ColumnElement[Any]]]] = {
    Order.NEWEST: [],
    Order.NAME: [CAMPAIGNS.c.name.asc()],
    Order.SENT: [CAMPAIGNS.c.taken.desc()],
}


def _count(connection: sa.Connection, which: Sequence[sa.ColumnElement[bool]]) -> int:
    count: int = connection.execute(sa.select(sa.func.count()).select_from(CAMPAIGNS).where(*which)).scalar_one()
    return count


def read_run_campaigns(
    ledger: Ledger, *, dag_id: str, run_id: str, task_id: str | None = None, map_index: int | None = None
) -> list[Listed]:
    """What a DAG run has sent, the newest campaign first; the caller has seen to it that the DAG may be read.

    :param task_id: only of this task, and ``map_index`` of its mapped one.
    """
    which = of_tasks(RUNS, dag_id=dag_id, run_id=run_id, task_id=task_id, map_index=map_index)
    found = sa.select(CAMPAIGNS).where(_had_run(*which)).order_by(CAMPAIGNS.c.id.desc())
    with ledger.reading() as connection:
        return list_campaigns(connection, found)
