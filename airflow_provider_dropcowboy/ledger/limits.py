"""What limits a run: what its campaign may still send and spend, how often a number was called, and connections."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final, TypedDict

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.batch import is_among, names
from airflow_provider_dropcowboy.ledger.campaigns import Campaign
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import Run, live_runs
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, RUNS, SENDS
from airflow_provider_dropcowboy.ledger.syncs import SYNCS
from airflow_provider_dropcowboy.states import BINDING


class Limits(TypedDict):
    """What a campaign may send, and spend in millionths of a US dollar; None: no limit."""

    limit: int | None
    budget_micros: int | None
    price_micros: int | None


@dataclass(frozen=True, slots=True)
class Allowance:
    """How many sends are left, and what will have ended them."""

    sends: int
    reason: str


def read_allowance(
    connection: sa.Connection,
    campaign: Campaign,
    *,
    limit: int | None,
    budget_micros: int | None,
    price_micros: int | None,
    foreseen: int = 0,
) -> Allowance | None:
    """What is left under the account's lock; None: nothing limits the campaign.

    A send counts from its claim, unless it is known that it was not accepted. Real costs beyond the price count too, as
    callbacks bring them.

    :param foreseen: sends that a preview has counted so far.
    """
    if limit is None and budget_micros is None:
        return None
    booked = connection.execute(
        sa.select(CAMPAIGNS.c.taken, CAMPAIGNS.c.extra_micros).where(CAMPAIGNS.c.id == campaign.id)
    ).one_or_none()
    taken, extra = booked or (0, 0)  # none: a preview of a campaign that was never begun
    return allowance_after(
        taken + foreseen,
        extra_micros=extra,
        limit=limit,
        budget_micros=budget_micros,
        price_micros=price_micros,
    )


def allowance_after(
    taken: int, extra_micros: int = 0, *, limit: int | None, budget_micros: int | None, price_micros: int | None
) -> Allowance | None:
    """What is left after so many sends, which cost so much beyond their price; None: nothing limits it."""
    left = []
    if limit is not None:
        left.append(Allowance(max(limit - taken, 0), f"over the campaign's limit of {limit}"))
    if budget_micros is not None and price_micros:
        sends = (budget_micros - extra_micros) // price_micros - taken
        left.append(Allowance(max(sends, 0), f"over the campaign's budget of {budget_micros / 1_000_000:g} US dollars"))
    return min(left, key=lambda allowance: allowance.sends, default=None)


def book(connection: sa.Connection, campaign_id: int, *, sends: int, price_micros: int | None = None) -> None:
    """Count sends that the vendor may have accepted; negative: those that it did not accept."""
    if sends == 0 and price_micros is None:
        return
    connection.execute(_BOOK, {"b_id": campaign_id, "b_sends": sends, "b_price": price_micros})


def book_extra(connection: sa.Connection, campaign_id: int, *, cost_micros: int, sends: int) -> None:
    """Count what sends really cost: what goes beyond, or stays below, their price."""
    connection.execute(_BOOK_EXTRA, {"b_id": campaign_id, "b_cost": cost_micros, "b_sends": sends})


# built once: each is part of every batch
_BOOK: Final = (
    CAMPAIGNS.update()
    .where(CAMPAIGNS.c.id == sa.bindparam("b_id"))
    .values(
        taken=CAMPAIGNS.c.taken + sa.bindparam("b_sends", type_=sa.Integer),
        price_micros=sa.func.coalesce(sa.bindparam("b_price", type_=sa.BigInteger), CAMPAIGNS.c.price_micros),
    )
)
_BOOK_EXTRA: Final = (
    CAMPAIGNS.update()
    .where(CAMPAIGNS.c.id == sa.bindparam("b_id"), CAMPAIGNS.c.price_micros.is_not(None))
    .values(
        extra_micros=CAMPAIGNS.c.extra_micros
        + sa.bindparam("b_cost", type_=sa.BigInteger)
        - CAMPAIGNS.c.price_micros * sa.bindparam("b_sends", type_=sa.Integer)
    )
)


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def day_of(at: datetime) -> int:
    """Days since 1970, UTC."""
    return (at - _EPOCH).days


def read_attempts(
    connection: sa.Connection, number_digests: Sequence[str], window: timedelta, *, at: datetime
) -> dict[str, list[Any]]:
    """The attempts on some numbers within a time, over all campaigns, by number digest."""
    dialect = connection.dialect.name
    days = range(day_of(at - window), day_of(at) + 1)
    rows: dict[str, list[Any]] = defaultdict(list)
    for row in connection.execute(_attempts(dialect), {"digests": names(number_digests, dialect), "days": days}):
        rows[row.number_digest].append(row)
    return rows


@cache
def _attempts(dialect: str) -> sa.Select[Any]:
    return sa.select(SENDS.c.number_digest, SENDS.c.claimed_at, SENDS.c.content_digest, SENDS.c.campaign_id).where(
        SENDS.c.claimed_day.in_(sa.bindparam("days", expanding=True)),
        is_among(SENDS.c.number_digest, dialect, parameter="digests"),
        SENDS.c.state.in_(sorted(BINDING)),
    )


MAX_OF_SYNC: Final = 4
"""Connections of one sync of a contact list, at most: each carries a megabyte or two of contacts at a time."""


def seek_share(ledger: Ledger, run: Run, *, limit: int, using: int) -> int:
    """How many connections the run may use from now on; the ledger says so too.

    A run that has more than its share uses no more from now on, and gives the rest back the next time; a run that has
    less uses what is free. So the sum never exceeds the limit, and it evens out within a few seconds.

    :param limit: of the account, over all its runs; each sync that lives has its part of it first.
    :param using: the most that may be under way in this run until it has the answer.
    """
    with ledger.claiming(run.campaign.account) as connection:
        at = now(connection)
        rows = _live_runs(connection, run.campaign.account, at=at)
        limit = max(limit - len(_live_syncs(connection, run.campaign.account, at=at)) * share_of_sync(limit), 0)
        mine: int = next((row.connections for row in rows if row.id == run.id), 0)
        others: int = sum(row.connections for row in rows if row.id != run.id)
        fair = dict(zip((row.id for row in rows), fair_shares(limit, [row.wanted for row in rows]), strict=True))
        share = int(fair.get(run.id, 0))
        held = max(share, using) if share < mine else min(share, limit - others)
        held = max(held, 0)
        if held != mine:
            connection.execute(RUNS.update().where(RUNS.c.id == run.id).values(connections=held))
    return int(min(held, share))


def share_of_sync(limit: int) -> int:
    """How many connections a sync of a contact list may use: a quarter of the account's, at most ``MAX_OF_SYNC``."""
    return max(1, min(MAX_OF_SYNC, limit // 4))


def has_room_for_sync(ledger: Ledger, account: str, sync_id: int, *, limit: int) -> bool:
    """Whether the runs have given back what a sync may use, and so have the syncs that are older.

    They do within seconds: from its beginning on, nobody else takes it.
    """
    with ledger.claiming(account) as connection:
        at = now(connection)
        used = sum(row.connections for row in _live_runs(connection, account, at=at))
        # younger ones wait in their turn, so that of any number one always has room
        syncs = sum(other <= sync_id for other in _live_syncs(connection, account, at=at))
    return bool(used + syncs * share_of_sync(limit) <= limit)


def _live_runs(connection: sa.Connection, account: str, *, at: datetime) -> Sequence[Any]:
    return connection.execute(
        sa.select(RUNS.c.id, RUNS.c.wanted, RUNS.c.connections)
        .where(RUNS.c.account == account, live_runs(at))
        .order_by(RUNS.c.id)
    ).all()


def _live_syncs(connection: sa.Connection, account: str, *, at: datetime) -> Sequence[int]:
    return connection.scalars(
        sa.select(SYNCS.c.id).where(SYNCS.c.account == account, SYNCS.c.ended_at.is_(None), SYNCS.c.held_until > at)
    ).all()


def fair_shares(limit: int, wanted: Sequence[int]) -> list[int]:
    """Each gets what it wants, or as much as the others that want more; the sum is at most ``limit``."""
    shares = [0] * len(wanted)
    left = limit
    hungry = [place for place, want in enumerate(wanted) if want > 0]
    while hungry and left:
        portion = left // len(hungry)
        if portion == 0:  # fewer connections than runs: the oldest get one each, the others wait
            for place in hungry[:left]:
                shares[place] += 1
            break
        for place in hungry:
            more = min(portion, wanted[place] - shares[place])
            shares[place] += more
            left -= more
        hungry = [place for place in hungry if shares[place] < wanted[place]]
    return shares
