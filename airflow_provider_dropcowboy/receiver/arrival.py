"""A callback on its way in: its body, read within bounds, and what the ledger keeps of it."""

import asyncio
import zlib
from dataclasses import dataclass, field
from typing import Final

from starlette.types import Receive, Scope

from airflow_provider_dropcowboy.api.callback_url import Ticket
from airflow_provider_dropcowboy.api.callbacks import Callback, read_callback
from airflow_provider_dropcowboy.errors import CallbackError
from airflow_provider_dropcowboy.ledger.digest import FOREIGN_ID_CHARACTERS
from airflow_provider_dropcowboy.ledger.reconcile import Received
from airflow_provider_dropcowboy.receiver.metrics import Refusal

MAX_BYTES: Final = 64 * 1024  # a callback has some 500; the vendor may add fields
TIMEOUT_S: Final = 10.0  # API v1, delivery callback: the vendor itself gives up after 10 s


@dataclass(frozen=True, slots=True)
class Arrival:
    """A callback as it came.

    :param ticket: what its URL proves; None: it came through the account-wide webhook, which proves nothing.
    """

    ticket: Ticket | None
    body: bytes = field(repr=False)

    def read(self) -> Received:
        """What the ledger keeps of it."""
        try:
            callback = read_callback(self.body)
        except CallbackError:
            return self.unread()
        attempt = self.ticket.attempt if self.ticket else None
        return Received(self._foreign_id(callback), attempt, callback, self._payload())

    def unread(self) -> Received:
        """The payload alone, kept as one that cannot be read."""
        if self.ticket is None:
            return Received(None, None, None, self._payload())
        return Received(self.ticket.foreign_id, self.ticket.attempt, None, self._payload())

    def _payload(self) -> str:
        # no database stores a NUL in a text; everything else of any bytes can be told from what is kept
        return self.body.decode(errors="backslashreplace").replace("\0", "\\x00")

    def _foreign_id(self, callback: Callback) -> str | None:
        if self.ticket is not None:
            return self.ticket.foreign_id
        # a longer one is not ours, and an index takes none of any length: the whole batch would fail
        is_ours = callback.foreign_id is not None and len(callback.foreign_id) <= FOREIGN_ID_CHARACTERS
        return callback.foreign_id if is_ours else None


async def read_body(scope: Scope, receive: Receive) -> bytes | Refusal | None:
    """The whole body, decompressed, or why it is not read. None: its sender is gone.

    At most ``MAX_BYTES`` and one more read of the server's are held, and at most ``MAX_BYTES`` come out of a compressed
    body. A compressed body that is damaged is returned as it came.
    """
    codings: list[str] = []
    length = ""
    for name, value in scope["headers"]:
        if name == b"content-encoding":
            codings += [word.strip().lower() for word in value.decode("latin-1").split(",")]
        elif name == b"content-length":
            length = value.decode("latin-1")
    codings = [word for word in codings if word not in {"", "identity"}]
    if len(codings) > 1 or not _WBITS.keys() >= set(codings):
        return Refusal.UNKNOWN_ENCODING
    if length and not (length.isdecimal() and len(length) < 10 and int(length) <= MAX_BYTES):
        return Refusal.TOO_LARGE
    read = b""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                read += message.get("body", b"")
                if len(read) > MAX_BYTES:
                    return Refusal.TOO_LARGE
                if not message.get("more_body", False):
                    return _decompressed(read, codings[0]) if codings else read
    except TimeoutError:
        return Refusal.TOO_SLOW


# RFC 9110, 8.4.1; zlib's window bits: 47 reads gzip and zlib, -15 the bare deflate that some senders call deflate
_WBITS: Final = {"gzip": (47,), "x-gzip": (47,), "deflate": (47, -15)}


def _decompressed(body: bytes, coding: str) -> bytes | Refusal:
    for wbits in _WBITS[coding]:
        try:
            plain, rest = bytearray(), body
            while rest:  # a gzip body may have several members
                inflater = zlib.decompressobj(wbits)
                plain += inflater.decompress(rest, MAX_BYTES + 1 - len(plain))
                if len(plain) > MAX_BYTES:
                    return Refusal.TOO_LARGE
                if not inflater.eof:
                    return body  # cut off
                rest = inflater.unused_data
            return bytes(plain)
        except zlib.error:
            continue
    return body
