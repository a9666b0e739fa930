"""What all tables have in common: types of columns that hold the same on both databases."""

from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa

METADATA: Final = sa.MetaData()
"""Of all tables of the ledger; those of the contact lists are in a file of their own."""


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware instant; SQLite, which has no time zones, stores it as UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """UTC on the way in; a naive value is a mistake of the caller."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Aware on the way out."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Name(sa.types.TypeDecorator[str]):
    """Text compared byte by byte on every database: ids and digests, for which a locale's order only costs time."""

    impl = sa.String
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[str]:
        """PostgreSQL orders by the locale unless told."""
        return dialect.type_descriptor(sa.String(collation="C" if dialect.name == "postgresql" else None))
