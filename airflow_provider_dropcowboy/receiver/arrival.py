"""A callback on its way in: what shows that it is genuine, its body, and the batch in which it is put on disk."""

import asyncio
import logging
import time
import zlib
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from starlette.types import Receive, Scope

from airflow_provider_dropcowboy.api.callbacks import Callback, Ticket, content_of, read_callback, read_event
from airflow_provider_dropcowboy.api.versions import KEYED
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import CallbackError
from airflow_provider_dropcowboy.ledger.digest import FOREIGN_ID_CHARACTERS
from airflow_provider_dropcowboy.ledger.reconcile import Received
from airflow_provider_dropcowboy.receiver.metrics import Metrics, Refusal
from airflow_provider_dropcowboy.row_value import row_value
from airflow_provider_dropcowboy.secret import Secret

MAX_BYTES: Final = 64 * 1024  # a callback has some 500; the vendor may add fields
MAX_EVENT_BYTES: Final = 1024 * 1024  # API v2, webhook deliveries: bodies to 1 MB; a larger one is lost
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


@row_value()
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
        """The payload alone, kept as a callback that cannot be read."""
        if isinstance(self.ticket, Ticket):
            return Received(self.ticket.foreign_id, self.ticket.attempt, None, self._payload())
        return Received(None, None, None, self._payload())

    def _payload(self) -> str:
        # no database stores a NUL in a text; all other bytes can be restored from what is kept
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


async def read_body(scope: Scope, receive: Receive, *, most: int = MAX_BYTES) -> bytes | Refusal | None:
    """The whole body, decompressed, or why it is not read. None: its sender is gone.

    At most ``most`` bytes and one more read of the server's are held, and at most ``most`` come out of a compressed
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
    if length and not (length.isdecimal() and len(length) < 10 and int(length) <= most):
        return Refusal.TOO_LARGE
    read = b""
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                read += message.get("body", b"")
                if len(read) > most:
                    return Refusal.TOO_LARGE
                if not message.get("more_body", False):
                    return _decompressed(read, codings[0], most=most) if codings else read
    except TimeoutError:
        return Refusal.TOO_SLOW


# RFC 9110, 8.4.1; zlib's window bits: 47 reads gzip and zlib, -15 the bare deflate that some senders call deflate
_WBITS: Final = {"gzip": (47,), "x-gzip": (47,), "deflate": (47, -15)}


def _decompressed(body: bytes, coding: str, *, most: int) -> bytes | Refusal:
    for wbits in _WBITS[coding]:
        try:
            plain, rest = bytearray(), body
            while rest:  # a gzip body may have several members
                inflater = zlib.decompressobj(wbits)
                plain += inflater.decompress(rest, most + 1 - len(plain))
                if len(plain) > most:
                    return Refusal.TOO_LARGE
                if not inflater.eof:
                    return body  # cut off
                rest = inflater.unused_data
            return bytes(plain)
        except zlib.error:
            continue
    return body


NOT_CONFIGURED: Final = "not_configured"
MAY_BE_NEW: Final = frozenset({NOT_CONFIGURED, "invalid_signature"})
"""Faults that a secret would explain which is not known here yet."""

Secrets = Mapping[str, tuple[Secret, ...]]
"""Signing secrets by account."""


def verify(body: bytes, headers: Mapping[str, str], *secrets: Secrets) -> Signed | str:
    """Whose secret signed these very bytes, a short time ago; else the fault, as the vendor words it.

    Each secret is tried, in constant time.
    """
    check = KEYED.signature_fault
    if check is None:
        return NOT_CONFIGURED
    found: str = NOT_CONFIGURED
    for account in dict.fromkeys(account for some in secrets for account in some):
        fault = check(
            body,
            signature=headers.get("x-signature"),
            timestamp=headers.get("x-timestamp"),
            version=headers.get("x-signature-version"),
            secrets=[secret for some in secrets for secret in some.get(account, ())],
            at=utcnow(),
        )
        if fault is None:
            return Signed(account)
        found = str(fault)
    return found


def is_object(body: bytes) -> bool:
    """Whether a body is a JSON object."""
    try:
        content_of(body)
    except CallbackError:
        return False
    return True


MAX_BATCH: Final = 500
"""Callbacks of one transaction; with the largest bodies 32 MB."""

GATHER_TURNS: Final = 3
"""Turns of the event loop before a batch is closed: a callback that has come takes so many until it waits here. Without
them the batch is half as large, and each callback costs a tenth more."""


class Intake:
    """Group commit without a timer: while one batch is put on disk, the next gathers; then all of it are answered.

    :param keep: puts a batch on disk; False: there is no room.
    """

    def __init__(self, keep: Callable[[list[Arrival]], Awaitable[bool]], metrics: Metrics) -> None:
        self._keep = keep
        self._metrics = metrics
        self._waiting: deque[tuple[Arrival, asyncio.Future[bool], float]] = deque()
        self._came = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many callbacks are not on their way to the disk yet."""
        return len(self._waiting)

    def submit(self, arrival: Arrival) -> "asyncio.Future[bool]":
        """Whether the callback is on disk, as soon as that is known; False: there is no room for it."""
        is_kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrival, is_kept, time.monotonic()))
        self._came.set()
        return is_kept

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._came.wait()
            while self._waiting:
                for _ in range(GATHER_TURNS):
                    await asyncio.sleep(0)
                await self._keep_batch()
            self._came.clear()

    async def _keep_batch(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
        is_kept = False
        self._metrics.received.inc(len(batch))
        try:
            is_kept = await self._keep([arrival for arrival, _, _ in batch])
        except Exception as error:  # noqa: BLE001  # whatever it was, the waiting callers get it, and the next batch is tried
            log.error("a batch of callbacks could not be kept: %s", type(error).__name__)
        finally:
            kept_at = time.monotonic()
            for _, answer, came_at in batch:
                self._metrics.lag.observe(kept_at - came_at)
                if not answer.done():  # who waited for it may be gone
                    answer.set_result(is_kept)
