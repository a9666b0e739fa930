"""The embedded ledger's file: where it may be, who may read it, and whether it is still the file that was opened."""

import logging
import os
import sqlite3
from contextlib import closing, suppress
from pathlib import Path
from typing import Final, cast

import psutil
import sqlalchemy as sa
import tenacity

from airflow_provider_dropcowboy.errors import ConfigurationError, LedgerError, LedgerReplacedError, NoLedgerError

LOCK_TIMEOUT_S: Final = 30
"""How long one transaction waits for another's lock before it gives up; PostgreSQL's do too."""

OWNER_ONLY: Final = 0o600
"""Every contacted number is in a ledger. SQLite gives -wal and -shm the mode of the file itself."""

_NETWORK: Final = ("nfs", "cifs", "smb", "9p", "afs", "ceph", "gluster", "lustre", "beegfs", "fuse")
_LOCAL_FUSE: Final = frozenset({"fuseblk", "fuse.fuse-overlayfs", "fuse-overlayfs"})

_LOST: Final = ".lost-"
"""Between a file's name and its inode, in the name of the copy of a lost one."""

log = logging.getLogger(__name__)

_Identity = tuple[int, int]


def back_up(path: Path, target: Path) -> None:
    """Copy an embedded ledger, whole and as of one moment, while others write to it.

    ``cp`` misses what is still in the -wal file. The copy is one file, on disk when this returns, for its owner only.

    :raises NoLedgerError: there is no ledger at the path.
    :raises ConfigurationError: there is a file at the target already, or it cannot be made; nothing is overwritten.
    :raises LedgerError: the ledger could not be read.
    """
    if not path.exists():
        raise NoLedgerError(f"There is no ledger at {path}.")
    try:
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))
    except OSError as error:
        raise ConfigurationError(f"{target} cannot be made: {error.strerror}. Nothing was copied.") from None
    try:
        with closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT_S)) as source, closing(sqlite3.connect(target)) as copy:
            source.execute("SELECT count(*) FROM dropcowboy_ledger")
            source.backup(copy)
            copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a -wal beside it
        for place in (target, target.parent):
            descriptor = os.open(place, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    except (OSError, sqlite3.Error) as error:
        target.unlink(missing_ok=True)
        raise LedgerError(f"The ledger at {path} could not be copied: {error}. {target} was removed again.") from None
    except BaseException:
        target.unlink(missing_ok=True)
        raise


class LedgerFile:
    """An SQLite file that a process has open, compared with what its path names now.

    Once the file is deleted or replaced, a process that has it open still writes into it, without an error, and nobody
    else ever reads what it writes. An older copy written over it in place is found where the file got shorter.

    :param is_sender: the process sends: whatever replaced the file, a copy of the open one is kept.
    """

    def __init__(self, path: Path, *, is_sender: bool) -> None:
        self.path = path
        self._is_sender = is_sender
        self._identity: _Identity | None = None
        self._size = 0

    def create(self) -> None:
        """An empty file that only its owner may read, unless there is a file.

        :raises LedgerReplacedError: a ledger was lost here, and a person has not decided yet what becomes of its copy.
        """
        if lost := sorted(self.path.parent.glob(f"{self.path.name}{_LOST}*")):
            raise LedgerReplacedError(
                f"The ledger at {self.path} was deleted or replaced while it was in use, and {lost[0]} is a copy of "
                "what it held (empty if it could not be read). Nothing was sent. To go on with that copy, stop all "
                f"senders and receivers, delete {self.path} with its -wal and -shm, and rename the copy to "
                f"{self.path.name}. If the copy is not needed, run `dropcowboy ledger restored`, then move the copy "
                "away: it may know people who were contacted and are not in the ledger now."
            )
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if not self.path.exists():
                with suppress(FileExistsError):  # another sender was first
                    # never opened if it is there: closing it would drop the locks of this process's other connections
                    os.close(os.open(self.path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))
        except OSError as error:
            raise LedgerError(
                f"The ledger's file {self.path} cannot be created: {error.strerror}. Nothing was sent. Make its folder "
                "writable for this user, or set ledger_conn_id or DROPCOWBOY_LEDGER_URL to another place."
            ) from None

    def opened(self) -> _Identity | None:
        """Remember the file that was just opened; later calls see that it is the same one.

        :returns: the identity of its write-ahead log, which stays while a connection is open.
        """
        self.check()
        found = self.path.stat()
        self._identity = (found.st_dev, found.st_ino)
        return _identity_of(_wal(self.path))

    def check(self, *, wal: _Identity | None = None, connection: sqlite3.Connection | None = None) -> None:
        """Nothing, if the path still names the file that was opened. Costs one or two ``stat``.

        :param wal: as ``opened`` returned it for this connection.
        :param connection: still open on the lost file: its contents are saved.
        :raises LedgerReplacedError: it does not; no connection to the file may write any more.
        """
        if self._identity is None:
            return
        size = self._size  # read first: another thread may see the file grow meanwhile
        try:
            found = self.path.stat()
        except FileNotFoundError:
            raise self._replaced("deleted", connection) from None
        if (found.st_dev, found.st_ino) != self._identity or (wal is not None and _identity_of(_wal(self.path)) != wal):
            raise self._replaced("replaced", connection)
        if found.st_size < size:
            raise self._replaced("overwritten, or made smaller by VACUUM,", connection)
        self._size = found.st_size

    def _replaced(self, what: str, connection: sqlite3.Connection | None) -> LedgerReplacedError:
        copy = None
        if connection is not None and (self._is_sender or not self.path.exists()):
            copy = self._save(connection)
        return LedgerReplacedError(
            f"The ledger's file {self.path} was {what} while this process used it. What was sent before is not in the "
            "file that is there now, so nothing more is sent. "
            + (f"{copy} is a copy of what the ledger held: no task sends while that copy is there. " if copy else "")
            + "Decide which file is the ledger before anything runs again: docs/operations.md, After a restore."
        )

    def _save(self, connection: sqlite3.Connection) -> Path | None:
        """Copy the open file beside its path; the first process that notices the loss does it, for all."""
        assert self._identity is not None
        copy = self.path.with_name(f"{self.path.name}{_LOST}{self._identity[1]}")
        try:
            os.close(os.open(copy, os.O_CREAT | os.O_EXCL | os.O_WRONLY, OWNER_ONLY))
            with closing(sqlite3.connect(copy)) as target:
                connection.backup(target)
        except FileExistsError:
            pass
        except (OSError, sqlite3.Error) as error:  # the file stays, so that no sender begins anew beside it
            log.error("the lost ledger could not be copied to %s: %s", copy, type(error).__name__)
        return copy if copy.exists() else None


def _wal(path: Path) -> Path:
    return path.with_name(f"{path.name}-wal")


def _identity_of(path: Path) -> _Identity | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def open_embedded(url: sa.URL, *, may_create: bool) -> tuple[sa.Engine, LedgerFile]:
    """An engine on an SQLite file, whose every transaction begins by a look at its path.

    :param may_create: set up a file that is not there; only a sender does.
    :raises NoLedgerError: there is no file, and none is to be created.
    :raises LedgerError: the file cannot be created.
    :raises LedgerReplacedError: as ``LedgerFile.create``.
    """
    path = Path(url.database or "")
    if not path.is_absolute():
        raise ConfigurationError(
            f"The ledger's path {url.database!r} is not absolute: each process would have its own. "
            "Write sqlite:////absolute/path.db (four slashes)."
        )
    if not may_create and not path.exists():
        raise NoLedgerError.at(path)
    refuse_network_disk(path)
    file = LedgerFile(path, is_sender=may_create)
    if may_create:
        file.create()
    # the connection that was used last: what it read is fresh, and another one's pages are read anew
    engine = sa.create_engine(url, hide_parameters=True, connect_args={"timeout": LOCK_TIMEOUT_S}, pool_use_lifo=True)

    def set_up(dbapi_connection: object, record: sa.pool.ConnectionPoolEntry) -> None:
        _set_up_sqlite(dbapi_connection, is_sender=may_create)
        record.info["wal"] = file.opened()

    def begin(connection: sa.Connection) -> None:
        check_transaction(file, connection)
        is_writing = connection.get_execution_options().get("dropcowboy_writing", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if is_writing else "BEGIN")

    sa.event.listen(engine, "do_connect", lambda *_: file.check())  # before SQLite makes an empty file at the path
    sa.event.listen(engine, "connect", set_up)
    sa.event.listen(engine, "begin", begin)
    return engine, file


def check_transaction(file: LedgerFile, connection: sa.Connection) -> None:
    """Nothing, if the path still names the file that the connection writes to.

    :raises LedgerReplacedError: it does not; the first sender that notices keeps a copy of what the connection holds.
    """
    opened = connection.connection
    file.check(wal=opened.info.get("wal"), connection=cast("sqlite3.Connection", opened.dbapi_connection))


def refuse_network_disk(path: Path) -> None:
    """Nothing, if the file is, or would be, on a local disk.

    :raises ConfigurationError: on a network file system SQLite's locks do not hold (sqlite.org, "How To Corrupt", 2.1).
    """
    kind = _file_system(path)
    if kind.startswith(_NETWORK) and kind not in _LOCAL_FUSE:
        raise ConfigurationError(
            f"The ledger's file {path} is on a network file system ({kind}), where SQLite's locks do not hold: two "
            "workers could call the same people. Nothing was sent. Put it on a local disk, or set ledger_conn_id or "
            "DROPCOWBOY_LEDGER_URL to a PostgreSQL database."
        )


def _file_system(path: Path) -> str:
    """The kind of the file system that holds a path, in lower case; empty: not known."""
    resolved = path.resolve()
    holding = [part for part in psutil.disk_partitions(all=True) if resolved.is_relative_to(part.mountpoint)]
    innermost = max(holding, key=lambda part: len(part.mountpoint), default=None)
    return innermost.fstype.lower() if innermost else ""


def _set_up_sqlite(dbapi_connection: object, *, is_sender: bool) -> None:
    # transactions begin by our own BEGIN: sqlite3's implicit one would start too late, without the write lock
    dbapi_connection.isolation_level = None  # type: ignore[attr-defined]  # the sqlite3 connection
    cursor = dbapi_connection.cursor()  # type: ignore[attr-defined]
    for attempt in _UNTIL_UNLOCKED:
        with attempt:
            cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA synchronous = FULL")  # a claim survives a power cut; NORMAL may lose the last commits
    if is_sender:  # what undoes one statement: else each batch of claims or answers writes a file for it
        cursor.execute("PRAGMA temp_store = MEMORY")
    cursor.execute("SELECT count(*) FROM sqlite_master").fetchall()  # opens the -wal file, which is now known by inode
    cursor.close()


# two first senders of a new file: SQLite does not wait when both change its mode at once, whatever its timeout
_UNTIL_UNLOCKED: Final = tenacity.Retrying(
    retry=tenacity.retry_if_exception_type(sqlite3.OperationalError),
    stop=tenacity.stop_after_delay(LOCK_TIMEOUT_S),
    wait=tenacity.wait_random(0, 0.05),
    reraise=True,
)
