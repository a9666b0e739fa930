"""How the receiver accepts connections: never more than it has file descriptors for."""

import asyncio
import resource
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

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
