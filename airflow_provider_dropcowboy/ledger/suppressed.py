"""Who is on the ledger's own suppression list: opt-outs that callbacks brought, and what people added."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.batch import is_among, names
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.schema import SUPPRESSIONS


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
