"""Many sends at once over aiohttp: bytes out, replies in. What a reply means is not decided here."""

import asyncio
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self

import aiohttp

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.wire import Answer, Broken, NotWritten, Reply

KEEP_ALIVE_S: Final = 2.0
"""Shorter than any server's (Node closes after 5 s): a request on a connection that the server has just closed is
doubtful, and they come by the dozen (20 of 20 with aiohttp's 15 s, 0 of 20 with this)."""
CONNECT_TIMEOUT_S: Final = 10.0
MAX_ANSWER_BYTES: Final = 64 * 1024
TICK_S: Final = 0.1
STALL_S: Final = 0.5


class LeaseEndedError(Exception):
    """Nothing was written: the claim's lease was over."""


@dataclass(slots=True)
class _Trace:
    """What became of one request.

    :param lease_ends: seconds of the monotonic clock.
    :param is_written: set before the first byte: the only thing that decides between not written and broken. Exception
        classes do not tell (a refused connection and a reset are the same class).
    """

    lease_ends: float
    is_written: bool = False


class BulkSender:
    """A session of one account. Use as an async context manager, in one event loop."""

    def __init__(self, account: Account, *, connections: int, timeout_s: float, verify: bool | str) -> None:
        self._account = account
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(CONNECT_TIMEOUT_S, timeout_s))
        self._verify = verify
        self._ticked_at = time.monotonic()

    async def __aenter__(self) -> Self:
        tracing = aiohttp.TraceConfig()
        tracing.on_request_headers_sent.append(_before_first_byte)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self._connections, keepalive_timeout=KEEP_ALIVE_S, ssl=_tls(self._verify)
            ),
            timeout=self._timeout,
            headers={**self._account.headers(), "Content-Type": "application/json", "Accept": "application/json"},
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=True,
            trace_configs=[tracing],
        )
        self._ticker = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ticker.cancel()
        await self._session.close()

    async def post(self, path: str, body: Mapping[str, object], *, lease_ends: float) -> Reply:
        """Write one request and read its answer. Asks once: never again, and never elsewhere (redirects).

        :param lease_ends: seconds of the monotonic clock; checked just before the first byte is written.
        """
        if time.monotonic() - self._ticked_at > STALL_S:
            # the loop stood still: let it see first which kept connections the server has closed meanwhile
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        trace = _Trace(lease_ends)
        try:
            async with self._session.post(
                self._account.base_url + path,
                data=json.dumps(body).encode(),
                allow_redirects=False,
                trace_request_ctx=trace,
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
        except (aiohttp.ClientError, LeaseEndedError, TimeoutError, OSError) as error:
            why = _describe(error)
            return Broken(why) if trace.is_written else NotWritten(why)

    async def _tick(self) -> None:
        while True:
            self._ticked_at = time.monotonic()
            await asyncio.sleep(TICK_S)


async def _before_first_byte(
    _session: aiohttp.ClientSession, context: object, _parameters: aiohttp.TraceRequestHeadersSentParams
) -> None:
    trace: _Trace = context.trace_request_ctx  # type: ignore[attr-defined]  # aiohttp's own namespace
    if time.monotonic() >= trace.lease_ends:
        raise LeaseEndedError
    trace.is_written = True


def _tls(verify: bool | str) -> ssl.SSLContext | bool:
    if isinstance(verify, str):
        return ssl.create_default_context(cafile=verify)
    return verify


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
