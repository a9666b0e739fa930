"""What can be told of a ledger as a whole: for a person who looks at it, and for a check of its health."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import SILENT_AFTER
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, LEDGER, RUNS

_NO_ACCOUNT: Final = "measured by dropcowboy doctor"  # so that the measurement waits for no sender, and none for it


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A ledger at one moment.

    :param live_runs: that send now.
    :param connections: that those use of their accounts' limits.
    :param restored_at: the watermark; None: it was never restored.
    """

    campaigns: int
    live_runs: int
    connections: int
    restored_at: datetime | None


def read_facts(ledger: Ledger) -> Facts:
    """Counts that cost next to nothing, however many sends there are."""
    with ledger.reading() as connection:
        is_live = sa.and_(RUNS.c.ended_at.is_(None), RUNS.c.heartbeat_at > now(connection) - SILENT_AFTER)
        runs, connections = connection.execute(
            sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(RUNS.c.connections), 0)).where(is_live)
        ).one()
        return Facts(
            campaigns=connection.execute(sa.select(sa.func.count()).select_from(CAMPAIGNS)).scalar_one(),
            live_runs=runs,
            connections=int(connections),
            restored_at=connection.execute(sa.select(LEDGER.c.restored_at)).scalar_one(),
        )


def commit_s(ledger: Ledger) -> float:
    """How long a transaction takes that locks, writes and is on disk, as a claim is; it changes nothing."""
    with ledger.reading():  # a connection is there: opening one is not part of a claim
        pass
    begun_at = time.perf_counter()
    with ledger.claiming(_NO_ACCOUNT) as connection:
        connection.execute(LEDGER.update().values(ledger_id=LEDGER.c.ledger_id))
    return time.perf_counter() - begun_at


def clock_skew(ledger: Ledger) -> timedelta:
    """By how much the database's clock is ahead of this machine's."""
    with ledger.reading() as connection:
        return now(connection) - utcnow()
