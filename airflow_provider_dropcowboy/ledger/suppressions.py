"""The ledger's suppression list: numbers that nobody asks for, whoever put them there."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.digest import number_digest
from airflow_provider_dropcowboy.ledger.schema import SUPPRESSIONS
from airflow_provider_dropcowboy.phone import Phone

MAX_ADDED: Final = 1_000
"""Numbers in one transaction."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """Why a number is not asked for.

    :param source: ``callback`` (the person asked not to be called again), or who added it.
    :param is_forgotten: the number itself was deleted; only its digest is left.
    """

    added_at: datetime
    source: str
    reason: str | None
    is_forgotten: bool


def suppress(ledger: Ledger, phones: Sequence[Phone], *, source: str, reason: str | None = None) -> int:
    """None of these numbers is asked for from now on; an entry that is there already stays as it is.

    :param phones: at most ``MAX_ADDED``; one transaction.
    :param source: who says so.
    :returns: how many were not there before.
    """
    if not phones:
        return 0
    with ledger.writing() as connection:
        return _add(
            connection,
            {number_digest(ledger.key, phone): phone.e164 for phone in phones},
            source=source,
            reason=reason,
        )


def suppress_forgotten(connection: sa.Connection, digest: str, *, reason: str) -> None:
    """The number of this digest is suppressed, and nothing but the digest says which it is."""
    _add(connection, {digest: None}, source="forgotten", reason=reason)
    connection.execute(SUPPRESSIONS.update().where(SUPPRESSIONS.c.number_digest == digest).values(phone_number=None))


def unsuppress(ledger: Ledger, phone: Phone) -> bool:
    """The number may be asked for again; whether it was suppressed."""
    with ledger.writing() as connection:
        which = SUPPRESSIONS.c.number_digest == number_digest(ledger.key, phone)
        return connection.execute(SUPPRESSIONS.delete().where(which)).rowcount > 0


def find_suppression(ledger: Ledger, phone: Phone) -> Suppression | None:
    """Why the number is not asked for; None: it is not suppressed."""
    with ledger.reading() as connection:
        row = connection.execute(
            sa.select(SUPPRESSIONS).where(SUPPRESSIONS.c.number_digest == number_digest(ledger.key, phone))
        ).one_or_none()
    return None if row is None else Suppression(row.added_at, row.source, row.reason, row.phone_number is None)


def _add(connection: sa.Connection, numbers: dict[str, str | None], *, source: str, reason: str | None) -> int:
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    at = now(connection)
    added = connection.execute(
        insert(SUPPRESSIONS)
        .values(
            [
                {"number_digest": digest, "phone_number": e164, "added_at": at, "source": source, "reason": reason}
                # sorted: two that add the same numbers in the same order do not deadlock
                for digest, e164 in sorted(numbers.items())
            ]
        )
        .on_conflict_do_nothing()
        .returning(SUPPRESSIONS.c.number_digest)
    )
    return len(added.all())
