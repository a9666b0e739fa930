"""A ledger on PostgreSQL: its driver, its pool of connections, and whether this is the database that people mean."""

import math
import time
from typing import Final

import sqlalchemy as sa
import tenacity
from sqlalchemy.engine.interfaces import DBAPIConnection

from airflow_provider_dropcowboy.errors import ConfigurationError, LedgerError
from airflow_provider_dropcowboy.ledger.schema import VERSION_TABLE

MAX_SESSIONS: Final = 4
"""Connections of one process, at most: a database counts them, and there may be many workers."""

PING_AFTER_S: Final = 1.0

_CONNECT_ARGS: Final = {
    "connect_timeout": 10,
    "prepare_threshold": None,  # prepared statements are session state, which a transaction pooler does not keep
    # a server that is gone without a word is noticed within a minute, not after hours
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
}
"""What libpq gets beyond the URL, which may say otherwise."""


PATIENCE_S: Final = 30.0

BROKEN: Final = frozenset({"", "08", "40", "53", "57", "58"})
"""Classes of SQLSTATE that say nothing about rights: the connection or the server is in trouble, so ask again."""

# of the WAL that the server writes now: its control file names the last checkpoint's timeline, which is the old one for
# minutes after a promotion (https://www.postgresql.org/docs/current/app-pgrewind.html warns of the same)
_TIMELINE: Final = sa.text(
    "SELECT system_identifier, substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) FROM pg_control_system()"
)


def check_driver(url: sa.URL) -> None:
    """Nothing, if a ledger can be on a database of this kind, and its driver is installed.

    :raises ConfigurationError: it cannot; nothing was sent.
    """
    if url.get_backend_name() == "sqlite":
        return
    if url.drivername != "postgresql+psycopg":
        raise ConfigurationError(
            f"The ledger cannot live on {url.drivername}. Use sqlite:////absolute/path.db or postgresql+psycopg://…"
        )
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise ConfigurationError(
            "A ledger on PostgreSQL needs psycopg, which is not installed here. Nothing was sent. Run "
            "pip install 'airflow-provider-dropcowboy[postgres]'."
        ) from error


def open_postgres(url: sa.URL) -> sa.Engine:
    """An engine with a small pool.

    :raises ConfigurationError: a ledger cannot be there, or the driver is not installed.
    """
    check_driver(url)
    engine = sa.create_engine(
        url,
        hide_parameters=True,  # else the text of an error, and a log of SQLAlchemy's own, hold numbers
        pool_size=MAX_SESSIONS,
        max_overflow=0,
        connect_args={name: value for name, value in _CONNECT_ARGS.items() if name not in url.query},
    )
    _ping_what_was_idle(engine)
    return engine


def refuse_hidden(engine: sa.Engine, *, where: str) -> None:
    """Nothing, unless the database has a ledger outside the connection's search path.

    :param where: the database, for people.
    :raises ConfigurationError: it has; a second one would not know whom the first has sent to.
    """
    with engine.connect() as connection:
        schemas = connection.execute(_HIDDEN, {"name": VERSION_TABLE}).scalars().all()
        path = connection.exec_driver_sql("SHOW search_path").scalar_one()
    if schemas:
        raise ConfigurationError(
            f"{where} has a ledger in schema {', '.join(schemas)}, and this connection looks in {path}. "
            "Nothing was sent: a second ledger would not know who was contacted. Older versions left out the options "
            "of ledger_conn_id, search_path too. To go on with that ledger, take search_path out of the connection's "
            "options, or name that schema in it. If you want one more ledger, make it by `dropcowboy ledger upgrade`."
        )


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


def _ping_what_was_idle(engine: sa.Engine) -> None:
    """A connection that was in use a moment ago is there; a ping each time would be a round trip of every claim."""
    import psycopg

    def leave(_connection: object, record: sa.pool.ConnectionPoolEntry) -> None:
        record.info["idle_since_s"] = time.monotonic()

    def ping(connection: DBAPIConnection, record: sa.pool.ConnectionPoolEntry, _proxy: object) -> None:
        if time.monotonic() - record.info.get("idle_since_s", math.inf) < PING_AFTER_S:
            return
        try:
            engine.dialect.do_ping(connection)
        except psycopg.Error:
            raise sa.exc.DisconnectionError from None  # the pool opens another one

    sa.event.listen(engine, "checkin", leave)
    sa.event.listen(engine, "checkout", ping)


_HIDDEN: Final = sa.text(
    "SELECT n.nspname FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relname = :name AND c.relkind = 'r' AND NOT pg_catalog.pg_table_is_visible(c.oid) ORDER BY 1"
)
