"""The ledger's database: opening it, its transactions, its clock and its lock."""

import hashlib
import logging
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import LedgerError, NoLedgerError, SchemaVersionError
from airflow_provider_dropcowboy.ledger.embedded import LOCK_TIMEOUT_S, LedgerFile, check_transaction, open_embedded
from airflow_provider_dropcowboy.ledger.postgres import open_postgres, refuse_hidden
from airflow_provider_dropcowboy.ledger.schema import LEDGER, VERSION_TABLE, Instant

HEAD: Final = "0016"
"""The Alembic revision this package reads and writes."""

MAX_IDLE_S: Final = 10
"""How long a transaction may stand still between two statements: a frozen worker keeps no lock from all the others."""


log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ledger:
    """An open ledger. Cheap to hand around; every call takes a connection of the engine's pool.

    :param key: made with the database and never rotated: every foreign_id and digest is keyed with it.
    :param file: of an embedded ledger; each transaction first checks that it is still the file that was opened.
    """

    engine: sa.Engine
    ledger_id: str
    key: bytes = field(repr=False)
    born_at: datetime
    file: LedgerFile | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return f"ledger {self.ledger_id} at {_where(self.engine.url)}"

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that sees one snapshot and changes nothing.

        :raises LedgerError: the database was not reached.
        """
        # else each statement sees a snapshot of its own, and counts of two do not add up
        with _as_ledger_error(), self._begun("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY") as connection:
            yield connection

    @contextmanager
    def writing(self, *, one_at_a_time: str | None = None, wait_s: int = LOCK_TIMEOUT_S) -> Iterator[sa.Connection]:
        """A transaction that is on disk when the block ends without an error.

        :param one_at_a_time: an account: such transactions wait for each other, so that what is read in one cannot
            have changed when it is written.
        :param wait_s: for each lock, on PostgreSQL.
        :raises LedgerError: the database was not reached, or a lock was not had in time.
        """
        # a role or database may have switched the first off, and then a failover forgets who was contacted
        begin = (
            f"BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = on; SET LOCAL lock_timeout = "
            f"'{wait_s}s'; SET LOCAL idle_in_transaction_session_timeout = '{MAX_IDLE_S}s'"
        )
        if one_at_a_time is not None:
            # a statement of its own, after which the next one's snapshot is younger than the lock
            begin += f"; SELECT pg_advisory_xact_lock({_lock_number(one_at_a_time)})"
        with _as_ledger_error(), self._begun(begin, is_writing=True) as connection:
            yield connection

    @contextmanager
    def claiming(self, account: str, *, wait_s: int = LOCK_TIMEOUT_S) -> Iterator[sa.Connection]:
        """``writing``, one transaction an account at a time."""
        with self.writing(one_at_a_time=account, wait_s=wait_s) as connection:
            yield connection

    @contextmanager
    def _begun(self, begin: str, *, is_writing: bool = False) -> Iterator[sa.Connection]:
        """A transaction in which PostgreSQL has carried out some statements, the first of them a ``BEGIN``.

        They go in one round trip, since each is a tenth of a small transaction. So the driver must not begin one.
        """
        with self.engine.connect() as connection:
            connection = connection.execution_options(dropcowboy_writing=is_writing)
            is_postgres = connection.dialect.name == "postgresql"
            if is_postgres:
                connection = connection.execution_options(isolation_level="AUTOCOMMIT")
            with connection.begin():
                if is_postgres:
                    connection.exec_driver_sql(begin)
                yield connection
            if is_writing and self.file is not None:  # a COMMIT into a file that was lost meanwhile keeps nobody
                check_transaction(self.file, connection)


def now(connection: sa.Connection) -> datetime:
    """The database's clock. SQLite's is this machine's, since its file is on a local disk."""
    if connection.dialect.name == "sqlite":
        return utcnow()
    instant: datetime = connection.execute(sa.text("SELECT clock_timestamp()")).scalar_one()
    return instant


def clock_of(dialect: str) -> sa.ColumnElement[datetime]:
    """The database's clock within a statement, which needs the parameters of ``clock_parameters``.

    It is one instant for all rows of the statement, and saves the round trip of ``now``.
    """
    if dialect == "sqlite":
        return sa.bindparam("now", type_=Instant())
    return sa.select(sa.func.clock_timestamp(type_=Instant())).scalar_subquery()


def clock_parameters(dialect: str) -> dict[str, object]:
    """What a statement with ``clock_of`` needs."""
    return {"now": utcnow()} if dialect == "sqlite" else {}


def open_ledger(url: str | sa.URL, *, may_create: bool = False) -> Ledger:
    """The ledger at a SQLAlchemy URL.

    :param may_create: set up an empty database. Senders do, and commands that a person may run before the first send;
        receiver, page and triggers refuse one.
    :raises NoLedgerError: empty, or not there, and not to be created.
    :raises LedgerError: not reached.
    :raises SchemaVersionError: its tables are of another version; the message names the command.
    """
    engine, file = _engine(sa.make_url(url), may_create=may_create)
    try:
        return _open(engine, file, may_create=may_create)
    except BaseException:
        engine.dispose()  # whoever looks for a ledger again and again leaves no connection behind
        raise


def find_ledger(url: str | sa.URL) -> Ledger | None:
    """The ledger at a SQLAlchemy URL; None: there is none yet."""
    try:
        return open_ledger(url)
    except NoLedgerError:
        return None


def upgrade_ledger(url: str | sa.URL) -> str:
    """Bring the tables to this package's version; creates them if there are none.

    :returns: the revision it has now.
    :raises LedgerError: the database was not reached.
    """
    engine, _file = _engine(sa.make_url(url), may_create=True)
    with _as_ledger_error():
        _migrate(engine, only_if_empty=False)
    engine.dispose()
    return HEAD


def _open(engine: sa.Engine, file: LedgerFile | None, *, may_create: bool) -> Ledger:
    with _as_ledger_error():
        version = _version(engine)
        if version is None and engine.dialect.name == "postgresql":
            refuse_hidden(engine, where=_where(engine.url))
        if version is None and may_create:
            _migrate(engine, only_if_empty=True)
            version = _version(engine)
    if version is None:
        raise NoLedgerError.at(_where(engine.url))
    if version != HEAD:
        newer = version > HEAD
        raise SchemaVersionError(
            f"The ledger at {_where(engine.url)} has schema {version}, this package needs {HEAD}. Nothing was sent. "
            + ("Install the newer package on this worker." if newer else "Run `dropcowboy ledger upgrade` once.")
        )
    with _as_ledger_error(), engine.connect() as connection:
        row = connection.execute(sa.select(LEDGER)).one()
    ledger = Ledger(engine, row.ledger_id, bytes.fromhex(row.key_hex), row.born_at, file)
    log.debug("opened %s", ledger)  # who sends says so again, after what it sends
    return ledger


def _engine(url: sa.URL, *, may_create: bool) -> tuple[sa.Engine, LedgerFile | None]:
    if url.get_backend_name() == "sqlite":
        return open_embedded(url, may_create=may_create)
    return open_postgres(url), None


def _version(engine: sa.Engine) -> str | None:
    with engine.connect() as connection:
        if not sa.inspect(connection).has_table(VERSION_TABLE):
            return None
        version: str | None = connection.execute(
            sa.select(sa.column("version_num", sa.String)).select_from(sa.table(VERSION_TABLE))
        ).scalar()
        return version


def _migrate(engine: sa.Engine, *, only_if_empty: bool) -> None:
    """Two first senders at once wait for each other; the second finds it done."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect() as connection:
        connection = connection.execution_options(dropcowboy_writing=True)
        with connection.begin():
            if connection.dialect.name == "postgresql":
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_lock_number("migrate"))))
            if only_if_empty and sa.inspect(connection).has_table(VERSION_TABLE):
                return
            config.attributes["connection"] = connection
            command.upgrade(config, HEAD)
            if connection.execute(sa.select(sa.func.count()).select_from(LEDGER)).scalar_one() == 0:
                connection.execute(
                    LEDGER.insert().values(
                        id=1, ledger_id=secrets.token_hex(8), key_hex=secrets.token_hex(32), born_at=now(connection)
                    )
                )
                log.info("set up an empty ledger at %s", _where(engine.url))


def _lock_number(name: str) -> int:
    """A signed 64-bit number for PostgreSQL's advisory locks."""
    return int.from_bytes(hashlib.sha256(f"dropcowboy:{name}".encode()).digest()[:8], "big", signed=True)


def _where(url: sa.URL) -> str:
    """The URL for people: no user, no password, no options."""
    return sa.URL.create(url.drivername, host=url.host, port=url.port, database=url.database).render_as_string()


@contextmanager
def _as_ledger_error() -> Iterator[None]:
    try:
        yield
    except sa.exc.DBAPIError as error:
        # the driver's text may hold parameters, so only its class is named; the chain is cut for the same reason
        code = getattr(error.orig, "sqlite_errorname", None) or getattr(error.orig, "sqlstate", None) or ""
        name = f"{type(error.orig).__name__}{f' {code}' if code else ''}"
        remedy = next((text for prefix, text in _REMEDIES.items() if code.startswith(prefix)), _REMEDY)
        raise LedgerError(
            f"The ledger's database failed ({name}). Nothing was sent that it has not recorded. {remedy}"
        ) from None
    except sa.exc.TimeoutError:
        raise LedgerError("No free connection to the ledger's database.") from None


_REMEDY: Final = "Check that it runs and is reached from here, its address, user, and password, and its log."
_HELD: Final = (
    "Another process held its lock for too long. Look for a process that hangs or is suspended (`fuser -v` names it), "
    "and resume or kill it."
)
_REMEDIES: Final = {
    "SQLITE_NOTADB": "The file is not an SQLite database. Set another path for the ledger, or restore a backup.",
    "SQLITE_CORRUPT": "The file is damaged. Stop all senders, and restore a backup (docs/operations.md).",
    "SQLITE_CANTOPEN": "The file cannot be opened. Check that it is a file, and that this user may read and write it.",
    "SQLITE_READONLY": "This user may not write the file, or its disk is mounted read-only.",
    "SQLITE_FULL": "The disk is full. Make room on it.",
    "SQLITE_IOERR": "The disk failed, or it is full.",
    "SQLITE_BUSY": _HELD,
    "SQLITE_PROTOCOL": _HELD,  # suspended in the middle of a COMMIT: not even a reader gets in
    "28": "PostgreSQL refused the user or the password. Correct ledger_conn_id or DROPCOWBOY_LEDGER_URL.",
    "3D000": "There is no such database. Create it, or correct ledger_conn_id or DROPCOWBOY_LEDGER_URL.",
    "3F000": "There is no such schema. Create it, or correct search_path.",
    "42501": "The user lacks a privilege. A ledger's user owns its tables.",
    "25006": "The server is read-only: a standby, or in the middle of a failover. Connect to the primary.",
    "53300": "The server has no free connection. Raise max_connections, or use a pooler.",
    "53100": "The server's disk is full.",
}
"""What to do, by the beginning of SQLite's name of the error or of PostgreSQL's SQLSTATE."""
