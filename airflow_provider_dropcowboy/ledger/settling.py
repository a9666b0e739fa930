"""What a person decides of sends: those in doubt, and those that were refused."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.campaigns import Campaign, book
from airflow_provider_dropcowboy.ledger.counts import is_claimed_by_the_dead, rows_of
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.schema import HISTORY, SENDS, may_become
from airflow_provider_dropcowboy.states import BINDING, DOUBT_LASTS, State

MAX_LISTED: Final = 1_000


@dataclass(frozen=True, slots=True)
class Open:
    """A send that waits for a person.

    :param settles_at: not before; a request may be carried out until then.
    """

    foreign_id: str
    contact_key: str | None
    reason: str | None
    attempt: int
    claimed_at: datetime
    settles_at: datetime


@dataclass(frozen=True, slots=True)
class Settled:
    """What a person's word came to.

    :param too_young: left as they are, since a request may still be carried out.
    """

    moved: int
    too_young: int


def list_unknown(ledger: Ledger, campaign: Campaign) -> list[Open]:
    """Sends of which nobody knows whether they were accepted, oldest first, at most ``MAX_LISTED``."""
    with ledger.reading() as connection:
        return _listed(connection, *rows_of(campaign), _is_in_doubt(now(connection)))


def list_rejected(ledger: Ledger, campaign: Campaign) -> list[Open]:
    """Sends that the vendor refused, oldest first, at most ``MAX_LISTED``."""
    with ledger.reading() as connection:
        return _listed(connection, *rows_of(campaign), SENDS.c.state == State.REJECTED)


def settle_unknown(
    ledger: Ledger, campaign: Campaign, *, is_sent: bool, reason: str, contact_keys: Sequence[str] | None = None
) -> Settled:
    """Sends in doubt count as accepted, or are free to be sent again; the history says why.

    :param reason: a person's, kept for an auditor.
    :param contact_keys: only these; None: all of the campaign.
    """
    target = State.ACCEPTED if is_sent else State.RELEASED
    with ledger.claiming(campaign.account) as connection:
        at = now(connection)
        chosen = [*rows_of(campaign), _is_in_doubt(at), *_with_keys(contact_keys)]
        old_enough = SENDS.c.claimed_at <= at - DOUBT_LASTS
        too_young = connection.execute(sa.select(sa.func.count()).where(*chosen, sa.not_(old_enough))).scalar_one()
        event = "settled as sent" if is_sent else "settled as not sent"
        moved = sum(
            _move(connection, source, target, at=at, event=event, reason=reason, where=[*chosen, old_enough])
            for source in (State.UNKNOWN, State.CLAIMED)
        )
        book(connection, campaign.id, sends=0 if is_sent else -moved)
    return Settled(moved, too_young)


def release_rejected(
    ledger: Ledger, campaign: Campaign, *, reason: str, contact_keys: Sequence[str] | None = None
) -> Settled:
    """Let the next run send refused messages again, also with the same request."""
    with ledger.claiming(campaign.account) as connection:
        chosen = [*rows_of(campaign), *_with_keys(contact_keys)]
        at = now(connection)
        moved = _move(
            connection, State.REJECTED, State.RELEASED, at=at, event="released by a person", reason=reason, where=chosen
        )
    return Settled(moved, 0)


def _listed(connection: sa.Connection, *where: sa.ColumnElement[bool]) -> list[Open]:
    rows = connection.execute(
        sa.select(SENDS.c.foreign_id, SENDS.c.contact_key, SENDS.c.reason, SENDS.c.attempt, SENDS.c.claimed_at)
        .where(*where)
        .order_by(SENDS.c.claimed_at)
        .limit(MAX_LISTED)
    )
    return [Open(*row, settles_at=row.claimed_at + DOUBT_LASTS) for row in rows]


def _is_in_doubt(at: datetime) -> sa.ColumnElement[bool]:
    """Recorded as unknown, or claimed by a run that is no more."""
    return sa.or_(SENDS.c.state == State.UNKNOWN, is_claimed_by_the_dead(SENDS, at))


def _with_keys(contact_keys: Sequence[str] | None) -> Iterable[sa.ColumnElement[bool]]:
    return [] if contact_keys is None else [SENDS.c.contact_key.in_(contact_keys)]


def _move(
    connection: sa.Connection,
    source: State,
    target: State,
    *,
    at: datetime,
    event: str,
    reason: str,
    where: Sequence[sa.ColumnElement[bool]],
) -> int:
    moved = connection.execute(
        _moves(source, target)
        .where(*where)
        .values(reason=event)
        .returning(SENDS.c.foreign_id, SENDS.c.attempt, SENDS.c.run_id)
    ).all()
    if moved:
        connection.execute(
            HISTORY.insert(),
            [
                {
                    "foreign_id": row.foreign_id,
                    "at": at,
                    "event": event,
                    "state_before": source.value,
                    "state_after": target.value,
                    "attempt": row.attempt,
                    "run_id": row.run_id,
                    "reason": reason,
                }
                for row in moved
            ],
        )
    return len(moved)


def _moves(source: State, target: State) -> sa.Update:
    is_movable = sa.and_(SENDS.c.state == source, may_become(target))
    return SENDS.update().where(is_movable).values(state=target, owns_number=target in BINDING)
