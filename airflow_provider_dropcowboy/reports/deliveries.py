"""Each send with what became of it, streamed: what an export writes."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.counts import rows_of
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import Campaign
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, HISTORY, SENDS
from airflow_provider_dropcowboy.ledger.standing import ACCEPTED_AT, EXPIRE_AFTER, standing
from airflow_provider_dropcowboy.states import State

CHUNK_ROWS: Final = 2_000

LATE_COMMIT: Final = timedelta(minutes=5)
"""An instant is taken before its transaction is committed: what was written so long before ``since`` may have become
visible after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One send; its fields are the columns of every export, in this order.

    :param contact_key: None, as ``phone_number``: pruned or forgotten.
    :param state: as it is counted: with ``expired``, and ``unknown`` for a claim of a run that is no more.
    """

    campaign: str
    channel: str
    contact_key: str | None = field(repr=False)
    phone_number: str | None = field(repr=False)
    foreign_id: str
    state: str
    reason: str | None
    claimed_at: datetime
    answered_at: datetime | None
    final_at: datetime | None
    drop_id: str | None
    cost_usd: Decimal | None
    network: str | None


COLUMNS: Final = tuple(item.name for item in fields(Delivery))


def read_campaign(ledger: Ledger, campaign: Campaign) -> Iterator[Delivery]:
    """Every send of the campaign."""
    return _read(ledger, lambda _at: rows_of(campaign))


def read_changed(ledger: Ledger, account: str, *, since: datetime) -> Iterator[Delivery]:
    """Every send of the account to which anything happened since: claimed, answered, told, settled, expired.

    A few from shortly before come along.

    :param since: aware.
    """

    def which(at: datetime) -> tuple[sa.ColumnElement[bool], ...]:
        start = since - LATE_COMMIT
        told = sa.exists().where(HISTORY.c.foreign_id == SENDS.c.foreign_id, HISTORY.c.at >= start)
        expired = sa.and_(
            SENDS.c.state == State.ACCEPTED.value, start - EXPIRE_AFTER <= ACCEPTED_AT, at - EXPIRE_AFTER >= ACCEPTED_AT
        )
        happened = (column >= start for column in (SENDS.c.claimed_at, SENDS.c.answered_at, SENDS.c.final_at))
        return CAMPAIGNS.c.account == account, sa.or_(*happened, expired, told)

    return _read(ledger, which)


def _read(ledger: Ledger, which: "Which") -> Iterator[Delivery]:
    """Chunk by chunk along the primary key: memory holds one, and no transaction is open while a row is written out."""
    last = ""
    with ledger.reading() as connection:
        at = now(connection)
    select = _select(at).where(*which(at)).order_by(SENDS.c.foreign_id).limit(CHUNK_ROWS)
    while True:
        with ledger.reading() as connection:
            rows = connection.execute(select.where(SENDS.c.foreign_id > last)).all()
        if not rows:
            return
        for row in rows:
            yield _delivery(row)
        last = rows[-1].foreign_id


def _select(at: datetime) -> sa.Select[Any]:
    return sa.select(
        CAMPAIGNS.c.name,
        CAMPAIGNS.c.channel,
        SENDS.c.contact_key,
        SENDS.c.phone_number,
        SENDS.c.foreign_id,
        standing(at).label("standing"),
        SENDS.c.reason,
        SENDS.c.claimed_at,
        SENDS.c.answered_at,
        SENDS.c.final_at,
        SENDS.c.drop_id,
        SENDS.c.cost_micros,
        SENDS.c.network,
    ).join_from(SENDS, CAMPAIGNS, CAMPAIGNS.c.id == SENDS.c.campaign_id)


def _delivery(row: Any) -> Delivery:
    return Delivery(
        campaign=row.name,
        channel=row.channel,
        contact_key=row.contact_key,
        phone_number=row.phone_number,
        foreign_id=row.foreign_id,
        state=row.standing,
        reason=row.reason,
        claimed_at=row.claimed_at,
        answered_at=row.answered_at,
        final_at=row.final_at,
        drop_id=row.drop_id,
        cost_usd=usd(row.cost_micros),
        network=row.network,
    )


def usd(micros: int | None) -> Decimal | None:
    """Millionths of a US dollar as dollars."""
    return None if micros is None else Decimal(int(micros)).scaleb(-6)


Which = Callable[[datetime], tuple[sa.ColumnElement[bool], ...]]
