"""Callbacks on this machine's disk, for as long as the ledger does not take them."""

import fcntl
import logging
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from airflow_provider_dropcowboy.receiver.arrival import Arrival
from airflow_provider_dropcowboy.receiver.spool_file import SpoolFile

FOLDER_NAME: Final = "dropcowboy-spool"
MAX_BYTES: Final = 1 << 30
"""Of one process: a million callbacks and more."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Callbacks that are read and not yet forgotten.

    :param end: where the next ones begin.
    """

    file: SpoolFile
    arrivals: Sequence[Arrival]
    end: int


class Spool:
    """One file of this process, and those that dead processes left; not for two threads at once.

    A file is locked for as long as its process lives, so that nobody else drains it.

    :param folder: of one ledger; made when it is needed, and for nobody else's eyes: numbers are in it.
    """

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._own: SpoolFile | None = None
        self._adopted: list[SpoolFile] = []

    @property
    def callbacks(self) -> int:
        """How many wait."""
        return sum(file.lines for file in self._files())

    @property
    def bytes(self) -> int:
        """How much disk they take."""
        return sum(file.size for file in self._files())

    @property
    def has_room(self) -> bool:
        """Whether it takes more."""
        return self._own is None or self._own.size < self._max_bytes

    def append(self, arrivals: Sequence[Arrival]) -> bool:
        """The callbacks are on disk; False: none of them is, since the spool or the disk is full."""
        try:
            if self._own is None:
                self._own = self._make_own()
            return self._own.append(arrivals, max_bytes=self._max_bytes)
        except OSError as error:
            log.error("callbacks could not be spooled in %s: %s", self._folder, error.strerror)
            return False

    def read(self, limit: int) -> Chunk | None:
        """The oldest callbacks of a file; None: nothing waits."""
        for file in self._files():
            arrivals, end = file.read(limit)
            if arrivals:
                return Chunk(file, arrivals, end)
        return None

    def forget(self, chunk: Chunk) -> None:
        """The callbacks are in the ledger; a file without any is removed if its process is dead."""
        chunk.file.forget(chunk.arrivals, end=chunk.end)
        if not chunk.file.lines and chunk.file in self._adopted:
            self._adopted.remove(chunk.file)
            chunk.file.remove()

    def adopt(self) -> None:
        """Take over the files of processes that are no more."""
        held = {file.path for file in self._files()}
        for path in sorted(self._folder.glob("*.spool")):
            if path not in held and (file := _take(path)):
                log.warning("took over %d spooled callbacks of a process that is no more", file.lines)
                if file.lines:
                    self._adopted.append(file)
                else:
                    file.remove()

    def close(self) -> None:
        """What waits stays on disk, for the next process to take over."""
        for file in self._files():
            if file.lines:
                file.close()
            else:
                file.remove()
        self._own, self._adopted = None, []

    def _files(self) -> list[SpoolFile]:
        return [*self._adopted, *([self._own] if self._own else [])]

    def _make_own(self) -> SpoolFile:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = self._folder / f"{os.getpid()}-{secrets.token_hex(4)}.spool"
        # locked before it has the name by which others look for files: none takes it for a dead process's
        unnamed = path.with_suffix(".new")
        descriptor = os.open(unnamed, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        unnamed.rename(path)
        _sync_folder(self._folder)
        return SpoolFile(path, descriptor)


def default_folder() -> Path:
    """Under ``AIRFLOW_HOME``, as the embedded ledger is."""
    return Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser().absolute() / FOLDER_NAME


def _take(path: Path) -> SpoolFile | None:
    """The file, locked; None: its process lives, or somebody else took it over."""
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDWR)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # who had the lock before may have removed the file between the open and the lock
            if path.stat().st_ino == os.fstat(descriptor).st_ino:
                return SpoolFile(path, descriptor)
        except OSError:
            os.close(descriptor)
            return None
        os.close(descriptor)
    return None


def _sync_folder(folder: Path) -> None:
    """The name of a new file survives a power cut too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
