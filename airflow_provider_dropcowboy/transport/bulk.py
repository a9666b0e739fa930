"""Many sends at once over aiohttp: bytes out, replies in. What a reply means is not decided here."""

import asyncio
import json
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.connector import Connection

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.wire import Answer, Broken, NotWritten, Reply
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock, Deadline
from airflow_provider_dropcowboy.errors import ConfigurationError

KEEP_ALIVE_S: Final = 2.0
"""Shorter than any server's (Node closes after 5 s): a request on a connection that the server has just closed is
doubtful, and they come by the dozen (20 of 20 with aiohttp's 15 s, 0 of 20 with this)."""
CONNECT_TIMEOUT_S: Final = 10.0
MAX_ANSWER_BYTES: Final = 64 * 1024
TICK_S: Final = 0.1
STALL_S: Final = 0.5


class LeaseEndedError(Exception):
    """Nothing was written: the claim's lease was over."""


class NothingWrittenError(asyncio.CancelledError):
    """Cancelled before the first byte."""


@dataclass(slots=True)
class _Writing:
    """How far one request is.

    :param is_begun: set before the first byte: the only thing that decides between not written and broken. Exception
        classes do not tell (a refused connection and a reset are the same class).
    """

    clock: Clock
    lease_ends: Deadline
    is_begun: bool = False


_WRITING: ContextVar[_Writing] = ContextVar("dropcowboy_writing")


class _Request(aiohttp.ClientRequest):
    """A request that says when it is about to be written. A tracing hook would do the same for a fifth more CPU."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Called with an established connection; a proxy's CONNECT and the TLS handshake are over."""
        writing = _WRITING.get()
        if writing.clock.has_passed(writing.lease_ends):
            raise LeaseEndedError
        writing.is_begun = True
        return await _SEND(self, conn)


# an aiohttp without such a method would never call ours, and all that broke would pass for not written: fail on import
_SEND: Final = aiohttp.ClientRequest.send


class BulkSender:
    """A session of one account. Use as an async context manager, in one event loop."""

    def __init__(
        self,
        account: Account,
        *,
        connections: int,
        timeout_s: float,
        verify: bool | str,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._account = account
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(CONNECT_TIMEOUT_S, timeout_s))
        self._verify = verify
        # not the session's: aiohttp writes those to a proxy too, in clear, in the CONNECT before the TLS handshake
        self._headers = {**account.headers(), "Content-Type": "application/json", "Accept": "application/json"}
        self._clock = clock
        self._ticked_s = clock.boot_s()

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections, keepalive_timeout=KEEP_ALIVE_S, ssl=_tls(self._verify)
            ),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            # looked up once: trust_env=True reads the whole environment and ~/.netrc for every request
            proxy=_proxy_of(self._account.base_url),
            request_class=_Request,
        )
        self._ticker = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ticker.cancel()
        await self._session.close()

    async def post(self, path: str, body: Mapping[str, object], *, lease_ends: Deadline) -> Reply:
        """Write one request and read its answer. Asks once: never again, and never elsewhere (redirects).

        :param lease_ends: checked just before the first byte is written.
        :raises NothingWrittenError: cancelled, and the vendor surely took nothing. Any other cancellation is in doubt.
        """
        if self._clock.boot_s() - self._ticked_s > STALL_S:
            # the loop stood still: let it see first which kept connections the server has closed meanwhile
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        writing = _Writing(self._clock, lease_ends)
        _WRITING.set(writing)
        try:
            async with self._session.post(
                self._account.base_url + path,
                data=json.dumps(body).encode(),
                headers=self._headers,
                allow_redirects=False,
            ) as response:
                content = await response.content.read(MAX_ANSWER_BYTES)
                while not response.content.at_eof() and len(content) < MAX_ANSWER_BYTES:
                    content += await response.content.read(MAX_ANSWER_BYTES)
                return Answer(
                    status=response.status,
                    body=content,
                    retry_after=response.headers.get("Retry-After"),
                    date=response.headers.get("Date"),
                )
        except asyncio.CancelledError as error:
            if writing.is_begun:
                raise
            raise NothingWrittenError from error
        except Exception as error:  # noqa: BLE001  # whatever it is: the flag decides, and the other sends go on
            why = _describe(error)
            return Broken(why) if writing.is_begun else NotWritten(why)

    async def _tick(self) -> None:
        while True:
            self._ticked_s = self._clock.boot_s()
            await asyncio.sleep(TICK_S)


def _proxy_of(base_url: str) -> str | None:
    """The environment's proxy for the vendor's host."""
    parts = urlsplit(base_url)
    if not parts.hostname or proxy_bypass(parts.hostname):
        return None
    return getproxies().get(parts.scheme)


def _tls(verify: bool | str) -> ssl.SSLContext | bool:
    if not isinstance(verify, str):
        return verify
    try:
        return ssl.create_default_context(cafile=verify)
    except OSError as error:
        raise ConfigurationError(
            f"verify={verify!r} names no file with certificates ({error.strerror}). Nothing was sent. "
            "Give the path of a PEM file that this worker can read, or leave it out."
        ) from error


def _describe(error: Exception) -> str:
    """For people, without the URL, which aiohttp's own texts hold."""
    match error:
        case LeaseEndedError():
            return "the claim's lease was over"
        case TimeoutError():
            return "time-out"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return "TLS failed"
        case aiohttp.ClientConnectorDNSError():
            return "the host's name was not found"
        case OSError(strerror=str(text)):
            return text
        case _:
            return type(error).__name__
