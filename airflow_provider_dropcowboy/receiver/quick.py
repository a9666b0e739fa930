"""Connections of the receiver: how many are accepted, and callbacks that need no web server."""

import asyncio
import resource
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol, cast

from airflow_provider_dropcowboy.api.callbacks import PATH

MakeProtocol = Callable[[], asyncio.BaseProtocol]

BACKLOG: Final = 2048  # the vendor's callbacks come in bursts, many connections at once

MAX_CONNECTIONS: Final = 8_192
"""Of one process, open at once; further ones wait in the listener's queue."""

RESERVED_FILES: Final = 64
"""File descriptors that connections leave to the ledger, the spool and the log."""

IDLE_S: Final = 1.0
"""How long a new connection may say nothing before it is closed to make room, when there is none left."""


def make_loop() -> asyncio.AbstractEventLoop:
    """uvloop's loop where it is installed, else asyncio's; its servers accept connections by ``Gate``."""
    kind: Any = asyncio.SelectorEventLoop
    with suppress(ImportError):
        import uvloop

        kind = uvloop.Loop
    loop: asyncio.AbstractEventLoop = type("_Loop", (WithGate, kind), {})()
    return loop


class WithGate:
    """Half of a loop: uvloop accepts whatever comes; when no descriptor is left, it closes connections unanswered."""

    wrap: Callable[[MakeProtocol], MakeProtocol] = staticmethod(lambda make_protocol: make_protocol)
    """What each connection gets in the place of the server's own protocol."""

    async def create_server(self, make_protocol: MakeProtocol, *, sock: socket.socket, **_: object) -> "Gate":
        soft, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
        allowed = MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else soft - RESERVED_FILES
        return Gate(self.wrap(make_protocol), sock, most=max(1, min(MAX_CONNECTIONS, allowed)))


class Gate:
    """A server of asyncio's that accepts connections while fewer than ``most`` are open; else it closes idle ones."""

    def __init__(self, make_protocol: MakeProtocol, listener: socket.socket, *, most: int) -> None:
        self._make_protocol = make_protocol
        self._listener = listener
        self._most = most
        self._open: dict[asyncio.BaseTransport, tuple[asyncio.BaseProtocol, float]] = {}
        self._sweep_at = 0
        listener.setblocking(False)
        listener.listen(BACKLOG)
        self._accepting = asyncio.ensure_future(self._accept())

    async def take_rest(self) -> None:
        """Every connection that waits in the queue is accepted."""
        with suppress(OSError):  # BlockingIOError: the queue is empty
            while True:
                connection, _ = self._listener.accept()
                await self._welcome(connection)
        await asyncio.sleep(0)

    def close(self) -> None:
        """No further connection is accepted; those that are open stay."""
        self._accepting.cancel()

    async def wait_closed(self) -> None:
        """Nothing is left to do."""

    async def _accept(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if len(self._open) >= self._sweep_at:
                self._open = {each: known for each, known in self._open.items() if not each.is_closing()}
                self._sweep_at = min(self._most, 2 * len(self._open) + 64)
            try:
                if len(self._open) >= self._most:
                    self._close_idle(opened_before=loop.time() - IDLE_S)
                    await asyncio.sleep(0.01)
                    continue
                connection, _ = await loop.sock_accept(self._listener)
                await self._welcome(connection)
            except OSError:  # the other end is gone, or the whole machine has no descriptor left
                await asyncio.sleep(0.01)

    async def _welcome(self, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        connection.setblocking(False)
        transport, protocol = await loop.connect_accepted_socket(self._make_protocol, connection)
        self._open[transport] = protocol, loop.time()

    def _close_idle(self, *, opened_before: float) -> None:
        """Close the connection that was opened first, of those over which no whole request waits for its answer."""
        for transport, (protocol, opened_at) in self._open.items():
            if opened_at > opened_before:
                return
            request: Any = getattr(protocol, "cycle", _UNKNOWN)  # of uvicorn's protocols: the last request
            if request is None or (request is not _UNKNOWN and (request.response_complete or request.more_body)):
                transport.close()
                return


_UNKNOWN: Final = object()


START: Final = f"POST {PATH}".encode()
MAX_HEAD_BYTES: Final = 8 * 1024
PLAIN_HEADERS: Final = frozenset(
    {b"host", b"user-agent", b"accept", b"accept-encoding", b"content-type", b"content-length", b"x-request-id"}
    | {b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"x-forwarded-port", b"x-real-ip", b"traceparent"}
)
"""Headers that change nothing about how a request is read. A request with any other one is not for here."""


class Take(Protocol):
    """Begins to keep a callback; None: the long way decides, because anything about it is out of the ordinary."""

    def __call__(self, token: str, body: bytes) -> "asyncio.Future[bool] | None": ...


def split_callback(received: bytes) -> tuple[str, bytes, bytes] | None:
    """Token and body of a callback that is there whole, and what came after it; None: it is anything else.

    Stricter than HTTP (RFC 9112): one Content-Length of digits, no header but ``PLAIN_HEADERS``, no folded line.
    """
    end = received.find(b"\r\n\r\n", 0, MAX_HEAD_BYTES)
    if end < 0 or not received.startswith(START):
        return None
    first, *lines = received[:end].split(b"\r\n")
    token, _, version = first[len(START) :].partition(b" ")
    if version != b"HTTP/1.1" or not token.replace(b".", b"").isalnum():
        return None
    length = None
    for line in lines:
        name, colon, value = line.partition(b":")
        name = name.lower()
        if name == b"connection" and value.strip().lower() == b"keep-alive":
            continue
        if not colon or name not in PLAIN_HEADERS or not (value.isascii() and value.decode().isprintable()):
            return None
        if name == b"content-length":
            value = value.strip(b" \t")
            if length is not None or not value.isdigit() or len(value) > 5:
                return None
            length = int(value)
    if length is None or len(received) < end + 4 + length:
        return None
    body = end + 4
    return token.decode(), received[body : body + length], received[body + length :]


class Server(Protocol):
    """What a connection knows of its server.

    :ivar is_ending: every answer is the last of its connection.
    """

    is_ending: bool

    @property
    def connections(self) -> set[Any]: ...


class QuickProtocol(asyncio.Protocol):
    """One connection. A callback's answer is written before the next one is looked at.

    :param make_other: the server's own protocol.
    :param server: it ends the connections that are idle when it ends.
    """

    def __init__(
        self, make_other: Callable[[], asyncio.BaseProtocol], take: Take, server: Server, *, keep_alive_s: float
    ) -> None:
        self._make_other = make_other
        self._take = take
        self._server = server
        self._keep_alive_s = keep_alive_s
        self._received = b""
        self._pending: asyncio.Future[bool] | None = None
        self._other: Any = None
        self._loop = asyncio.get_running_loop()

    @property
    def cycle(self) -> object:
        """As the server's own protocol has it: the request that is being answered; None: there is none."""
        return self._other.cycle if self._other is not None else self._pending and _Answering

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._server.connections.add(self)
        self._heard_at = self._loop.time()
        self._timer = self._loop.call_later(self._keep_alive_s, self._close_if_idle)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # it does not matter why
        self._server.connections.discard(self)
        self._timer.cancel()

    def data_received(self, data: bytes) -> None:
        self._received += data
        if self._pending is None:
            self._read()

    def eof_received(self) -> bool:
        # an answer that is under way is still written
        return self._pending is not None

    def shutdown(self) -> None:
        """The server ends: so does the connection, after its answer."""
        if self._pending is None:
            self._transport.close()

    def _read(self) -> None:
        found = split_callback(self._received)
        pending = self._take(found[0], found[1]) if found is not None else None
        if found is None or pending is None:
            self._hand_over()
            return
        self._received = found[2]
        self._pending = pending
        pending.add_done_callback(self._answer)

    def _answer(self, pending: "asyncio.Future[bool]") -> None:
        is_kept = not pending.cancelled() and pending.exception() is None and pending.result()
        self._pending = None
        if self._transport.is_closing():
            return
        self._heard_at = self._loop.time()
        is_last = self._server.is_ending
        self._transport.write(_answer(is_kept=is_kept, is_last=is_last))
        if is_last:
            self._transport.close()
        elif self._received:
            self._read()

    def _hand_over(self) -> None:
        """The connection is the other protocol's from now on, with what was received."""
        self._server.connections.discard(self)
        self._timer.cancel()
        self._other = self._make_other()
        self._transport.set_protocol(self._other)
        self._other.connection_made(self._transport)
        received, self._received = self._received, b""
        self._other.data_received(received)

    def _close_if_idle(self) -> None:
        left_s = self._heard_at + self._keep_alive_s - self._loop.time()
        if self._pending is None and left_s <= 0:
            self._transport.close()
        else:
            self._timer = self._loop.call_later(max(left_s, 1.0), self._close_if_idle)


class _Answering:
    """A request that is there whole, and not yet answered."""

    response_complete = False
    more_body = False


def _answer(*, is_kept: bool, is_last: bool) -> bytes:
    status = b"200 OK" if is_kept else b"503 Service Unavailable"
    return b"HTTP/1.1 %s\r\n%scontent-length: 0\r\n\r\n" % (status, b"connection: close\r\n" if is_last else b"")
