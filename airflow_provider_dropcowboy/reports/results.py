"""How far the results of a campaign have come, and the hours of which none came: a receiver that was down is seen."""

from collections import Counter
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.campaigns import Campaign, campaigns_of, read_campaigns
from airflow_provider_dropcowboy.ledger.counts import ACCEPTED_AT, EXPIRE_AFTER, count_standing, rows_of
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, RUNS, SENDS
from airflow_provider_dropcowboy.reports.status import live_among
from airflow_provider_dropcowboy.states import State

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


def read_progress(ledger: Ledger, account: str, *, campaign: str, expire_after: timedelta = EXPIRE_AFTER) -> Progress:
    """Where the account's sends of a campaign stand, on both channels together; no row of a send is read.

    :param expire_after: an accepted send without a result for so long, by the full hour, counts as final.
    """
    campaigns = campaigns_of(ledger, account, name=campaign)
    with ledger.reading() as connection:
        at = now(connection)
        ids = [each.id for each in campaigns]
        standing = count_standing(connection, ids, at=at, expire_after=expire_after)
        return Progress(
            campaign=campaign,
            is_begun=bool(campaigns),
            is_sending=bool(live_among(connection, ids, at=at)),
            counts=sum(standing.values(), Counter()),
        )


QUIET_AFTER: Final = timedelta(hours=1)
"""Most voicemails arrive within five minutes (API v1); those for a later calling window wait until it opens."""
LOOK_BACK: Final = timedelta(days=7)

_ACCEPTED: Final = (State.ACCEPTED.value, State.DELIVERED.value, State.FAILED.value)


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

    def as_dict(self) -> dict[str, object]:
        """As ``--json`` gives it."""
        return asdict(self)


def read_gaps(ledger: Ledger, *, quiet_after: timedelta = QUIET_AFTER, campaign: str | None = None) -> list[Gap]:
    """Hours of the last ``LOOK_BACK`` in which sends were accepted that are still without a result, oldest first.

    :param quiet_after: a send may be without one for so long.
    :param campaign: only of this name; None: every campaign that had a run in that time.
    """
    with ledger.reading() as connection:
        at = now(connection)
        gaps = [
            gap
            for each in _recent(connection, at, campaign)
            for gap in _gaps_of(connection, each, after=at - LOOK_BACK, before=at - quiet_after)
        ]
    return sorted(gaps, key=lambda gap: (gap.hour_at, gap.campaign, gap.channel))


def _recent(connection: sa.Connection, at: datetime, name: str | None) -> list[Campaign]:
    """Their rows lie together in the ledger, so that only these are read."""
    ran = sa.select(RUNS.c.campaign_id).where(
        sa.or_(RUNS.c.ended_at.is_(None), RUNS.c.ended_at >= at - LOOK_BACK), RUNS.c.heartbeat_at >= at - LOOK_BACK
    )
    which: list[sa.ColumnElement[bool]] = [CAMPAIGNS.c.id.in_(ran)]
    if name is not None:
        which.append(CAMPAIGNS.c.name == name)
    return read_campaigns(connection, *which)


def _gaps_of(connection: sa.Connection, campaign: Campaign, *, after: datetime, before: datetime) -> list[Gap]:
    sends = (
        sa.select(_hour(connection.dialect.name).label("hour"), SENDS.c.state)
        .where(*rows_of(campaign), SENDS.c.state.in_(_ACCEPTED), after <= ACCEPTED_AT, before > ACCEPTED_AT)
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
        return sa.func.to_char(sa.func.timezone("UTC", ACCEPTED_AT), "YYYY-MM-DD HH24", type_=sa.String())
    return sa.func.strftime("%Y-%m-%d %H", ACCEPTED_AT, type_=sa.String())
