"""A callback on its way in: its body, the batch in which it is put on disk, and what is counted for Prometheus."""

import asyncio
import logging
import os
import time
import zlib
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import field
from enum import StrEnum
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest, multiprocess
from starlette.types import Receive, Scope

from airflow_provider_dropcowboy.api.callbacks import Callback, Ticket, content_of, read_callback, read_event
from airflow_provider_dropcowboy.errors import CallbackError
from airflow_provider_dropcowboy.ledger.digest import FOREIGN_ID_CHARACTERS
from airflow_provider_dropcowboy.ledger.reconcile import Match, Received
from airflow_provider_dropcowboy.receiver.wiring import Signed
from airflow_provider_dropcowboy.row_value import row_value

MAX_BYTES: Final = 64 * 1024  # a callback has some 500; the vendor may add fields
MAX_EVENT_BYTES: Final = 1024 * 1024  # API v2, webhook deliveries: bodies to 1 MB; a larger one is lost
TIMEOUT_S: Final = 10.0  # API v1, delivery callback: the vendor itself gives up after 10 s

MAX_REPEATS: Final = 16
"""Callbacks under one token. The vendor posts one a message; whoever has its URL could fill the ledger with others."""

MAX_TOKENS: Final = 50_000
"""Tokens whose callbacks are counted, the last ones used; some 10 MB."""

log = logging.getLogger(__name__)


class Refusal(StrEnum):
    """Why a callback was not kept."""

    TOO_LARGE = "too_large"
    TOO_SLOW = "too_slow"
    UNKNOWN_ENCODING = "unknown_encoding"
    REPEATED = "repeated"
    NO_ROOM = "no_room"
    SPOOL_FULL = "spool_full"


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


async def read_body(
    scope: Scope, receive: Receive, *, most: int = MAX_BYTES, timeout_s: float = TIMEOUT_S
) -> bytes | Refusal | None:
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
        async with asyncio.timeout(timeout_s):
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


def is_object(body: bytes) -> bool:
    """Whether a body is a JSON object."""
    try:
        content_of(body)
    except CallbackError:
        return False
    return True


SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""Variable that names a folder in which processes add up their counts."""


class Metrics:
    """Counts of this process, in a registry of its own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        name = "dropcowboy_callbacks"
        self.received = Counter(f"{name}_received", "Callbacks read whole.", registry=self._registry)
        self.spooled = Counter(f"{name}_spooled", "Callbacks that waited on disk.", registry=self._registry)
        self.forged = Counter(f"{name}_forged", "Requests without a token of ours.", registry=self._registry)
        self.lag = Histogram(
            f"{name}_lag_seconds",
            "From the last byte of a callback until it was on disk.",
            buckets=(0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
            registry=self._registry,
        )
        self._stored = Counter(
            f"{name}_stored", "Callbacks in the ledger, by what they came to.", ["match"], registry=self._registry
        )
        self._refused = Counter(
            f"{name}_refused", "Callbacks that were lost, by why.", ["reason"], registry=self._registry
        )
        self._waiting = Gauge(
            "dropcowboy_spool_callbacks",
            "Callbacks on disk that wait for the ledger.",
            registry=self._registry,
            multiprocess_mode="livesum",
        )
        self._bytes = Gauge(
            "dropcowboy_spool_bytes", "What they take.", registry=self._registry, multiprocess_mode="livesum"
        )
        for match in Match:  # a series that is there from the start: the first conflict is seen as a rise
            self._stored.labels(match.value)
        for reason in Refusal:
            self._refused.labels(reason.value)

    def stored(self, matches: Mapping[Match, int]) -> None:
        """Callbacks came into the ledger."""
        for match, count in matches.items():
            self._stored.labels(match.value).inc(count)

    def refused(self, reason: Refusal) -> None:
        """A callback of the vendor's is lost."""
        self._refused.labels(reason.value).inc()

    def spool(self, *, callbacks: int, size: int) -> None:
        """So much waits on disk now."""
        self._waiting.set(callbacks)
        self._bytes.set(size)

    def text(self) -> bytes:
        """All counts as Prometheus reads them; of all processes, where they share a folder."""
        if SHARED_FOLDER not in os.environ:
            return generate_latest(self._registry)
        shared = CollectorRegistry()
        multiprocess.MultiProcessCollector(shared)  # type: ignore[no-untyped-call]  # prometheus_client has no type for it
        return generate_latest(shared)


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
