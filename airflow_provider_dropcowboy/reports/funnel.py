"""What became of a campaign: where its sends stand and why, what they cost, how long they took."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import ceil
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.counts import rows_of
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import Campaign
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.ledger.standing import standing
from airflow_provider_dropcowboy.reports.deliveries import usd
from airflow_provider_dropcowboy.states import State

PERCENTILES: Final = (50, 90, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel:
    """A campaign at one moment.

    :param counts: sends by state, as they are counted: with ``expired``, and claims of dead runs as ``unknown``.
    :param reasons: sends by state and reason, where there is one.
    :param cost_usd: of those whose callback named an amount.
    :param costed: how many those are.
    :param seconds_to_delivery: percentile to seconds from the claim to the callback, of the delivered; empty: none was.
    """

    campaign: Campaign
    counts: Counter[State]
    reasons: Counter[tuple[State, str]]
    cost_usd: Decimal
    costed: int
    seconds_to_delivery: dict[int, float]
    first_claimed_at: datetime | None
    last_final_at: datetime | None

    def as_dict(self) -> dict[str, object]:
        """As ``--json`` gives it."""
        return {
            "campaign": self.campaign.name,
            "channel": self.campaign.channel.value,
            "account": self.campaign.account,
            "asked": self.counts.total(),
            **{state.value: self.counts[state] for state in State if self.counts[state]},
            "reasons": [
                {"state": state.value, "reason": reason, "count": count}
                for (state, reason), count in self.reasons.most_common()
            ],
            "cost_usd": float(self.cost_usd),
            "costed": self.costed,
            "seconds_to_delivery": {
                f"p{percentile}": round(seconds, 3) for percentile, seconds in self.seconds_to_delivery.items()
            },
            "first_claimed_at": self.first_claimed_at,
            "last_final_at": self.last_final_at,
        }


def read_funnel(ledger: Ledger, campaign: Campaign) -> Funnel:
    """The campaign as it stands, reckoned by the database: memory holds no row."""
    with ledger.reading() as connection:
        sends = (
            sa.select(
                standing(now(connection)).label("state"),
                SENDS.c.reason,
                SENDS.c.cost_micros,
                SENDS.c.claimed_at,
                SENDS.c.final_at,
            )
            .where(*rows_of(campaign))
            .subquery()
        )
        rows = connection.execute(
            sa.select(
                sends.c.state,
                sends.c.reason,
                sa.func.count().label("n"),
                sa.func.sum(sends.c.cost_micros).label("micros"),
                sa.func.count(sends.c.cost_micros).label("costed"),
                sa.func.min(sends.c.claimed_at).label("first"),
                sa.func.max(sends.c.final_at).label("last"),
            ).group_by(sends.c.state, sends.c.reason)
        ).all()
        counts: Counter[State] = Counter()
        reasons: Counter[tuple[State, str]] = Counter()
        for row in rows:
            state = State(row.state)
            counts[state] += row.n
            if row.reason:
                reasons[state, row.reason] += row.n
        return Funnel(
            campaign=campaign,
            counts=counts,
            reasons=reasons,
            cost_usd=usd(sum(int(row.micros or 0) for row in rows)) or Decimal(0),
            costed=sum(row.costed for row in rows),
            seconds_to_delivery=_percentiles(connection, campaign, delivered=counts[State.DELIVERED]),
            first_claimed_at=min((row.first for row in rows), default=None),
            last_final_at=max((row.last for row in rows if row.last is not None), default=None),
        )


def _percentiles(connection: sa.Connection, campaign: Campaign, *, delivered: int) -> dict[int, float]:
    """By nearest rank, which both databases can do, and which names a time that really occurred."""
    if not delivered:
        return {}
    ranks = {percentile: ceil(delivered * percentile / 100) for percentile in PERCENTILES}
    seconds = _seconds(connection.dialect.name)
    ranked = (
        sa.select(seconds.label("seconds"), sa.func.row_number().over(order_by=seconds).label("rank"))
        .where(*rows_of(campaign), SENDS.c.state == State.DELIVERED.value)
        .subquery()
    )
    rows = connection.execute(
        sa.select(ranked.c.rank, ranked.c.seconds).where(ranked.c.rank.in_(sorted(set(ranks.values()))))
    )
    by_rank = {row.rank: float(row.seconds) for row in rows}
    return {percentile: by_rank[rank] for percentile, rank in ranks.items()}


def _seconds(dialect: str) -> sa.ColumnElement[float]:
    """From the claim to the callback."""
    if dialect == "postgresql":
        return sa.cast(sa.extract("epoch", SENDS.c.final_at - SENDS.c.claimed_at), sa.Float)
    return (sa.func.julianday(SENDS.c.final_at) - sa.func.julianday(SENDS.c.claimed_at)) * 86_400.0
