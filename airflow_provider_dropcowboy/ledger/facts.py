"""What can be read and measured of a ledger as a whole."""

import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa
import tenacity

from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import LedgerError
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import live_runs
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, LEDGER, RUNS

_NO_ACCOUNT: Final = "measured by dropcowboy doctor"  # so that the measurement waits for no sender, and none for it

PATIENCE_S: Final = 30.0

BROKEN: Final = frozenset({"", "08", "40", "53", "57", "58"})
"""Classes of SQLSTATE that say nothing about rights: the connection or the server is in trouble, so ask again."""

# of the WAL that the server writes now: its control file names the last checkpoint's timeline, which is the old one for
# minutes after a promotion (https://www.postgresql.org/docs/current/app-pgrewind.html warns of the same)
_TIMELINE: Final = sa.text(
    "SELECT system_identifier, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) FROM pg_control_system()"
)


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
        live = live_runs(now(connection))
        runs, connections = connection.execute(
            sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(RUNS.c.connections), 0)).where(live)
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


def read_timeline(engine: sa.Engine) -> str | None:
    """The server's system identifier and its timeline, as ``"7563…/1"``; None: it does not let this role read them.

    :raises LedgerError: the database was not reached within ``PATIENCE_S``.
    """
    found: str | None = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(LedgerError),
        stop=tenacity.stop_after_delay(PATIENCE_S),
        wait=tenacity.wait_random_exponential(multiplier=0.1, max=5.0),
        reraise=True,
    )(_read, engine)
    return found


def _read(engine: sa.Engine) -> str | None:
    try:
        with engine.connect() as connection:
            system, timeline = connection.execute(_TIMELINE).one()
    except sa.exc.DBAPIError as error:
        if (getattr(error.orig, "sqlstate", None) or "")[:2] not in BROKEN:
            return None  # no right to, or not supported: some managed services, and a standby
        raise LedgerError(
            f"The ledger's database was not reached ({type(error.orig).__name__}) to read its timeline. "
            "Nothing was sent."
        ) from None
    except sa.exc.TimeoutError:
        raise LedgerError("No free connection to the ledger's database.") from None
    return f"{system}/{int(timeline, 16)}"
