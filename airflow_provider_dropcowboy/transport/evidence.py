"""What is known of a request: whether its first byte was written, and what went wrong, in words.

That a request was not begun is the only proof that it was not carried out. The class of an exception is no such proof:
the same ConnectionError is raised for a refused port, where nobody heard anything, and for a reset after the whole
request was written.
"""

import errno
import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.client import IncompleteRead, RemoteDisconnected
from typing import Any

from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, ProxyManager
from urllib3 import exceptions as urllib3
from urllib3.connection import HTTPConnection, HTTPSConnection

from airflow_provider_dropcowboy.errors import ConfigurationError


@dataclass(slots=True)
class FirstByte:
    """Whether the first byte of a request was about to be written on an established connection.

    :param may_write: called before it is.
    """

    may_write: Callable[[], bool]
    is_written: bool = False


class LeaseEndedError(Exception):
    """Nothing was written: the claim's lease was over."""


@contextmanager
def watch_first_byte(may_write: Callable[[], bool]) -> Iterator[FirstByte]:
    """What is written inside, on this thread and through a :class:`WatchingAdapter`, is noted in the value."""
    first_byte = FirstByte(may_write)
    token = _watched.set(first_byte)
    try:
        yield first_byte
    finally:
        _watched.reset(token)


class WatchingAdapter(HTTPAdapter):
    """An adapter of requests whose connections note the first byte. It never retries by itself."""

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        """Make the pools for direct connections."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = _POOLS

    def proxy_manager_for(self, proxy: str, **kwargs: Any) -> ProxyManager:
        """Make the pools for connections through a proxy.

        :raises ConfigurationError: a SOCKS proxy. Its connections would note nothing: a doubt would pass for a proof.
        """
        if proxy.lower().startswith("socks"):
            raise ConfigurationError(
                "The environment names a SOCKS proxy, which is not supported. Nothing was sent. "
                "Set HTTPS_PROXY to an http(s) proxy, or name the host in NO_PROXY."
            )
        manager: ProxyManager = super().proxy_manager_for(proxy, **kwargs)
        manager.pool_classes_by_scheme = _POOLS
        return manager


class _WatchedConnection(HTTPConnection):
    _is_connecting = False

    def connect(self) -> None:
        # a proxy's CONNECT and the TLS handshake are written in here: they are not the request
        self._is_connecting = True
        try:
            super().connect()
        finally:
            self._is_connecting = False

    def send(self, data: Any) -> None:
        if not self._is_connecting:
            if self.sock is None:
                self.connect()  # http.client would do it inside send, after the note
            if first_byte := _watched.get():
                if not first_byte.is_written and not first_byte.may_write():
                    raise LeaseEndedError
                first_byte.is_written = True
        super().send(data)


class _WatchedHttpsConnection(_WatchedConnection, HTTPSConnection):
    pass


class _WatchedPool(HTTPConnectionPool):
    ConnectionCls = _WatchedConnection


class _WatchedHttpsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedHttpsConnection


_watched: ContextVar[FirstByte | None] = ContextVar("_watched", default=None)
_POOLS = {"http": _WatchedPool, "https": _WatchedHttpsPool}


def why(error: BaseException, *, timeout_s: float) -> str:
    """The words for the innermost known cause of an exception of requests, urllib3 or the socket."""
    causes = list(_causes(error))
    through = "through the proxy, " if any(isinstance(cause, urllib3.ProxyError) for cause in causes) else ""
    for cause in causes:
        words = _known(cause, timeout_s)
        if words:
            return through + words
    return f"{through}{type(error).__name__}"


def _known(cause: BaseException, timeout_s: float) -> str | None:
    match cause:
        case socket.gaierror(errno=socket.EAI_AGAIN):
            return "the host's name could not be resolved, since no name server answered"
        case socket.gaierror():
            return "the host's name could not be resolved, since there is no such name"
        case ssl.SSLCertVerificationError():
            return f"the host's TLS certificate is not accepted: {cause.verify_message.rstrip('.')}"
        case ssl.SSLError():
            return f"the TLS handshake failed: {(cause.reason or 'no reason given').replace('_', ' ').lower()}"
        case TimeoutError():  # urllib3's own are no help: its NewConnectionError is a ConnectTimeoutError
            return f"timed out after {timeout_s:g} s"
        case ConnectionRefusedError():
            return "the connection was refused"
        case RemoteDisconnected() | IncompleteRead() | urllib3.IncompleteRead():
            return "the connection was closed before the whole answer came"
        case ConnectionResetError() | BrokenPipeError():
            return "the connection was reset"
        case OSError(errno=int(number)) if number in errno.errorcode:
            return os.strerror(number).lower()  # its own text may hold the host and its address
        case _:
            return None


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and all it was made of, from the outside in; the libraries hide causes in four places."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop(0)
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        inner = (*cause.args, getattr(cause, "reason", None), cause.__cause__, cause.__context__)
        waiting += [item for item in inner if isinstance(item, BaseException)]
