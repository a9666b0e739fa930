"""One file of a spool: a callback a line, each on disk before it is answered."""

import base64
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

from airflow_provider_dropcowboy.api.callback_url import Ticket
from airflow_provider_dropcowboy.receiver.arrival import Arrival

_READ_BYTES: Final = 1 << 20  # many times the longest line


class SpoolFile:
    """An open, locked file; closing it gives up the lock.

    :ivar size: bytes of whole lines; what a killed process left of a line after them was never answered.
    :ivar lines: that were not forgotten.
    """

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self._descriptor = descriptor
        self._begin = 0
        self.size, self.lines = self._measure()

    def append(self, arrivals: Sequence[Arrival], *, max_bytes: int) -> bool:
        """The callbacks are on disk; False: they would make the file longer than ``max_bytes``.

        :raises OSError: none of them is kept.
        """
        written = b"".join(map(_line, arrivals))
        if self.size + len(written) > max_bytes:
            return False
        try:
            done = 0
            while done < len(written):
                done += os.pwrite(self._descriptor, written[done:], self.size + done)
            os.fsync(self._descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(written)
        self.lines += len(arrivals)
        return True

    def read(self, limit: int) -> tuple[list[Arrival], int]:
        """The next callbacks, at most ``limit``, and where the ones after them begin."""
        read = os.pread(self._descriptor, min(_READ_BYTES, self.size - self._begin), self._begin)
        lines = read.split(b"\n")[:-1][:limit]
        return [_arrival(line) for line in lines], self._begin + sum(len(line) + 1 for line in lines)

    def forget(self, arrivals: Sequence[Arrival], *, end: int) -> None:
        """The callbacks that were read are done with."""
        self._begin = end
        self.lines -= len(arrivals)
        if self._begin == self.size:
            os.ftruncate(self._descriptor, 0)
            self._begin = self.size = 0

    def close(self) -> None:
        """The file stays."""
        os.close(self._descriptor)

    def remove(self) -> None:
        """There is no such file any more."""
        self.path.unlink(missing_ok=True)
        self.close()

    def _measure(self) -> tuple[int, int]:
        size = lines = at = 0
        while read := os.pread(self._descriptor, _READ_BYTES, at):
            if b"\n" in read:
                size = at + read.rfind(b"\n") + 1
                lines += read.count(b"\n")
            at += len(read)
        return size, lines


def _line(arrival: Arrival) -> bytes:
    ticket = arrival.ticket
    named = [ticket.foreign_id, ticket.attempt] if ticket else []
    return json.dumps([base64.b64encode(arrival.body).decode(), *named]).encode() + b"\n"


def _arrival(line: bytes) -> Arrival:
    """The callback of a line; a damaged line is one that cannot be read, and is kept as such."""
    try:
        body, *named = json.loads(line)
        return Arrival(Ticket(*named) if named else None, base64.b64decode(body, validate=True))
    except (TypeError, ValueError):
        return Arrival(None, line)
