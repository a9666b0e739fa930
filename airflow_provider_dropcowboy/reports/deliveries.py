"""What became of each message: all of them, streamed, as an export writes them; or the life of one."""

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
from airflow_provider_dropcowboy.ledger.schema import CALLBACKS, HISTORY, NOT_SENT, RUNS, SENDS
from airflow_provider_dropcowboy.ledger.verdicts import invalid_name_in
from airflow_provider_dropcowboy.phone import Phone
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
    select = sa.select(*_READ, counts.standing(at).label("state")).where(*counts.rows_of(campaign), *which)
    for row in _by_key(ledger, select, SENDS.c.foreign_id):
        values = row._asdict()
        cost_usd = usd(values.pop("cost_micros"))
        yield Delivery(campaign=campaign.name, channel=campaign.channel.value, cost_usd=cost_usd, **values)


def _by_key(ledger: Ledger, select: sa.Select[Any], key: sa.Column[str]) -> Iterator[sa.Row[Any]]:
    """Chunk by chunk along a key: memory holds one, and no transaction is open while a row is written out."""
    rows: Sequence[sa.Row[Any]] = ()
    while True:
        after = getattr(rows[-1], key.name) if rows else ""
        with ledger.reading() as connection:
            rows = connection.execute(select.where(key > after).order_by(key).limit(CHUNK_ROWS)).all()
        yield from rows
        if len(rows) < CHUNK_ROWS:
            return


def _read_not_sent(ledger: Ledger, campaign: Campaign) -> Iterator[Delivery]:
    """The rows without a send; a send that was given back unsent shows its verdict."""
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
    )
    with ledger.reading() as connection:
        complete = _last_complete_runs(connection, campaign)
    for row in _by_key(ledger, select, NOT_SENT.c.name):
        is_read = row.run_id >= complete.get((row.dag_id, row.task_id, row.map_index), 0)
        is_named_by_message = row.foreign_id is not None and not row.is_beside
        yield Delivery(
            campaign=campaign.name,
            channel=campaign.channel.value,
            contact_key=row.contact_key,
            foreign_id=row.foreign_id if is_named_by_message else row.name,
            state=row.state if is_read else State.WITHDRAWN.value,
            reason=row.reason if is_read else NOT_READ,
            rule=row.rule if is_read else None,
            opens_at=row.opens_at if is_read else None,
        )


def _last_complete_runs(connection: sa.Connection, campaign: Campaign) -> dict[tuple[object, ...], int]:
    """Of each task the newest run that read its source to the end: what it did not read is not there any more."""
    task = (RUNS.c.dag_id, RUNS.c.task_id, RUNS.c.map_index)
    rows = connection.execute(
        sa.select(*task, sa.func.max(RUNS.c.id))
        .where(RUNS.c.campaign_id == campaign.id, RUNS.c.ended_at.is_not(None), RUNS.c.stop_reason.is_(None))
        .group_by(*task)
    )
    return {(dag_id, task_id, map_index): run_id for dag_id, task_id, map_index, run_id in rows}


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What happened at one moment.

    :param by: the run, or how it came in; None: a person.
    """

    at: datetime
    event: str
    state: str | None = None
    attempt: int | None
    by: str | None
    reason: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One message from its claim to what is known last.

    :param phone_number: masked; None: pruned or forgotten.
    :param events: the last claim, its answer, callbacks, and all that was out of the ordinary, in order of time. Of
        earlier attempts of the same message, only answers that were out of the ordinary show the outcome.
    """

    foreign_id: str
    phone_number: str | None
    state: str
    reason: str | None
    attempt: int
    drop_id: str | None
    cost_usd: float | None
    network: str | None
    events: Sequence[Event]


def read_life(ledger: Ledger, foreign_id: str) -> Life | None:
    """The life of a message; None: this ledger never held it."""
    with ledger.reading() as connection:
        send = connection.execute(
            sa.select(SENDS, counts.standing(now(connection)).label("standing")).where(SENDS.c.foreign_id == foreign_id)
        ).one_or_none()
        if send is None:
            return None
        by = _run(connection, send.run_id)
        # by which rule it was let pass: an auditor asks why somebody was called at that hour
        events = [Event(at=send.claimed_at, event="claimed", attempt=send.attempt, by=by, reason=send.rule)]
        if send.answered_at is not None:
            events.append(Event(at=send.answered_at, event="answered", attempt=send.attempt, by=by))
        events += [
            Event(
                at=row.received_at,
                event=f"callback, {row.match}",
                state=row.status,
                attempt=row.attempt,
                by="signed URL" if row.is_verified else "account webhook",
            )
            for row in connection.execute(sa.select(CALLBACKS).where(CALLBACKS.c.foreign_id == foreign_id))
        ]
        events += [
            Event(
                at=row.at,
                event=row.event,
                state=f"{row.state_before or '-'} to {row.state_after or '-'}",
                attempt=row.attempt,
                by=_run(connection, row.run_id),
                reason=row.reason,
            )
            for row in connection.execute(sa.select(HISTORY).where(HISTORY.c.foreign_id == foreign_id)).all()
        ]
    cost_usd = usd(send.cost_micros)
    return Life(
        foreign_id=foreign_id,
        phone_number=None if send.phone_number is None else str(Phone(send.phone_number)),
        state=send.standing,
        reason=send.reason,
        attempt=send.attempt,
        drop_id=send.drop_id,
        cost_usd=None if cost_usd is None else float(cost_usd),
        network=send.network,
        events=sorted(events, key=lambda event: event.at),
    )


def _run(connection: sa.Connection, run_id: int | None) -> str | None:
    """Who ran, as people know it."""
    row = connection.execute(sa.select(RUNS).where(RUNS.c.id == run_id)).one_or_none()
    if row is None:
        return None
    if row.dag_id is None:
        return f"{row.task_id} on {row.worker}"
    mapped = f"[{row.map_index}]" if row.map_index is not None and row.map_index >= 0 else ""
    return f"{row.dag_id}.{row.task_id}{mapped} {row.run_id} try {row.try_number} on {row.worker}"
