"""The receiver as a server of its own, by uvicorn, which takes no more connections than it has file descriptors for."""

import asyncio
import os
import resource
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.supervisors import Multiprocess

from airflow_provider_dropcowboy.receiver.metrics import SHARED_FOLDER

BACKLOG: Final = 2048  # the vendor's callbacks come in bursts, many connections at once
GRACE_S: Final = 15  # above the vendor's own limit of 10: what has begun is answered
KEEP_ALIVE_S: Final = 30

MAX_CONNECTIONS: Final = 8_192
"""Of one process, open at once; further ones wait in the listener's queue."""

RESERVED_FILES: Final = 64
"""File descriptors that connections leave to the ledger, the spool and the log."""

IDLE_S: Final = 1.0
"""How long a new connection may say nothing before it is closed to make room, when there is none left."""


def serve(make_app: Callable[[], ASGIApp], listener: socket.socket, *, workers: int) -> None:
    """Until SIGTERM or SIGINT; what was taken by then is answered.

    :param make_app: called in each worker; with several of them it is pickled.
    :param listener: bound; it is shared by the workers.
    """
    with suppress(ValueError, OSError):  # some systems allow less than they say; the workers inherit it
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    listener.listen(BACKLOG)
    config = uvicorn.Config(
        make_app,
        factory=True,
        workers=workers,
        loop=f"{__name__}:make_loop",
        lifespan="on",
        log_config=None,
        access_log=False,  # its lines would hold tokens
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    if workers == 1:
        uvicorn.Server(config).run([listener])
        return
    with tempfile.TemporaryDirectory(prefix="dropcowboy-metrics-") as folder:
        os.environ.setdefault(SHARED_FOLDER, folder)
        Multiprocess(config, [listener]).run()


def make_loop() -> asyncio.AbstractEventLoop:
    """uvloop's loop where it is installed, else asyncio's; its servers accept connections by ``_Gate``."""
    kind: Any = asyncio.SelectorEventLoop
    with suppress(ImportError):
        import uvloop

        kind = uvloop.Loop
    loop: asyncio.AbstractEventLoop = type("_Loop", (_WithGate, kind), {})()
    return loop


class _WithGate:
    """Half of a loop: uvloop accepts whatever comes; when no descriptor is left, it closes connections unanswered."""

    async def create_server(
        self, make_protocol: Callable[[], asyncio.BaseProtocol], *, sock: socket.socket, **_: object
    ) -> "_Gate":
        soft, _most = resource.getrlimit(resource.RLIMIT_NOFILE)
        allowed = MAX_CONNECTIONS if soft == resource.RLIM_INFINITY else soft - RESERVED_FILES
        return _Gate(make_protocol, sock, most=max(1, min(MAX_CONNECTIONS, allowed)))


class _Gate:
    """A server of asyncio's that accepts connections while fewer than ``most`` are open; else it closes idle ones."""

    def __init__(
        self, make_protocol: Callable[[], asyncio.BaseProtocol], listener: socket.socket, *, most: int
    ) -> None:
        self._make_protocol = make_protocol
        self._listener = listener
        self._most = most
        self._open: dict[asyncio.BaseTransport, tuple[asyncio.BaseProtocol, float]] = {}
        self._sweep_at = 0
        listener.setblocking(False)
        self._accepting = asyncio.ensure_future(self._accept())

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
                transport, protocol = await loop.connect_accepted_socket(self._make_protocol, connection)
                self._open[transport] = protocol, loop.time()
            except OSError:  # the other end is gone, or the whole machine has no descriptor left
                await asyncio.sleep(0.01)

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
