"""The life of one message, for somebody who asks what was done to one person, when, and by which run."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.counts import standing
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.schema import CALLBACKS, HISTORY, RUNS, SENDS
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.reports.deliveries import usd


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

    def as_dict(self) -> dict[str, object]:
        """As ``--json`` gives it."""
        return asdict(self)


def read_life(ledger: Ledger, foreign_id: str) -> Life | None:
    """The life of a message; None: this ledger never held it."""
    with ledger.reading() as connection:
        send = connection.execute(
            sa.select(SENDS, standing(now(connection)).label("standing")).where(SENDS.c.foreign_id == foreign_id)
        ).one_or_none()
        if send is None:
            return None
        events = [*_sent(connection, send), *_told(connection, foreign_id), *_remembered(connection, foreign_id)]
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


def _sent(connection: sa.Connection, send: "sa.Row[tuple[object, ...]]") -> list[Event]:
    by = _run(connection, send.run_id)
    # by which rule it was let pass: an auditor asks why somebody was called at that hour
    events = [Event(at=send.claimed_at, event="claimed", attempt=send.attempt, by=by, reason=send.rule)]
    if send.answered_at is not None:
        events.append(Event(at=send.answered_at, event="answered", attempt=send.attempt, by=by))
    return events


def _told(connection: sa.Connection, foreign_id: str) -> list[Event]:
    rows = connection.execute(sa.select(CALLBACKS).where(CALLBACKS.c.foreign_id == foreign_id))
    return [
        Event(
            at=row.received_at,
            event=f"callback, {row.match}",
            state=row.status,
            attempt=row.attempt,
            by="signed URL" if row.is_verified else "account webhook",
        )
        for row in rows
    ]


def _remembered(connection: sa.Connection, foreign_id: str) -> list[Event]:
    rows = connection.execute(sa.select(HISTORY).where(HISTORY.c.foreign_id == foreign_id)).all()
    return [
        Event(
            at=row.at,
            event=row.event,
            state=f"{row.state_before or '-'} to {row.state_after or '-'}",
            attempt=row.attempt,
            by=_run(connection, row.run_id),
            reason=row.reason,
        )
        for row in rows
    ]


def _run(connection: sa.Connection, run_id: int | None) -> str | None:
    """Who ran, as people know it."""
    row = connection.execute(sa.select(RUNS).where(RUNS.c.id == run_id)).one_or_none()
    if row is None:
        return None
    if row.dag_id is None:
        return f"{row.task_id} on {row.worker}"
    mapped = f"[{row.map_index}]" if row.map_index is not None and row.map_index >= 0 else ""
    return f"{row.dag_id}.{row.task_id}{mapped} {row.run_id} try {row.try_number} on {row.worker}"
