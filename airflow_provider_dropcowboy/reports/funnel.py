"""What became of a campaign: where its sends stand and why, what they cost, how long they took."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import ceil
from typing import Final, Protocol, Self, TypeVar

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.campaigns import Campaign
from airflow_provider_dropcowboy.ledger.counts import count_reasons, lost_results, rows_of
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.schema import RUNS, SENDS
from airflow_provider_dropcowboy.reports.deliveries import usd
from airflow_provider_dropcowboy.states import CONTACTED, VERDICTS, State

PERCENTILES: Final = (50, 90, 99)


MAX_RUNS: Final = 200
"""Of the newest: a campaign of a mapped task has one a partition, a wave and a try."""


class _Run(Protocol):
    """Of the ledger. A run from a shell has no DAG, a task that is not mapped no index."""

    @property
    def dag_id(self) -> str | None: ...
    @property
    def task_id(self) -> str | None: ...
    @property
    def map_index(self) -> int | None: ...
    @property
    def counts(self) -> Mapping[State, int]: ...
    @property
    def verdicts(self) -> Mapping[State, Mapping[str, int]] | None: ...


R = TypeVar("R", bound=_Run)


@dataclass(frozen=True, slots=True)
class NotAsked:
    """Verdicts on rows.

    :param counts: rows by state.
    :param reasons: rows by state and reason: the rule, with the version of its file; empty until a run has ended.
    """

    counts: Counter[State]
    reasons: Counter[tuple[State, str]]

    @classmethod
    def of(cls, runs: Iterable[_Run]) -> Self:
        """What the last run of each task says.

        :param runs: of one campaign, the newest first.
        """
        counts: Counter[State] = Counter()
        reasons: Counter[tuple[State, str]] = Counter()
        for run in last_of_each_task(runs):
            counts.update({State(state): rows for state, rows in run.counts.items() if State(state) in VERDICTS})
            for state, whys in (run.verdicts or {}).items():
                reasons.update({(State(state), reason): rows for reason, rows in whys.items()})
        return cls(+counts, reasons)

    def reasons_of(self, state: State) -> list[tuple[str, int]]:
        """Why rows are in a state, the commonest reason first."""
        return reasons_of(self.reasons, state)


def reasons_of(reasons: Counter[tuple[State, str]], state: State) -> list[tuple[str, int]]:
    """Those of one state with their counts, the commonest first."""
    return [(reason, count) for (of, reason), count in reasons.most_common() if of is state]


def last_of_each_task(runs: Iterable[R]) -> list[R]:
    """Of each task its newest run: each judges all its rows anew.

    :param runs: the newest first.
    """
    last: dict[tuple[object, ...], R] = {}
    for run in runs:
        last.setdefault((run.dag_id, run.task_id, run.map_index), run)
    return list(last.values())


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes:
    """Where a campaign's sends stand at one moment, and why.

    :param counts: sends by state, as they are counted: with ``expired``, and claims of dead runs as ``unknown``.
    :param reasons: sends by state and reason, where there is one.
    :param cost_usd: of those whose callback named an amount.
    :param costed: how many those are.
    """

    counts: Counter[State]
    reasons: Counter[tuple[State, str]]
    cost_usd: Decimal
    costed: int

    @property
    def sent(self) -> int:
        """Messages that were sent: accepted, refused, or in doubt."""
        return sum(count for state, count in self.counts.items() if state in CONTACTED)

    def reasons_of(self, state: State) -> list[tuple[str, int]]:
        """Why sends stand in a state, the commonest reason first."""
        return reasons_of(self.reasons, state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Funnel(Outcomes):
    """All that is reported of a campaign.

    :param not_asked: rows that were read and not asked for.
    :param unreadable_suppressions: entries of suppression lists that the last run of each task could not read.
    :param lost: sends that the ledger does not know, and that results came for; they are not sent again.
    :param seconds_to_delivery: percentile to seconds from the claim to the callback, of the delivered; empty: none was.
    """

    campaign: Campaign
    not_asked: NotAsked
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
                {"state": state.value, "rows": rows, "reasons": dict(self.not_asked.reasons_of(state))}
                for state, rows in self.not_asked.counts.most_common()
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
        outcomes = read_outcomes(connection, campaign, at=now(connection))
        first, last = connection.execute(
            sa.select(sa.func.min(SENDS.c.claimed_at), sa.func.max(SENDS.c.final_at)).where(*rows_of(campaign))
        ).one()
        runs = connection.execute(
            sa.select(
                RUNS.c.dag_id,
                RUNS.c.task_id,
                RUNS.c.map_index,
                RUNS.c.counts,
                RUNS.c.verdicts,
                RUNS.c.unreadable_suppressions,
            )
            .where(RUNS.c.campaign_id == campaign.id)
            .order_by(RUNS.c.id.desc())
            .limit(MAX_RUNS)
        ).all()
        return Funnel(
            campaign=campaign,
            not_asked=NotAsked.of(runs),
            unreadable_suppressions=sum(run.unreadable_suppressions or 0 for run in last_of_each_task(runs)),
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
