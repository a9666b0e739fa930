"""Clocks of a ledger's database that a test moves."""

from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Final, Self

import sqlalchemy as sa
import time_machine

NOON: Final = datetime(2026, 11, 24, 12, tzinfo=UTC)


class MachineClock:
    """This machine's, which is SQLite's too; it stands still until it is moved."""

    def __init__(self, traveller: time_machine.Traveller) -> None:
        self._traveller = traveller

    def now(self) -> datetime:
        return datetime.now(UTC)

    def advance(self, by: timedelta) -> None:
        self._traveller.shift(by)


class PostgresClock:
    """A schema that is searched before PostgreSQL's own, with a ``clock_timestamp()`` that reads a table."""

    def __init__(self, url: str) -> None:
        self.ledger_url = sa.make_url(url).update_query_dict({"options": "-csearch_path=moved,pg_catalog"})
        self._engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
        self._now = NOON

    def __enter__(self) -> Self:
        self._connection = self._engine.connect()
        for statement in (
            "CREATE SCHEMA moved",
            "CREATE TABLE moved.clock (at timestamptz)",
            f"INSERT INTO moved.clock VALUES ('{self._now.isoformat()}')",
            "CREATE FUNCTION moved.clock_timestamp() RETURNS timestamptz LANGUAGE sql AS 'SELECT at FROM moved.clock'",
        ):
            self._connection.exec_driver_sql(statement)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()
        self._engine.dispose()

    def now(self) -> datetime:
        return self._now

    def advance(self, by: timedelta) -> None:
        self._now += by
        self._connection.execute(sa.text("UPDATE moved.clock SET at = :at"), {"at": self._now})
