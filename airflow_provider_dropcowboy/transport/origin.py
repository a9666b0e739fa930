"""The host of a base URL, and the way to it: directly, by TLS, or through the proxy of the environment."""

import asyncio
import base64
import socket
import ssl
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import SplitResult, quote, unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import idna
from aiohappyeyeballs import AddrInfoType, start_connection

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.transport.http1 import MAX_ANSWER_BYTES, Connection

HAPPY_EYEBALLS_S: Final = 0.25  # RFC 8305, section 5: the head start of the first address
RESOLVED_S: Final = 10.0
"""How long the addresses of a host are used before a name server is queried again."""


class ConnectError(Exception):
    """No connection came about, so nothing was written. The text is for people; it holds no URL or credential."""


class Origin:
    """The host of a base URL and the way to it: directly, or through the proxy that the environment names.

    :param headers: of each request. A proxy in front of TLS does not see them.
    :raises ConfigurationError: a header, ``verify`` or the proxy cannot be used.
    """

    def __init__(self, base_url: str, *, headers: Mapping[str, str], verify: bool | str) -> None:
        parts = urlsplit(base_url)
        self._host, self._port = _host(parts), _port(parts)
        self._has_tls = parts.scheme == "https"
        host = f"[{self._host}]" if ":" in self._host else self._host
        self._authority = host if self._port == _PORTS[parts.scheme] else f"{host}:{self._port}"
        self._connect_authority = f"{host}:{self._port}"
        self._prefix = quote(parts.path, safe="/%:@!$&'()*+,;=~")
        self._headers = header_lines({"Host": self._authority, **headers})
        self._bare_headers = header_lines({"Host": self._authority})
        self._proxy = _proxy_of(parts)
        self._proxy_lines = _authorization(self._proxy) if self._proxy else ""
        if self._proxy and not self._has_tls:
            self._prefix = f"http://{self._authority}{self._prefix}"
            self._headers += self._proxy_lines
            self._bare_headers += self._proxy_lines
        is_proxy_tls = self._proxy is not None and self._proxy.scheme == "https"
        needs_tls = self._has_tls or is_proxy_tls or isinstance(verify, str)
        self._tls = _tls(verify) if needs_tls else None
        self._resolving = asyncio.Lock()
        self._addresses: Sequence[AddrInfoType] = []
        self._resolved_until_s = 0.0

    def head(self, method: str, path: str, *, has_headers: bool = True) -> str:
        """The first lines of a request, without the empty line that ends them.

        :param has_headers: False: it carries no header of the account.
        """
        return f"{method} {self._prefix}{path} HTTP/1.1\r\n{self._headers if has_headers else self._bare_headers}"

    async def connect(self, connection: Connection, *, timeout_s: float) -> None:
        """Open a connection, after a proxy's answer and TLS handshakes.

        :raises ConnectError: the proxy opens no tunnel, or the other side spoke before any request.
        :raises OSError: no connection, or no TLS; TimeoutError: not in time.
        """
        loop = asyncio.get_running_loop()
        async with asyncio.timeout(timeout_s):
            connected = await start_connection(await self._resolve(), happy_eyeballs_delay=HAPPY_EYEBALLS_S)
            lowest, opening = await loop.create_connection(_Opening, sock=connected)
            try:
                transport: asyncio.Transport = lowest
                if self._proxy and self._proxy.scheme == "https":
                    transport = await self._start_tls(transport, opening, host=_host(self._proxy))
                if self._proxy and self._has_tls:
                    request = f"CONNECT {self._connect_authority} HTTP/1.1\r\nHost: {self._connect_authority}\r\n"
                    transport.write(f"{request}{self._proxy_lines}\r\n".encode())
                    await opening.tunnel()
                if opening.read or opening.is_lost:
                    raise ConnectError("the server closed the connection, or spoke before the request")
                if self._has_tls:
                    transport = await self._start_tls(transport, connection, host=self._host)
                else:
                    transport.set_protocol(connection)
            except BaseException:
                lowest.abort()
                raise
        connection.use(transport, lowest=lowest)

    async def _start_tls(
        self, transport: asyncio.Transport, protocol: asyncio.Protocol, *, host: str
    ) -> asyncio.Transport:
        loop = asyncio.get_running_loop()
        assert self._tls is not None
        secured = await loop.start_tls(transport, protocol, self._tls, server_hostname=host.rstrip("."))
        if secured is None:  # asyncio's way to say that the connection was lost in the handshake
            raise ConnectError("the connection was closed in the TLS handshake")
        return secured

    async def _resolve(self) -> Sequence[AddrInfoType]:
        loop = asyncio.get_running_loop()
        async with self._resolving:  # one query for all connections that open at the same time
            if loop.time() >= self._resolved_until_s:
                host, port = (_host(self._proxy), _port(self._proxy)) if self._proxy else (self._host, self._port)
                self._addresses = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
                self._resolved_until_s = loop.time() + RESOLVED_S
        return self._addresses


class _Opening(asyncio.Protocol):
    """A connection before it carries requests of ours: bytes that come are the proxy's answer, or nobody's."""

    def __init__(self) -> None:
        self.read = b""
        self._changed = asyncio.Event()
        self.is_lost = False

    def data_received(self, data: bytes) -> None:
        self.read += data
        self._changed.set()

    def connection_lost(self, _exc: Exception | None) -> None:
        self.is_lost = True
        self._changed.set()

    async def tunnel(self) -> None:
        """Wait until the proxy has opened the tunnel.

        :raises ConnectError: it does not.
        """
        while b"\r\n\r\n" not in self.read:
            if self.is_lost or len(self.read) > MAX_ANSWER_BYTES:
                raise ConnectError("the proxy opened no tunnel")
            self._changed.clear()
            await self._changed.wait()
        head, _, self.read = self.read.partition(b"\r\n\r\n")
        version, status, *_ = [*head.split(None, 2), b"", b""]
        if not version.startswith(b"HTTP/1.") or len(status) != 3 or not status.startswith(b"2"):
            raise ConnectError(f"the proxy opened no tunnel: HTTP {status.decode('latin-1')[:3]}")


_PORTS: Final = {"http": 80, "https": 443}


def _host(parts: SplitResult) -> str:
    host = parts.hostname or ""
    return host if host.isascii() else idna.encode(host, uts46=True).decode()


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme]


def header_lines(headers: Mapping[str, str]) -> str:
    """Headers as they are written.

    :raises ConfigurationError: a value would end its line.
    """
    if not all(value.isprintable() for value in headers.values()):
        raise ConfigurationError(
            "The connection's team id or secret holds a character that a header cannot carry. Nothing was sent. "
            "Correct the connection."
        )
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


def _proxy_of(parts: SplitResult) -> SplitResult | None:
    """The environment's proxy for the host; None: none.

    :raises ConfigurationError: it is not an HTTP proxy.
    """
    if proxy_bypass(parts.hostname or "") or proxy_bypass(parts.netloc):
        return None
    proxies = getproxies()
    url = proxies.get(parts.scheme) or proxies.get("all")
    if not url:
        return None
    proxy = urlsplit(url if "://" in url else f"http://{url}")
    if proxy.scheme not in _PORTS or not proxy.hostname:
        raise ConfigurationError(
            f"The environment names a proxy for {parts.scheme} that is not an http(s) URL (SOCKS is not supported). "
            f"Nothing was sent. Correct {parts.scheme.upper()}_PROXY, or name the host in NO_PROXY."
        )
    return proxy


def _authorization(proxy: SplitResult) -> str:
    if proxy.username is None:
        return ""
    credentials = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return f"Proxy-Authorization: Basic {base64.b64encode(credentials.encode()).decode()}\r\n"


def _tls(verify: bool | str) -> ssl.SSLContext:
    try:
        context = ssl.create_default_context(cafile=verify if isinstance(verify, str) else None)
    except OSError as error:
        raise ConfigurationError(
            f"verify={verify!r} names no file with certificates ({error.strerror}). Nothing was sent. "
            "Give the path of a PEM file that this worker can read, or leave it out."
        ) from error
    context.set_alpn_protocols(["http/1.1"])
    if verify is False:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
