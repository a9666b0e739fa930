"""The sends of a ledger counted one by one: what the kept counts must say."""

from collections import Counter
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.counts import hour_of, standing
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.schema import COUNTS, SENDS

Counts = dict[tuple[Any, ...], tuple[int, int, int]]
"""Campaign, run, state, reason and hour to the sends, what they cost, and of how many that is known."""


def recount(ledger: Ledger) -> Counts:
    """By the rows themselves."""
    counts: Counts = {}
    with ledger.reading() as connection:
        for row in connection.execute(sa.select(SENDS)):
            since: datetime = row.final_at or row.answered_at or row.claimed_at
            key = (row.campaign_id, row.run_id, row.state, row.reason or "", hour_of(since))
            sends, cost, costed = counts.get(key, (0, 0, 0))
            is_known = row.cost_micros is not None
            counts[key] = (sends + 1, cost + (row.cost_micros or 0), costed + is_known)
    return counts


def kept(ledger: Ledger) -> Counts:
    """As the database keeps them."""
    counts: Counts = {}
    with ledger.reading() as connection:
        for row in connection.execute(sa.select(COUNTS)):
            key = (row.campaign_id, row.run_id, row.state, row.reason, row.hour)
            sends, cost, costed = counts.get(key, (0, 0, 0))
            counts[key] = (sends + row.sends, cost + row.cost_micros, costed + row.costed)
    return {key: count for key, count in counts.items() if any(count)}


def parts(ledger: Ledger) -> int:
    """Rows that the kept counts take."""
    with ledger.reading() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(COUNTS)).scalar_one())


def stand(ledger: Ledger, campaign_id: int) -> Counter[str]:
    """Where each send of a campaign stands, by the rows themselves."""
    with ledger.reading() as connection:
        state = standing(now(connection))
        return Counter(connection.execute(sa.select(state).where(SENDS.c.campaign_id == campaign_id)).scalars())
