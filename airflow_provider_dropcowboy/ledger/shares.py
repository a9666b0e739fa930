"""The account's connections, shared out among its runs: fewer than 100 at once over all tasks and machines."""

from collections.abc import Sequence

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import SILENT_AFTER, Run
from airflow_provider_dropcowboy.ledger.schema import RUNS


def seek_share(ledger: Ledger, run: Run, *, limit: int, using: int) -> int:
    """How many connections the run may use from now on; the ledger says so too.

    A run that has more than its share uses no more from now on, and gives the rest back the next time; one that has
    less takes what is free. So the sum never exceeds the limit, and it evens out within a few seconds.

    :param limit: of the account, over all its runs.
    :param using: the most that may be under way in this run until it has the answer.
    """
    with ledger.claiming(run.campaign.account) as connection:
        alive_after = now(connection) - SILENT_AFTER
        rows = connection.execute(
            sa.select(RUNS.c.id, RUNS.c.wanted, RUNS.c.connections)
            .where(RUNS.c.account == run.campaign.account, RUNS.c.ended_at.is_(None), RUNS.c.heartbeat_at > alive_after)
            .order_by(RUNS.c.id)
        ).all()
        mine: int = next((row.connections for row in rows if row.id == run.id), 0)
        others: int = sum(row.connections for row in rows if row.id != run.id)
        fair = dict(zip((row.id for row in rows), fair_shares(limit, [row.wanted for row in rows]), strict=True))
        share = int(fair.get(run.id, 0))
        held = max(share, using) if share < mine else min(share, limit - others)
        held = max(held, 0)
        if held != mine:
            connection.execute(RUNS.update().where(RUNS.c.id == run.id).values(connections=held))
    return int(min(held, share))


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
