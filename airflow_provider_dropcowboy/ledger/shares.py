"""The account's connections, shared out among its runs and syncs: fewer than 100 at once over tasks and machines."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import Run, live_runs
from airflow_provider_dropcowboy.ledger.schema import RUNS, SYNCS

MAX_OF_SYNC: Final = 4
"""Connections of one sync of a contact list, at most: each carries a megabyte or two of contacts at a time."""


def seek_share(ledger: Ledger, run: Run, *, limit: int, using: int) -> int:
    """How many connections the run may use from now on; the ledger says so too.

    A run that has more than its share uses no more from now on, and gives the rest back the next time; one that has
    less takes what is free. So the sum never exceeds the limit, and it evens out within a few seconds.

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
