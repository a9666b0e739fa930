"""The receiver as a server of its own, by uvicorn: its listener, its workers, and an end that loses no callback."""

import asyncio
import ctypes
import logging
import os
import resource
import signal
import socket
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.config import STARTUP_FAILURE

from airflow_provider_dropcowboy.receiver.quick import Gate, QuickProtocol, Take, WithGate, make_loop

GRACE_S: Final = 15  # above the vendor's own limit of 10: what has begun is answered
KEEP_ALIVE_S: Final = 30

SETTLE_S: Final = 0.25
"""How long handshakes that have begun may take, once no new one is let in."""

LINGER_S: Final = 2.0
"""How long an idle connection stays open at the end: a callback may be on its way over it."""

FIRST_LENT_FILE: Final = 3  # sd_listen_fds(3)

log = logging.getLogger(__name__)


def lent_listener() -> socket.socket | None:
    """The listening socket of an init system, by the protocol of sd_listen_fds(3); None: there is none.

    It outlives this process, so callbacks wait in its queue during a restart.
    """
    if os.environ.get("LISTEN_PID") != str(os.getpid()) or os.environ.get("LISTEN_FDS") != "1":
        return None
    for name in ("LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"):
        os.environ.pop(name, None)
    return socket.socket(fileno=FIRST_LENT_FILE)


def own_listener(host: str, port: int) -> socket.socket:
    """A bound socket that does not listen yet. The next process may bind the same address before this one ends.

    :raises OSError: the address is not free for it.
    """
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if listener.family == socket.AF_INET6:
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        listener.bind((host, port))
    except BaseException:
        listener.close()
        raise
    return listener


@contextmanager
def shared_metrics() -> Iterator[None]:
    """Workers add up their counts in a folder. prometheus_client looks for it once, when it is imported."""
    with tempfile.TemporaryDirectory(prefix="dropcowboy-metrics-") as folder:
        os.environ.setdefault("PROMETHEUS_MULTIPROC_DIR", folder)
        yield


def serve(
    make_app: Callable[[], ASGIApp],
    listener: socket.socket,
    *,
    workers: int,
    is_lent: bool = False,
    when_listening: Callable[[], None] = lambda: None,
) -> None:
    """Until SIGTERM or SIGINT. Every connection that was let in by then is answered.

    :param make_app: called in each worker. Import what it needs before: the workers are forked, and begin with it.
    :param listener: bound; it listens when the app has started.
    :param is_lent: others hold the listener too, so new connections may go on coming in at the end.
    :param when_listening: called once.
    """
    with suppress(ValueError, OSError):  # some systems allow less than they say; the workers inherit it
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    config = uvicorn.Config(
        make_app,
        factory=True,
        loop=f"{make_loop.__module__}:make_loop",
        lifespan="on",
        log_config=None,
        access_log=False,  # its lines would hold tokens
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )
    if workers == 1:
        ReceiverServer(config, is_lent=is_lent, when_listening=when_listening).run([listener])
    else:
        _Workers(config, listener, is_lent=is_lent).run(workers, when_listening)


class ReceiverServer(uvicorn.Server):
    """A server that ends without losing a callback that is on its way."""

    def __init__(
        self,
        config: uvicorn.Config,
        *,
        is_lent: bool,
        when_listening: Callable[[], None] = lambda: None,
        settle_s: float = SETTLE_S,
    ) -> None:
        super().__init__(config)
        self._settle_s = settle_s
        self._is_lent = is_lent
        self._when_listening = when_listening
        self.is_ending = False

    @property
    def connections(self) -> set[Any]:
        """That are open."""
        return self.server_state.connections

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        loop: object = asyncio.get_running_loop()
        take: Take | None = getattr(self.config.loaded_app, "take", None)
        if take is not None and isinstance(loop, WithGate):
            loop.wrap = lambda make_other: lambda: QuickProtocol(make_other, take, self, keep_alive_s=KEEP_ALIVE_S)
        await super().startup(sockets)
        self._when_listening()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Nobody new is let in; who is in gets an answer that ends the connection; then idle connections are closed."""
        self.is_ending = True
        self.server_state.default_headers = [*self.server_state.default_headers, (b"connection", b"close")]
        for listener in sockets or []:
            if not self._is_lent:
                _let_nobody_in(listener)
        await asyncio.sleep(self._settle_s)
        for gate in self.servers:
            assert isinstance(gate, Gate)
            await gate.take_rest()
        for listener in sockets or []:
            listener.close()
        give_up_at = time.monotonic() + LINGER_S
        # uvicorn tells nobody when a connection closes
        while self.server_state.connections and not self.force_exit and time.monotonic() < give_up_at:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
        await super().shutdown(sockets)


class _Workers:
    """Forked processes that share the listener. A process that dies is replaced."""

    def __init__(self, config: uvicorn.Config, listener: socket.socket, *, is_lent: bool) -> None:
        self._config = config
        self._listener = listener
        self._is_lent = is_lent
        self._forked_at: dict[int, float] = {}

    def run(self, workers: int, when_listening: Callable[[], None]) -> None:
        """Until SIGTERM or SIGINT, or until a worker cannot start."""
        waited = {signal.SIGTERM, signal.SIGINT, signal.SIGCHLD}
        before = signal.pthread_sigmask(signal.SIG_BLOCK, waited)
        heard, self._said = os.pipe()
        try:
            for _ in range(workers):
                self._fork(before)
            if os.read(heard, 1) == b"\n":
                when_listening()
            number = signal.SIGCHLD
            while number == signal.SIGCHLD and self._replace_dead(before):
                number = signal.Signals(signal.sigwait(waited))
            if not self._is_lent:
                _let_nobody_in(self._listener)
            self._listener.close()
            for worker in self._forked_at:
                os.kill(worker, signal.SIGTERM)
            for worker in self._forked_at:
                os.waitpid(worker, 0)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        if number == signal.SIGCHLD:
            sys.exit(STARTUP_FAILURE)
        signal.raise_signal(number)  # it ends as one process does

    def _fork(self, mask: set[int | signal.Signals]) -> None:
        worker = os.fork()
        if worker:
            self._forked_at[worker] = time.monotonic()
            return
        code = 1
        try:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            # the parent lets nobody in: one worker that ends must not close the door for all
            ReceiverServer(self._config, is_lent=True, when_listening=lambda: self._tell(b"\n")).run([self._listener])
        except KeyboardInterrupt:
            code = 0
        except SystemExit as ended:
            code = STARTUP_FAILURE if ended.code == STARTUP_FAILURE else 1
        except BaseException:
            log.exception("a worker failed")
        finally:
            self._tell(b"x")
            os._exit(code)  # what the parent cleans up is not the worker's

    def _tell(self, said: bytes) -> None:
        with suppress(OSError):
            os.write(self._said, said)

    def _replace_dead(self, mask: set[int | signal.Signals]) -> bool:
        """Whether to go on: a worker that could not even start would not start again either."""
        for worker, forked_at in list(self._forked_at.items()):
            ended, status = os.waitpid(worker, os.WNOHANG)
            if not ended:
                continue
            del self._forked_at[worker]
            if os.waitstatus_to_exitcode(status) == STARTUP_FAILURE:
                return False
            log.warning("worker %d ended; another one takes its place", worker)
            if time.monotonic() - forked_at < 1.0:
                time.sleep(1.0)  # a process that fails at once takes no CPU from the others
            self._fork(mask)
        return True


def _let_nobody_in(listener: socket.socket) -> None:
    """Further connections are not even begun: their SYN is dropped, and the other end repeats it after a second.

    By then the listener is closed, and the address belongs to the next process. Without this, a handshake that is under
    way when the listener closes is reset, with the callback that follows it.
    """
    with suppress(OSError):  # another system than Linux
        program = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *step) for step in _DROP_SYN))
        described = struct.pack("@HP", len(_DROP_SYN), ctypes.addressof(program))
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)


_SO_ATTACH_FILTER: Final = 26  # Linux, socket(7)
_DROP_SYN: Final = (  # classic BPF over the TCP header: of SYN and ACK, SYN alone
    (0x30, 0, 0, 13),  # load the byte with the flags
    (0x54, 0, 0, 0x12),  # and: SYN, ACK
    (0x15, 0, 1, 0x02),  # SYN alone: the next step, else the one after
    (0x06, 0, 0, 0),  # drop
    (0x06, 0, 0, 0xFFFFFFFF),  # keep
)
