"""Each send with what became of it, and each row that was not sent, streamed: what an export writes."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from decimal import Decimal
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger import counts
from airflow_provider_dropcowboy.ledger.campaigns import Campaign, campaigns_of
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.schema import HISTORY, NOT_SENT, RUNS, SENDS
from airflow_provider_dropcowboy.ledger.verdicts import invalid_name_in
from airflow_provider_dropcowboy.states import State

CHUNK_ROWS: Final = 2_000

NOT_READ: Final = "no longer in the source"
"""Why a row is withdrawn."""

LATE_COMMIT: Final = timedelta(minutes=5)
"""An instant is read before its transaction commits: rows of so long before ``since`` may have become visible after
it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One send, or one row that was not sent; its fields are the columns of an export, in this order.

    :param contact_key: None, as ``phone_number``: pruned or forgotten. A row that was not sent has no number here.
    :param foreign_id: of a row that was not sent: names it alike in each export.
    :param state: as it is counted: with ``expired``, and ``unknown`` for a claim of a run that is no more.
    :param claimed_at: None: it was not sent.
    :param rule: by which it was screened; exported with the rows that were not sent, as ``opens_at``.
    :param opens_at: of a held row: when it may be sent.
    """

    campaign: str
    channel: str
    contact_key: str | None = field(repr=False)
    phone_number: str | None = field(default=None, repr=False)
    foreign_id: str
    state: str
    reason: str | None
    claimed_at: datetime | None = None
    answered_at: datetime | None = None
    final_at: datetime | None = None
    drop_id: str | None = None
    cost_usd: Decimal | None = None
    network: str | None = None
    rule: str | None = None
    opens_at: datetime | None = None


ALL_COLUMNS: Final = tuple(item.name for item in fields(Delivery))
"""Of an export with the rows that were not sent."""

COLUMNS: Final = ALL_COLUMNS[: ALL_COLUMNS.index("rule")]
"""Of an export of sends."""


def cells_of(columns: Sequence[str]) -> Callable[[Delivery], tuple[object, ...]]:
    """What gives a delivery's values, in the order of the columns."""
    return attrgetter(*columns)


def read_campaign(ledger: Ledger, campaign: Campaign, *, include_not_sent: bool = False) -> Iterator[Delivery]:
    """Every send of the campaign.

    :param include_not_sent: and each row that its runs read and did not send. A row that the last run of its task did
        not read any more is ``withdrawn``. Together they are all rows that were read.
    """
    with ledger.reading() as connection:
        at = now(connection)
    if not include_not_sent:
        yield from _read(ledger, campaign, at=at)
        return
    is_judged_anew = sa.exists().where(_STANDS_FOR_ITS_SEND)
    yield from _read(ledger, campaign, ~is_judged_anew, at=at)
    yield from _read_not_sent(ledger, campaign)


def read_changed(ledger: Ledger, account: str, *, since: datetime) -> Iterator[Delivery]:
    """Every send of the account that changed since: claimed, answered, resulted, settled, expired.

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
        counts.accepted_before(start, counts.EXPIRE_AFTER) <= counts.ACCEPTED_AT,
        counts.accepted_before(at, counts.EXPIRE_AFTER) > counts.ACCEPTED_AT,
    )
    happened = (column >= start for column in (SENDS.c.claimed_at, SENDS.c.answered_at, SENDS.c.final_at))
    return sa.or_(*happened, expired, told)


def _read(ledger: Ledger, campaign: Campaign, *which: sa.ColumnElement[bool], at: datetime) -> Iterator[Delivery]:
    """Chunk by chunk along the primary key: memory holds one, and no transaction is open while a row is written out."""
    select = sa.select(*_READ, counts.standing(at).label("standing")).where(*counts.rows_of(campaign), *which)
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
        rule=row.rule,
    )


def _read_not_sent(ledger: Ledger, campaign: Campaign) -> Iterator[Delivery]:
    """The rows without a send, chunk by chunk; a send that was given back unsent shows its verdict."""
    # a message's name may stand for two rows: a row that makes it, and a row that cannot be used
    other = NOT_SENT.alias()
    makes_message = NOT_SENT.c.name == NOT_SENT.c.foreign_id
    other_name = sa.case((makes_message, invalid_name_in(NOT_SENT.c.foreign_id)), else_=NOT_SENT.c.foreign_id)
    other_run, send_run = sa.func.coalesce(other.c.run_id, 0), sa.func.coalesce(SENDS.c.run_id, 0)
    is_sent = sa.and_(SENDS.c.foreign_id.is_not(None), SENDS.c.state != State.RELEASED.value)
    # the run that sent the message, or did not, read this row beside the row that makes it
    is_beside = sa.case(
        (is_sent, NOT_SENT.c.run_id == send_run),
        else_=sa.or_(NOT_SENT.c.run_id == send_run, NOT_SENT.c.run_id == other_run),
    )
    is_newest = sa.and_(~is_sent, NOT_SENT.c.run_id >= send_run, NOT_SENT.c.run_id >= other_run)
    select = (
        sa.select(NOT_SENT, is_beside.label("is_beside"), RUNS.c.dag_id, RUNS.c.task_id, RUNS.c.map_index)
        .join_from(NOT_SENT, RUNS, RUNS.c.id == NOT_SENT.c.run_id)
        .outerjoin(SENDS, SENDS.c.foreign_id == NOT_SENT.c.foreign_id)
        .outerjoin(other, sa.and_(other.c.name == other_name, NOT_SENT.c.foreign_id.is_not(None)))
        .where(
            *counts.range_of(NOT_SENT.c.name, campaign),
            sa.case(
                (NOT_SENT.c.foreign_id.is_(None), sa.true()),
                (makes_message, is_newest),
                else_=sa.or_(is_newest, sa.and_(is_sent, is_beside)),
            ),
        )
        .order_by(NOT_SENT.c.name)
        .limit(CHUNK_ROWS)
    )
    with ledger.reading() as connection:
        complete = _last_complete_runs(connection, campaign)
    rows: Sequence[Any] = ()
    while True:
        with ledger.reading() as connection:
            rows = connection.execute(select.where(NOT_SENT.c.name > (rows[-1].name if rows else ""))).all()
        for row in rows:
            is_read = row.run_id >= complete.get((row.dag_id, row.task_id, row.map_index), 0)
            yield _not_sent(campaign, row, is_read=is_read)
        if len(rows) < CHUNK_ROWS:
            return


def _last_complete_runs(connection: sa.Connection, campaign: Campaign) -> dict[tuple[object, ...], int]:
    """Of each task the newest run that read its source to the end: what it did not read is not there any more."""
    task = (RUNS.c.dag_id, RUNS.c.task_id, RUNS.c.map_index)
    rows = connection.execute(
        sa.select(*task, sa.func.max(RUNS.c.id))
        .where(RUNS.c.campaign_id == campaign.id, RUNS.c.ended_at.is_not(None), RUNS.c.stop_reason.is_(None))
        .group_by(*task)
    )
    return {(dag_id, task_id, map_index): run_id for dag_id, task_id, map_index, run_id in rows}


def _not_sent(campaign: Campaign, row: Any, *, is_read: bool) -> Delivery:
    is_named_by_message = row.foreign_id is not None and not row.is_beside
    return Delivery(
        campaign=campaign.name,
        channel=campaign.channel.value,
        contact_key=row.contact_key,
        foreign_id=row.foreign_id if is_named_by_message else row.name,
        state=row.state if is_read else State.WITHDRAWN.value,
        reason=row.reason if is_read else NOT_READ,
        rule=row.rule if is_read else None,
        opens_at=row.opens_at if is_read else None,
    )


def usd(micros: int | None) -> Decimal | None:
    """Millionths of a US dollar as dollars."""
    return None if micros is None else Decimal(int(micros)).scaleb(-6)


_STANDS_FOR_ITS_SEND: Final = sa.and_(
    SENDS.c.state == State.RELEASED.value,
    sa.or_(
        sa.and_(NOT_SENT.c.name == SENDS.c.foreign_id, NOT_SENT.c.run_id >= SENDS.c.run_id),
        sa.and_(NOT_SENT.c.name == invalid_name_in(SENDS.c.foreign_id), NOT_SENT.c.run_id > SENDS.c.run_id),
    ),
)
"""Drop Cowboy did not accept the send, and a run said since why the row is not sent."""

_READ: Final = (
    *(SENDS.c[name] for name in ALL_COLUMNS if name in SENDS.c and name != "state"),
    SENDS.c.cost_micros,
)
