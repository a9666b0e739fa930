"""A callback on its way in: its body, read within bounds, and what the ledger keeps of it."""

import asyncio
import logging
import zlib
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from starlette.types import Receive, Scope

from airflow_provider_dropcowboy.api.callback_url import Ticket
from airflow_provider_dropcowboy.api.callbacks import Callback, read_callback
from airflow_provider_dropcowboy.api.events import read_event
from airflow_provider_dropcowboy.errors import CallbackError
from airflow_provider_dropcowboy.ledger.digest import FOREIGN_ID_CHARACTERS
from airflow_provider_dropcowboy.ledger.reconcile import Received
from airflow_provider_dropcowboy.receiver.metrics import Refusal

MAX_BYTES: Final = 64 * 1024  # a callback has some 500; the vendor may add fields
TIMEOUT_S: Final = 10.0  # API v1, delivery callback: the vendor itself gives up after 10 s


MAX_REPEATS: Final = 16
"""Callbacks under one token. The vendor posts one a message; whoever has its URL could fill the ledger with others."""

MAX_TOKENS: Final = 50_000
"""Tokens whose callbacks are counted, the last ones used; some 10 MB."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Signed:
    """What a signature proves: the account, in the ledger's spelling, that the event is about."""

    account: str


@dataclass(frozen=True, slots=True)
class Arrival:
    """A callback or an event as it came.

    :param ticket: what its URL or its signature proves; None: it came through the account-wide webhook of API v1, which
        proves nothing.
    """

    ticket: Ticket | Signed | None
    body: bytes = field(repr=False)

    def read(self) -> Received:
        """What the ledger keeps of it."""
        try:
            if isinstance(self.ticket, Signed):
                event = read_event(self.body, account=self.ticket.account)
                return Received(None, None, event.result, self._payload(), event)
            callback = read_callback(self.body)
        except CallbackError:
            return self.unread()
        attempt = self.ticket.attempt if self.ticket else None
        return Received(self._foreign_id(callback), attempt, callback, self._payload())

    def unread(self) -> Received:
        """The payload alone, kept as one that cannot be read."""
        if isinstance(self.ticket, Ticket):
            return Received(self.ticket.foreign_id, self.ticket.attempt, None, self._payload())
        return Received(None, None, None, self._payload())

    def _payload(self) -> str:
        # no database stores a NUL in a text; everything else of any bytes can be told from what is kept
        return self.body.decode(errors="backslashreplace").replace("\0", "\\x00")

    def _foreign_id(self, callback: Callback) -> str | None:
        if isinstance(self.ticket, Ticket):
            return self.ticket.foreign_id
        # a longer one is not ours, and an index takes none of any length: the whole batch would fail
        is_ours = callback.foreign_id is not None and len(callback.foreign_id) <= FOREIGN_ID_CHARACTERS
        return callback.foreign_id if is_ours else None


class Uses:
    """How many callbacks of a token are being received or were kept, for the last ``MAX_TOKENS`` tokens."""

    def __init__(self) -> None:
        self._counts: OrderedDict[Ticket, int] = OrderedDict()

    def begin(self, ticket: Ticket) -> bool:
        """One more callback; False: that would be too many."""
        count = self._counts.get(ticket, 0)
        if count == MAX_REPEATS:
            log.warning("send %s: its callback URL was used %d times, more are refused", ticket.foreign_id, count)
        self._counts[ticket] = min(count, MAX_REPEATS) + 1  # one above: the warning is given once
        self._counts.move_to_end(ticket)
        if len(self._counts) > MAX_TOKENS:
            self._counts.popitem(last=False)
        return count < MAX_REPEATS

    def forget(self, ticket: Ticket) -> None:
        """A callback that began was not kept: it may come again."""
        if ticket in self._counts:
            self._counts[ticket] -= 1


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
