"""Sends of which nothing was told: a receiver that was down, or a wrong callback URL, is seen the same day."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.campaigns import Campaign, read_campaigns
from airflow_provider_dropcowboy.ledger.counts import ACCEPTED_AT, rows_of
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, RUNS, SENDS
from airflow_provider_dropcowboy.states import State

QUIET_AFTER: Final = timedelta(hours=1)
"""Most voicemails arrive within five minutes (API v1); those for a later calling window wait until it opens."""
LOOK_BACK: Final = timedelta(days=7)

_TAKEN: Final = (State.ACCEPTED.value, State.DELIVERED.value, State.FAILED.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Gap:
    """Sends of one campaign that were accepted within one hour.

    :param hour_at: its beginning.
    :param untold: of which nothing was told yet.
    :param accepted: all of them.
    """

    hour_at: datetime
    campaign: str
    channel: str
    untold: int
    accepted: int

    def as_dict(self) -> dict[str, object]:
        """As ``--json`` gives it."""
        return {
            "hour_at": self.hour_at,
            "campaign": self.campaign,
            "channel": self.channel,
            "untold": self.untold,
            "accepted": self.accepted,
        }


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
            for gap in _read(connection, each, after=at - LOOK_BACK, before=at - quiet_after)
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


def _read(connection: sa.Connection, campaign: Campaign, *, after: datetime, before: datetime) -> list[Gap]:
    sends = (
        sa.select(_hour(connection.dialect.name).label("hour"), SENDS.c.state)
        .where(*rows_of(campaign), SENDS.c.state.in_(_TAKEN), after <= ACCEPTED_AT, before > ACCEPTED_AT)
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
