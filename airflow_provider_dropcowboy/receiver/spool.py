"""Callbacks on this machine's disk while the ledger cannot store them: an SQLite file for each process."""

import base64
import fcntl
import json
import logging
import os
import secrets
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airflow_provider_dropcowboy.api.callbacks import Ticket
from airflow_provider_dropcowboy.ledger.digest import FOREIGN_ID_CHARACTERS
from airflow_provider_dropcowboy.receiver.arrival import MAX_BYTES as MAX_BODY_BYTES
from airflow_provider_dropcowboy.receiver.arrival import Arrival
from airflow_provider_dropcowboy.receiver.wiring import Signed

MAX_BYTES: Final = 1 << 30
"""Of one process: a million callbacks and more."""

MIN_FREE_BYTES: Final = 64 << 20
"""Of the disk: room for the largest batch, twice."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Callbacks that were read and not yet forgotten.

    :param end: the last id that was read.
    """

    file: "_File"
    arrivals: Sequence[Arrival]
    end: int


class Spool:
    """This process's file, and those that dead processes left; not for two threads at once.

    :param folder: of one ledger; only its owner may look into it, since phone numbers are in it.
    :ivar problem: why the last callbacks were not kept, or why the next ones would not be; None: there is room.
    """

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES, min_free_bytes: int = MIN_FREE_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._min_free_bytes = min_free_bytes
        self._own: _File | None = None
        self._left: list[_File] = []
        self._reported: set[Path] = set()
        self.problem: str | None = None

    @property
    def callbacks(self) -> int:
        """How many wait."""
        return sum(file.callbacks for file in self._files())

    @property
    def bytes(self) -> int:
        """How much disk they take."""
        return sum(file.path.stat().st_size for file in self._files() if file.path.exists())

    def append(self, arrivals: Sequence[Arrival]) -> bool:
        """The callbacks are on disk; False: none of them is, and ``problem`` says why."""
        try:
            for _ in range(2):
                if self._own is None:
                    self._own = _File.create(self._folder, max_bytes=self._max_bytes)
                if (lost := self._own.append(arrivals)) is None:
                    self.problem = None
                    return True
                log.error("a spool file was %s; a new one is begun", lost)
                self._left.append(self._own)  # what can still be read of it comes into the ledger
                self._own = None
            self._say(f"spool files in {self._folder} do not stay as they are")
        except (OSError, sqlite3.Error) as error:
            self._say(f"callbacks could not be spooled in {self._folder}: {error}")
        return False

    def check(self) -> None:
        """See whether callbacks would be kept now: the disk is written to, and has room. ``problem`` says it."""
        if self.append(()):
            if self._own is not None and not self._own.callbacks:
                self._drop(self._own)
            if (free := shutil.disk_usage(self._folder).free) < self._min_free_bytes:
                self._say(f"the disk of {self._folder} has only {free >> 20} MiB left for callbacks")

    def read(self, limit: int) -> Chunk | None:
        """The oldest callbacks of a file; None: nothing waits."""
        for file in self._files():
            while file.callbacks:
                arrivals, end = file.read(limit)
                if arrivals:
                    return Chunk(file, arrivals, end)
                file.forget(end)
            self._drop(file)
        return None

    def forget(self, chunk: Chunk) -> None:
        """The callbacks are in the ledger; a file without any is removed."""
        chunk.file.forget(chunk.end)
        if not chunk.file.callbacks:
            self._drop(chunk.file)

    def adopt(self) -> None:
        """Take over the files of dead processes. A file that cannot be read stays, and keeps no other waiting."""
        held = {file.path for file in self._files()}
        for path in sorted({*self._folder.glob("*.db"), *self._folder.glob("*.spool")} - held):
            try:
                if path.suffix == ".spool":
                    self._import(path)
                elif path.stat().st_size:  # else its process is about to lock it
                    self._left.append(_File(path))
                    log.warning("took over %d spooled callbacks of a process that ended", self._left[-1].callbacks)
            except (BlockingIOError, FileNotFoundError):
                continue  # its process lives, or another one was faster
            except (OSError, sqlite3.Error) as error:
                is_in_use = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_BUSY
                if not is_in_use and path not in self._reported:
                    self._reported.add(path)
                    log.error("callbacks in %s cannot be read, and stay there: %s", path, error)

    def close(self) -> None:
        """What waits stays on disk, for the next process to take over."""
        for file in self._files():
            if file.callbacks:
                file.connection.close()
            else:
                self._drop(file)
        self._own, self._left = None, []

    def _files(self) -> list["_File"]:
        return [*self._left, *([self._own] if self._own else [])]

    def _say(self, problem: str) -> None:
        if problem != self.problem:
            log.error("%s", problem)
        self.problem = problem

    def _import(self, path: Path) -> None:
        """A file of version 0.1.0, a callback a line, comes into this process's own file."""
        with path.open("rb") as lines:
            fcntl.flock(lines, fcntl.LOCK_EX | fcntl.LOCK_NB)
            while batch := [_of_line(line.strip()) for line in lines.readlines(MAX_BODY_BYTES)]:
                if not self.append(batch):
                    return  # no room now: some may be stored twice, which does no harm
                log.warning("took over %d spooled callbacks of an earlier version", len(batch))
            path.unlink()

    def _drop(self, file: "_File") -> None:
        if file is self._own:
            self._own = None
        else:
            self._left.remove(file)
        file.remove()


class _File:
    """An SQLite file that no other process can open meanwhile. Ids rise by one from row to row.

    :raises sqlite3.Error: another process has it open, or it is no spool.
    """

    def __init__(self, path: Path, *, max_bytes: int | None = None) -> None:
        self.path = path
        self.connection = sqlite3.connect(
            f"{path.as_uri()}?mode=rw", uri=True, timeout=0, isolation_level=None, check_same_thread=False
        )
        self.connection.text_factory = lambda raw: raw.decode(errors="backslashreplace")  # of a damaged row too
        self._has_damage = False
        try:
            # no write-ahead log: damage in it costs all that was written later, and here a page's rows
            for pragma in ("locking_mode = EXCLUSIVE", "journal_mode = DELETE", "synchronous = FULL"):
                self.connection.execute(f"PRAGMA {pragma}")
            self.connection.execute("BEGIN EXCLUSIVE")  # the lock stays when the transaction has ended
            if max_bytes is not None:
                self.connection.execute(f"PRAGMA max_page_count = {max(4, max_bytes // 4096)}")
                self.connection.execute(
                    "CREATE TABLE callbacks (id INTEGER PRIMARY KEY, foreign_id TEXT, attempt INTEGER, body BLOB)"
                )
            self.connection.execute("COMMIT")
            # never opened in another way by this process: closing such a descriptor would give up SQLite's lock
            self._identity = _identity(path)
            ends = "SELECT (SELECT min(id) FROM callbacks), (SELECT max(id) FROM callbacks)"  # reads two pages
            first, last = self.connection.execute(ends).fetchone()
            self._last: int = last or 0
            self._done: int = first - 1 if first else 0
        except BaseException:
            self.connection.close()
            raise

    @classmethod
    def create(cls, folder: Path, *, max_bytes: int) -> "_File":
        """A new file of this process."""
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{os.getpid()}-{secrets.token_hex(4)}.db"
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        return cls(path, max_bytes=max_bytes)

    @property
    def callbacks(self) -> int:
        """How many wait."""
        return self._last - self._done

    def append(self, arrivals: Sequence[Arrival]) -> str | None:
        """The callbacks are on disk, in one transaction; without any, the disk is written to all the same.

        :returns: what became of the file, if it can be used no longer.
        :raises sqlite3.OperationalError: no room, or the disk fails; nothing was kept.
        """
        numbered = enumerate(arrivals, self._last + 1)
        rows = [(id_, *_ticket_columns(arrival), arrival.body) for id_, arrival in numbered]
        try:
            with self.connection:  # commits, or rolls back
                self.connection.execute("BEGIN")
                self.connection.executemany("INSERT INTO callbacks VALUES (?, ?, ?, ?)", rows)
                self.connection.execute("PRAGMA user_version = 1")
        except sqlite3.OperationalError:
            raise
        except sqlite3.DatabaseError as error:
            return f"damaged ({error})"
        self._last += len(rows)
        return None if _identity(self.path) == self._identity else "removed or replaced"

    def read(self, limit: int) -> tuple[list[Arrival], int]:
        """The next callbacks, at most ``limit``, and the last id that was looked at. Damaged rows are left out."""
        end, rows = min(self._done + limit, self._last), []
        select = "SELECT foreign_id, attempt, body FROM callbacks WHERE id BETWEEN ? AND ? ORDER BY id"
        try:
            rows = self.connection.execute(select, (self._done + 1, end)).fetchall()
        except sqlite3.DatabaseError as error:
            log.error("%s is damaged, and callbacks in it may be lost: %s", self.path, error)
            self._has_damage = True
            for number in range(self._done + 1, end + 1):
                with suppress(sqlite3.DatabaseError):
                    rows += self.connection.execute(select, (number, number)).fetchall()
        return [_arrival(*row) for row in rows], end

    def forget(self, end: int) -> None:
        """The callbacks up to this id are done with."""
        self._done = end  # also where a full disk or damage prevents the deletion: none is brought in again and again
        with suppress(sqlite3.Error):
            self.connection.execute("DELETE FROM callbacks WHERE id <= ?", (end,))

    def remove(self) -> None:
        """The file is gone; a damaged one is kept under another name."""
        is_ours = _identity(self.path) == self._identity
        self.connection.close()
        if is_ours and self._has_damage:
            self.path.rename(self.path.with_suffix(".damaged"))
        elif is_ours:
            self.path.unlink(missing_ok=True)


def default_folder() -> Path:
    """Under ``AIRFLOW_HOME``, as the embedded ledger is."""
    return Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser().absolute() / "dropcowboy-spool"


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _ticket_columns(arrival: Arrival) -> tuple[str | None, int | None]:
    if isinstance(arrival.ticket, Signed):
        return f"{_SIGNED}{arrival.ticket.account}", None
    return (arrival.ticket.foreign_id, arrival.ticket.attempt) if arrival.ticket else (None, None)


_SIGNED: Final = "signed "  # begins the name of a row that is an event; no foreign_id has a space


def _arrival(foreign_id: object, attempt: object, body: object) -> Arrival:
    """The callback of a row; whatever a damaged row holds, the ledger can store it."""
    read = body if isinstance(body, bytes) else str(body).encode(errors="backslashreplace")
    if isinstance(foreign_id, str) and foreign_id.startswith(_SIGNED) and attempt is None:
        return Arrival(Signed(foreign_id.removeprefix(_SIGNED)), read)
    is_named = isinstance(foreign_id, str) and foreign_id.isalnum() and len(foreign_id) <= FOREIGN_ID_CHARACTERS
    if is_named and isinstance(attempt, int) and 0 <= attempt < 10**6:
        return Arrival(Ticket(str(foreign_id), attempt), read)
    return Arrival(None, read)


def _of_line(line: bytes) -> Arrival:
    try:
        body, foreign_id, attempt = [*json.loads(line), None, None][:3]
        return _arrival(foreign_id, attempt, base64.b64decode(body, validate=True))
    except (TypeError, ValueError, RecursionError):
        return Arrival(None, line[:MAX_BODY_BYTES])
