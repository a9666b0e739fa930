"""What became of a campaign: reasons, cost, times, how far its results have come, and the hours of which none came."""

from collections import Counter
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from math import ceil
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger import counts as kept
from airflow_provider_dropcowboy.ledger.campaigns import Campaign, campaigns_of, read_campaigns
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, RUNS, SENDS
from airflow_provider_dropcowboy.reports.deliveries import usd
from airflow_provider_dropcowboy.reports.status import Tally, last_of_each_task, live_among, not_sent_of, read_runs
from airflow_provider_dropcowboy.states import CONTACTED, State

PERCENTILES: Final = (50, 90, 99)


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
                f"p{share}": round(took_s, 3) for share, took_s in self.seconds_to_delivery.items()
            },
            "first_claimed_at": self.first_claimed_at,
            "last_final_at": self.last_final_at,
        }


def read_outcomes(connection: sa.Connection, campaign: Campaign, *, at: datetime) -> Outcomes:
    """The campaign as it stands, by the counts that the database keeps.

    :param at: now, by the database's clock.
    """
    counted = kept.count_reasons(connection, campaign, at=at)
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
            sa.select(sa.func.min(SENDS.c.claimed_at), sa.func.max(SENDS.c.final_at)).where(*kept.rows_of(campaign))
        ).one()
        runs = last_of_each_task(read_runs(connection, campaign.id, at=at))
        return Funnel(
            campaign=campaign,
            not_sent=not_sent_of(runs),
            unreadable_suppressions=sum(run.unreadable_suppressions for run in runs),
            lost=kept.lost_results(connection, campaign.prefix),
            **{item.name: getattr(outcomes, item.name) for item in fields(outcomes)},
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
        .where(*kept.rows_of(campaign), SENDS.c.state == State.DELIVERED.value)
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


FINAL: Final = (State.DELIVERED, State.FAILED, State.EXPIRED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a campaign's sends stand.

    :param is_begun: the ledger knows the campaign.
    :param is_sending: a run of it lives: more may be accepted.
    :param counts: sends by state, ``expired`` among them; not the verdicts of runs.
    """

    campaign: str
    is_begun: bool
    is_sending: bool
    counts: Counter[State]

    @property
    def final(self) -> int:
        """Accepted sends of which the end is known, or that had no result for too long."""
        return sum(self.counts[state] for state in FINAL)

    @property
    def accepted(self) -> int:
        """Sends that the vendor accepted, whatever became of them; one in doubt counts once it is settled."""
        return self.final + self.counts[State.ACCEPTED]

    @property
    def has_results(self) -> bool:
        """Whether any result came."""
        return self.counts[State.DELIVERED] + self.counts[State.FAILED] > 0

    @property
    def final_share(self) -> float:
        """Of the accepted sends; 1.0 where there are none."""
        return self.final / self.accepted if self.accepted else 1.0

    @property
    def delivered_share(self) -> float:
        """Of the final sends; 1.0 where there are none."""
        return self.counts[State.DELIVERED] / self.final if self.final else 1.0

    def is_done(self, *, min_final_share: float) -> bool:
        """Whether nobody sends any more, and enough is known."""
        return self.is_begun and not self.is_sending and self.final_share >= min_final_share

    def as_dict(self) -> dict[str, object]:
        """As XCom gives it: counts alone, no row."""
        return {
            "campaign": self.campaign,
            **{state.value: self.counts[state] for state in State if self.counts[state]},
            "final_share": round(self.final_share, 4),
            "delivered_share": round(self.delivered_share, 4),
        }

    def __str__(self) -> str:
        counts = ", ".join(f"{self.counts[state]} {state}" for state in State if self.counts[state]) or "nothing sent"
        return f"campaign {self.campaign}: {counts}; {self.final} of {self.accepted} accepted sends are final"


def read_progress(
    ledger: Ledger, account: str, *, campaign: str, expire_after: timedelta = kept.EXPIRE_AFTER
) -> Progress:
    """Where the account's sends of a campaign stand, on both channels together; no row of a send is read.

    :param expire_after: an accepted send without a result for so long, by the full hour, counts as final.
    """
    campaigns = campaigns_of(ledger, account, name=campaign)
    with ledger.reading() as connection:
        at = now(connection)
        ids = [each.id for each in campaigns]
        standing = kept.count_standing(connection, ids, at=at, expire_after=expire_after)
        return Progress(
            campaign=campaign,
            is_begun=bool(campaigns),
            is_sending=bool(live_among(connection, ids, at=at)),
            counts=sum(standing.values(), Counter()),
        )


QUIET_AFTER: Final = timedelta(hours=1)
"""Most voicemails arrive within five minutes (API v1); those for a later calling window wait until it opens."""
LOOK_BACK: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Sends of one campaign that were accepted within one hour.

    :param hour_at: its beginning.
    :param untold: without a result so far.
    :param accepted: all of them.
    """

    hour_at: datetime
    campaign: str
    channel: str
    untold: int
    accepted: int


def read_gaps(ledger: Ledger, *, quiet_after: timedelta = QUIET_AFTER, campaign: str | None = None) -> list[Gap]:
    """Hours of the last ``LOOK_BACK`` in which sends were accepted that are still without a result, oldest first.

    :param quiet_after: a send may be without one for so long.
    :param campaign: only of this name; None: every campaign that had a run in that time.
    """
    with ledger.reading() as connection:
        at = now(connection)
        is_recent = sa.or_(RUNS.c.ended_at.is_(None), RUNS.c.ended_at >= at - LOOK_BACK)
        ran = sa.select(RUNS.c.campaign_id).where(is_recent, RUNS.c.heartbeat_at >= at - LOOK_BACK)
        is_named = sa.true() if campaign is None else CAMPAIGNS.c.name == campaign
        # the rows of a campaign lie together in the ledger, so that only these are read
        found = read_campaigns(connection, CAMPAIGNS.c.id.in_(ran), is_named)
        gaps = [gap for each in found for gap in _gaps_of(connection, each, at=at, quiet_after=quiet_after)]
    return sorted(gaps, key=lambda gap: (gap.hour_at, gap.campaign, gap.channel))


def _gaps_of(connection: sa.Connection, campaign: Campaign, *, at: datetime, quiet_after: timedelta) -> list[Gap]:
    accepted = [State.ACCEPTED.value, State.DELIVERED.value, State.FAILED.value]
    sends = (
        sa.select(_hour(connection.dialect.name).label("hour"), SENDS.c.state)
        .where(*kept.rows_of(campaign), SENDS.c.state.in_(accepted))
        .where(at - LOOK_BACK <= kept.ACCEPTED_AT, at - quiet_after > kept.ACCEPTED_AT)
        .subquery()
    )
    untold = sa.func.count(sa.case((sends.c.state == State.ACCEPTED.value, 1)))
    rows = connection.execute(
        sa.select(sends.c.hour, untold.label("untold"), sa.func.count().label("accepted"))
        .group_by(sends.c.hour)
        .having(untold > 0)
    )
    return [
        Gap(
            hour_at=datetime.strptime(row.hour, "%Y-%m-%d %H").replace(tzinfo=UTC),
            campaign=campaign.name,
            channel=campaign.channel,
            untold=row.untold,
            accepted=row.accepted,
        )
        for row in rows
    ]


def _hour(dialect: str) -> sa.ColumnElement[str]:
    """The hour in which a send was accepted, in UTC."""
    if dialect == "postgresql":
        return sa.func.to_char(sa.func.timezone("UTC", kept.ACCEPTED_AT), "YYYY-MM-DD HH24", type_=sa.String())
    return sa.func.strftime("%Y-%m-%d %H", kept.ACCEPTED_AT, type_=sa.String())
