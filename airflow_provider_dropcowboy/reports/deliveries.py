"""Each send with what became of it, streamed: what an export writes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.campaigns import campaigns_of
from airflow_provider_dropcowboy.ledger.counts import ACCEPTED_AT, EXPIRE_AFTER, accepted_before, rows_of, standing
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import Campaign
from airflow_provider_dropcowboy.ledger.schema import HISTORY, SENDS
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

cells: Final[Callable[[Delivery], tuple[object, ...]]] = attrgetter(*COLUMNS)
"""A delivery's values, in the order of the columns."""


def read_campaign(ledger: Ledger, campaign: Campaign) -> Iterator[Delivery]:
    """Every send of the campaign."""
    with ledger.reading() as connection:
        at = now(connection)
    return _read(ledger, campaign, at=at)


def read_changed(ledger: Ledger, account: str, *, since: datetime) -> Iterator[Delivery]:
    """Every send of the account to which anything happened since: claimed, answered, told, settled, expired.

    A few from shortly before come along.

    :param since: aware.
    """
    with ledger.reading() as connection:
        at = now(connection)
    has_changed = _has_changed(since - LATE_COMMIT, at)
    # one after the other: each is a range of the primary key, whatever a planner thinks of the rest
    for campaign in campaigns_of(ledger, account):
        yield from _read(ledger, campaign, has_changed, at=at)


def _has_changed(start: datetime, at: datetime) -> sa.ColumnElement[bool]:
    told = sa.exists().where(HISTORY.c.foreign_id == SENDS.c.foreign_id, HISTORY.c.at >= start)
    expired = sa.and_(
        SENDS.c.state == State.ACCEPTED.value,
        accepted_before(start, EXPIRE_AFTER) <= ACCEPTED_AT,
        accepted_before(at, EXPIRE_AFTER) > ACCEPTED_AT,
    )
    happened = (column >= start for column in (SENDS.c.claimed_at, SENDS.c.answered_at, SENDS.c.final_at))
    return sa.or_(*happened, expired, told)


def _read(ledger: Ledger, campaign: Campaign, *which: sa.ColumnElement[bool], at: datetime) -> Iterator[Delivery]:
    """Chunk by chunk along the primary key: memory holds one, and no transaction is open while a row is written out."""
    select = sa.select(*_READ, standing(at).label("standing")).where(*rows_of(campaign), *which)
    select = select.order_by(SENDS.c.foreign_id).limit(CHUNK_ROWS)
    rows: Sequence[Any] = ()
    while True:
        with ledger.reading() as connection:
            rows = connection.execute(select.where(SENDS.c.foreign_id > (rows[-1].foreign_id if rows else ""))).all()
        for row in rows:
            yield _delivery(campaign, row)
        if len(rows) < CHUNK_ROWS:
            return


def _delivery(campaign: Campaign, row: Any) -> Delivery:
    return Delivery(
        campaign=campaign.name,
        channel=campaign.channel.value,
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


_READ: Final = (
    *(SENDS.c[name] for name in COLUMNS if name in SENDS.c and name != "state"),
    SENDS.c.cost_micros,
)
