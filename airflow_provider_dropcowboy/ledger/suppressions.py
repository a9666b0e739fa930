"""The ledger's own suppression list: opt-outs that callbacks brought, and numbers that people added."""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.batch import as_parameter, insert_batch, is_among, names
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.digest import number_digest
from airflow_provider_dropcowboy.ledger.schema import SUPPRESSIONS
from airflow_provider_dropcowboy.phone import Phone


def suppressed_among(connection: sa.Connection, number_digests: Sequence[str]) -> frozenset[str]:
    """Those of the numbers that are on the list at this moment."""
    dialect = connection.dialect.name
    found = connection.execute(_suppressed(dialect), {"digests": names(number_digests, dialect)})
    return frozenset(found.scalars())


def find_suppressed(ledger: Ledger, number_digests: Sequence[str]) -> frozenset[str]:
    """Those of the numbers that are on the list now, for who holds no connection."""
    if not number_digests:
        return frozenset()
    with ledger.reading() as connection:
        return suppressed_among(connection, number_digests)


@cache
def _suppressed(dialect: str) -> sa.Select[Any]:
    return sa.select(SUPPRESSIONS.c.number_digest).where(
        is_among(SUPPRESSIONS.c.number_digest, dialect, parameter="digests")
    )


BATCH_NUMBERS: Final = 10_000
"""Numbers in one transaction: a tenth of a second, in which no claim can be made."""
SORTED_NUMBERS: Final = 100_000
"""Numbers that are sorted before they are written: a batch then changes few pages of the index, not all. 30 MB."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """Why a number is not contacted.

    :param source: ``callback`` (the person wants no more calls), or who added it.
    :param is_forgotten: the number itself was deleted; only its digest is left.
    """

    added_at: datetime
    source: str
    reason: str | None
    is_forgotten: bool


def suppress(ledger: Ledger, phones: Iterable[Phone], *, source: str, reason: str | None = None) -> int:
    """None of these numbers is contacted from now on; an entry that is there already stays as it is.

    :param phones: any number of them; each ``BATCH_NUMBERS`` are one transaction, and doing it again adds nothing
        twice. They are written while the next are read. If the iteration fails, the numbers before are suppressed.
    :param source: who says so.
    :returns: how many were not there before.
    """
    waiting: dict[str, str] = {}
    written: list[Future[int]] = []
    with ThreadPoolExecutor(1, "dropcowboy-suppress") as writer:

        def write() -> None:
            if written:  # memory holds two portions: one is written, one is read
                written[-1].result()
            written.append(writer.submit(_add_all, ledger, waiting, source=source, reason=reason))

        try:
            for phone in phones:
                waiting[number_digest(ledger.key, phone)] = phone.e164
                if len(waiting) == SORTED_NUMBERS:
                    write()
                    waiting = {}
        finally:
            write()
    return sum(portion.result() for portion in written)


def _add_all(ledger: Ledger, numbers: Mapping[str, str], *, source: str, reason: str | None) -> int:
    added = 0
    # sorted also because two that add the same numbers in the same order do not deadlock
    rest = iter(sorted(numbers.items()))
    while numbers_of_batch := list(islice(rest, BATCH_NUMBERS)):
        with ledger.writing() as connection:
            added += _add(connection, numbers_of_batch, source=source, reason=reason, at=now(connection))
    return added


def suppress_number(
    connection: sa.Connection, digest: str, phone_number: str | None, *, source: str, at: datetime
) -> None:
    """The person wants no more calls; an entry that is there already stays as it is."""
    _add(connection, [(digest, phone_number)], source=source, reason="opted out", at=at)


def suppress_forgotten(connection: sa.Connection, digest: str, *, reason: str) -> None:
    """The number of this digest is suppressed, and nothing but the digest says which it is."""
    _add(connection, [(digest, None)], source="forgotten", reason=reason, at=now(connection))
    connection.execute(SUPPRESSIONS.update().where(SUPPRESSIONS.c.number_digest == digest).values(phone_number=None))


def unsuppress(ledger: Ledger, phone: Phone) -> bool:
    """The number may be contacted again; whether it was suppressed."""
    with ledger.writing() as connection:
        which = SUPPRESSIONS.c.number_digest == number_digest(ledger.key, phone)
        return connection.execute(SUPPRESSIONS.delete().where(which)).rowcount > 0


def find_suppression(ledger: Ledger, phone: Phone) -> Suppression | None:
    """Why the number is not contacted; None: it is not suppressed."""
    with ledger.reading() as connection:
        row = connection.execute(
            sa.select(SUPPRESSIONS).where(SUPPRESSIONS.c.number_digest == number_digest(ledger.key, phone))
        ).one_or_none()
    return None if row is None else Suppression(row.added_at, row.source, row.reason, row.phone_number is None)


def _add(
    connection: sa.Connection,
    numbers: Sequence[tuple[str, str | None]],
    *,
    source: str,
    reason: str | None,
    at: datetime,
) -> int:
    same = {"added_at": at, "source": source, "reason": reason}
    insert = _insert(connection.dialect.name).execution_options(preserve_rowcount=True)
    return connection.execute(insert, {"rows": as_parameter(numbers), **same}).rowcount


@cache
def _insert(dialect: str) -> sa.Insert:
    same = ("added_at", "source", "reason")
    insert = insert_batch(SUPPRESSIONS, dialect, ("number_digest", "phone_number"), same=same)
    return insert.on_conflict_do_nothing()
