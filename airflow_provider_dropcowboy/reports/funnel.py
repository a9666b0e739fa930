"""What became of a campaign: where its sends stand and why, what they cost, how long they took."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import ceil
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.campaigns import Campaign
from airflow_provider_dropcowboy.ledger.counts import count_reasons, lost_results, rows_of
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.reports.deliveries import usd
from airflow_provider_dropcowboy.reports.status import Run, last_of_each_task, read_runs
from airflow_provider_dropcowboy.states import CONTACTED, VERDICTS, State

PERCENTILES: Final = (50, 90, 99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Rows by state, and why they are there.

    :param reasons: rows by state and reason, where there is one.
    """

    counts: Counter[State]
    reasons: Counter[tuple[State, str]]

    def reasons_of(self, state: State) -> list[tuple[str, int]]:
        """Why rows are in a state, the commonest reason first."""
        return [(reason, count) for (of, reason), count in self.reasons.most_common() if of is state]


def not_sent_of(last: Iterable[Run]) -> Tally:
    """Rows that were read and not sent; the reasons name the rule, with the version of its file.

    :param last: the newest run of each task.
    """
    counts: Counter[State] = Counter()
    reasons: Counter[tuple[State, str]] = Counter()
    for run in last:
        counts.update({state: rows for state, rows in run.counts.items() if state in VERDICTS})
        for state, whys in run.verdicts.items():
            reasons.update({(state, reason): rows for reason, rows in whys.items()})
    return Tally(counts=+counts, reasons=reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes(Tally):
    """Where a campaign's sends stand at one moment: with ``expired``, and claims of dead runs as ``unknown``.

    :param cost_usd: of those whose callback named an amount.
    :param costed: how many those are.
    """

    cost_usd: Decimal
    costed: int

    @property
    def sent(self) -> int:
        """Messages that were sent: accepted, refused, or in doubt."""
        return sum(count for state, count in self.counts.items() if state in CONTACTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel(Outcomes):
    """All that is reported of a campaign.

    :param not_sent: rows that were read and not sent.
    :param unreadable_suppressions: entries of suppression lists that the last run of each task could not read.
    :param lost: sends that the ledger does not know, and that results came for; they are not sent again.
    :param seconds_to_delivery: percentile to seconds from the claim to the callback, of the delivered; empty: none was.
    """

    campaign: Campaign
    not_sent: Tally
    unreadable_suppressions: int
    lost: int
    seconds_to_delivery: dict[int, float]
    first_claimed_at: datetime | None
    last_final_at: datetime | None

    def as_dict(self) -> dict[str, object]:
        """As ``--json`` gives it."""
        return {
            "campaign": self.campaign.name,
            "channel": self.campaign.channel.value,
            "account": self.campaign.account,
            "asked": self.sent,
            **{state.value: self.counts[state] for state in State if self.counts[state]},
            "reasons": [
                {"state": state.value, "reason": reason, "count": count}
                for (state, reason), count in self.reasons.most_common()
            ],
            "not_asked": [
                {"state": state.value, "rows": rows, "reasons": dict(self.not_sent.reasons_of(state))}
                for state, rows in self.not_sent.counts.most_common()
            ],
            "lost": self.lost,
            "unreadable_suppressions": self.unreadable_suppressions,
            "cost_usd": float(self.cost_usd),
            "costed": self.costed,
            "seconds_to_delivery": {
                f"p{percentile}": round(seconds, 3) for percentile, seconds in self.seconds_to_delivery.items()
            },
            "first_claimed_at": self.first_claimed_at,
            "last_final_at": self.last_final_at,
        }


def read_outcomes(connection: sa.Connection, campaign: Campaign, *, at: datetime) -> Outcomes:
    """The campaign as it stands, by the counts that the database keeps.

    :param at: now, by the database's clock.
    """
    counted = count_reasons(connection, campaign, at=at)
    counts: Counter[State] = Counter()
    reasons: Counter[tuple[State, str]] = Counter()
    for each in counted:
        counts[each.state] += each.sends
        if each.reason is not None:
            reasons[each.state, each.reason] += each.sends
    return Outcomes(
        counts=counts,
        reasons=reasons,
        cost_usd=usd(sum(each.cost_micros for each in counted)) or Decimal(0),
        costed=sum(each.costed for each in counted),
    )


def read_funnel(ledger: Ledger, campaign: Campaign) -> Funnel:
    """The campaign as it stands. For the times to delivery the database reads all its sends; memory holds none."""
    with ledger.reading() as connection:
        at = now(connection)
        outcomes = read_outcomes(connection, campaign, at=at)
        first, last = connection.execute(
            sa.select(sa.func.min(SENDS.c.claimed_at), sa.func.max(SENDS.c.final_at)).where(*rows_of(campaign))
        ).one()
        runs = last_of_each_task(read_runs(connection, campaign.id, at=at))
        return Funnel(
            campaign=campaign,
            not_sent=not_sent_of(runs),
            unreadable_suppressions=sum(run.unreadable_suppressions for run in runs),
            lost=lost_results(connection, campaign.prefix),
            counts=outcomes.counts,
            reasons=outcomes.reasons,
            cost_usd=outcomes.cost_usd,
            costed=outcomes.costed,
            seconds_to_delivery=_percentiles(connection, campaign, delivered=outcomes.counts[State.DELIVERED]),
            first_claimed_at=first,
            last_final_at=last,
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
