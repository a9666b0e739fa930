"""Whether this ledger can know what was sent: one that begins anew, or falls behind, is the worst fault there is."""

import logging
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.messages import Channel
from airflow_provider_dropcowboy.ledger.counts import rows_of
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import Campaign, bind_campaign
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, LEDGER, SENDS

log = logging.getLogger(__name__)

_TIMELINE: Final = sa.text(
    "SELECT s.system_identifier || '/' || c.timeline_id FROM pg_control_system() s, pg_control_checkpoint() c"
)


def has_sends(ledger: Ledger, campaign: Campaign) -> bool:
    """Whether anyone of the campaign was ever claimed."""
    with ledger.reading() as connection:
        found = connection.execute(sa.select(SENDS.c.foreign_id).where(*rows_of(campaign)).limit(1)).first()
    return found is not None


def mark_restored(ledger: Ledger, *, at: datetime | None = None) -> datetime:
    """From now on no DAG run that was due before ``at`` sends anything, until a person frees its campaign.

    :param at: aware; the moment from which the ledger is true again. None: now.
    :returns: the watermark, which never moves back.
    """
    with ledger.writing() as connection:
        current = connection.execute(sa.select(LEDGER.c.restored_at)).scalar_one()
        watermark: datetime = max(filter(None, (current, at or now(connection))))
        connection.execute(LEDGER.update().values(restored_at=watermark))
    return watermark


def restored_at(ledger: Ledger) -> datetime | None:
    """The watermark; None: this ledger was never behind."""
    with ledger.reading() as connection:
        instant: datetime | None = connection.execute(sa.select(LEDGER.c.restored_at)).scalar_one()
    return instant


def adopt_campaign(ledger: Ledger, account: str, *, name: str, channel: Channel, prefix: str) -> Campaign:
    """A person says that what this ledger knows of the campaign is all there is: its runs may send."""
    campaign = bind_campaign(ledger, account, name=name, channel=channel, prefix=prefix)
    with ledger.writing() as connection:
        connection.execute(CAMPAIGNS.update().where(CAMPAIGNS.c.id == campaign.id).values(freed_at=now(connection)))
    return campaign


def is_freed(ledger: Ledger, campaign: Campaign) -> bool:
    """Whether a person adopted the campaign after the last restore."""
    with ledger.reading() as connection:
        freed, restored = connection.execute(
            sa.select(CAMPAIGNS.c.freed_at, LEDGER.c.restored_at)
            .join_from(CAMPAIGNS, LEDGER, sa.true())
            .where(CAMPAIGNS.c.id == campaign.id)
        ).one()
    return freed is not None and (restored is None or freed >= restored)


def watch_timeline(ledger: Ledger) -> None:
    """Notice by itself that PostgreSQL was restored, or failed over to a copy that may lack the last commits.

    Where the server's identity cannot be read, nothing is noticed, and ``dropcowboy ledger restored`` must be said.
    """
    if ledger.engine.dialect.name != "postgresql":
        return
    with ledger.engine.connect() as connection:
        try:
            seen = str(connection.execute(_TIMELINE).scalar_one())
        except sa.exc.DBAPIError:
            log.debug("the database does not show its timeline")
            return
    with ledger.writing() as connection:
        known = connection.execute(sa.select(LEDGER.c.timeline).with_for_update()).scalar_one()
        if known == seen:
            return
        connection.execute(LEDGER.update().values(timeline=seen))
        if known is not None:
            connection.execute(LEDGER.update().values(restored_at=now(connection)))
            log.warning(
                "the ledger's database is on another timeline (%s, was %s): it was restored or failed over, and may "
                "lack what was sent last. DAG runs that were due before now send nothing until a person adopts their "
                "campaign.",
                seen,
                known,
            )
