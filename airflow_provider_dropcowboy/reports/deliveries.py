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
from airflow_provider_dropcowboy.ledger.verdicts import STANDS_FOR_ITS_SEND, last_complete_runs, last_verdicts
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
    is_judged_anew = sa.exists().where(STANDS_FOR_ITS_SEND)
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
    select = last_verdicts(campaign)
    with ledger.reading() as connection:
        complete = last_complete_runs(connection, campaign)
    for row in _by_key(ledger, select, NOT_SENT.c.name):
        is_read = row.run_id >= complete.get((row.dag_id, row.task_id, row.map_index), 0)
        rival_task = (row.rival_dag_id, row.rival_task_id, row.rival_map_index)
        is_rival_there = row.rival_run is None or row.rival_run >= complete.get(rival_task, 0)
        is_second = row.is_apart and is_read and is_rival_there
        if not (row.is_chosen or is_second):
            continue
        is_named_by_message = row.foreign_id is not None and not row.is_beside and not is_second
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


def usd(micros: int | None) -> Decimal | None:
    """Millionths of a US dollar as dollars."""
    return None if micros is None else Decimal(int(micros)).scaleb(-6)


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
