"""Many sends at once over aiohttp: bytes out, replies in. What a reply means stands in ``api/answers``."""

import asyncio
import errno
import json
import os
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Final, Self
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
from aiohttp.abc import AbstractStreamWriter
from aiohttp.connector import Connection

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.answers import Outcome, SendOutcome, read_unanswered
from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.api.wire import Answer, Broken, NotWritten, Reply, Request
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock, Deadline
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.transport.kept import (
    ConnectionCheck,
    Keeper,
    KeepingConnector,
    KeptConnection,
    OnDoubt,
)

JSON: Final = "application/json"
CONNECT_TIMEOUT_S: Final = 10.0
MAX_ANSWER_BYTES: Final = 64 * 1024
TICK_S: Final = 0.1
STALL_S: Final = 0.5


class LeaseEndedError(Exception):
    """Nothing was written: the claim's lease was over."""


class SpokeFirstError(Exception):
    """Nothing was written: the server sent an answer on a new connection before it was asked anything."""


class NothingWrittenError(asyncio.CancelledError):
    """Cancelled before the first byte."""


class UnwatchedError(Exception):
    """An answer came to a request that was never seen written: what was not written can no longer be told apart.

    :ivar reading: in doubt.
    """

    def __init__(self) -> None:
        super().__init__("an answer came to a request that was never seen written")
        self.reading = _unanswered(Broken(str(self)))


@dataclass(frozen=True, slots=True)
class Reading:
    """What came back, and what it means as far as is known yet.

    :param proof: of an answer that would free the message; says later whether it belongs to the request. None: the
        outcome is final.
    """

    reply: Reply
    outcome: SendOutcome
    proof: "asyncio.Task[bool] | None" = None

    async def confirmed(self) -> "Reading":
        """The same, once it is known for certain; in doubt if the answer may belong to another request."""
        if self.proof is None or await self.proof:
            return self
        return _unanswered(Broken("the answer may belong to another request"))


@dataclass(slots=True)
class _Writing:
    """How far one request is.

    :param is_begun: set before the first byte: the only thing that decides between not written and broken. Exception
        classes do not tell (a refused connection and a reset are the same class).
    """

    clock: Clock
    lease_ends: Deadline
    is_begun: bool = False
    connection: KeptConnection | None = None


_WRITING: ContextVar[_Writing] = ContextVar("dropcowboy_writing")


class _Request(aiohttp.ClientRequest):
    """A request that says when it is about to be written. A tracing hook would do the same for a fifth more CPU."""

    async def send(self, conn: Connection) -> aiohttp.ClientResponse:
        """Called with an established connection; a proxy's CONNECT and the TLS handshake are over."""
        writing = _WRITING.get()
        if writing.clock.has_passed(writing.lease_ends):
            raise LeaseEndedError
        assert isinstance(conn.protocol, KeptConnection)
        if conn.protocol.is_early:
            raise SpokeFirstError
        writing.connection = conn.protocol
        writing.connection.begin()
        writing.is_begun = True
        return await _SEND(self, conn)

    async def write_bytes(
        self, writer: AbstractStreamWriter, conn: Connection, content_length: int | None = None
    ) -> None:
        """Note the end of the request: no answer belongs to it that comes before."""
        await super().write_bytes(writer, conn, content_length)
        assert isinstance(conn.protocol, KeptConnection)
        conn.protocol.end()


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
        on_doubt: OnDoubt = lambda _key: None,
    ) -> None:
        self._base_url = account.base_url
        self._read = vendor_of(account).read_send
        self._connections = connections
        self._timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=min(CONNECT_TIMEOUT_S, timeout_s))
        self._timeout_s = timeout_s
        self._on_doubt = on_doubt
        self._verify = verify
        # not the session's: aiohttp writes those to a proxy too, in clear, in the CONNECT before the TLS handshake
        self._headers = {**vendor_of(account).headers(account), "Content-Type": JSON, "Accept": JSON}
        self._clock = clock
        self._ticked_s = clock.boot_s()

    async def __aenter__(self) -> Self:
        # looked up once: trust_env=True reads the whole environment and ~/.netrc for every request
        proxy = _proxy_of(self._base_url)
        self._keeper = Keeper(
            connections=self._connections,
            timeout_s=self._timeout_s,
            clock=self._clock,
            read=self._read,
            on_doubt=self._on_doubt,
            check=ConnectionCheck(self._base_url, read=self._read, through_proxy=proxy is not None),
        )
        self._session = aiohttp.ClientSession(
            connector=KeepingConnector(self._keeper, limit=self._connections, ssl=_tls(self._verify)),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
            proxy=proxy,
            request_class=_Request,
        )
        self._ticker = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ticker.cancel()
        await self._keeper.close()
        await self._session.close()

    async def settle(self) -> None:
        """Wait until every answer that was read is known to belong to its request, or was reported to ``on_doubt``."""
        await self._keeper.settle()

    async def post(self, path: str, body: Mapping[str, object], *, lease_ends: Deadline) -> Reply:
        """``send``, until its answer is known to be the request's own."""
        return (await (await self.send(Request("POST", path, body=body), lease_ends=lease_ends)).confirmed()).reply

    async def send(self, request: Request, *, lease_ends: Deadline, key: object = None) -> Reading:
        """Write one request and read its answer. Asks once: never again, and never elsewhere (redirects).

        :param lease_ends: checked just before the first byte is written.
        :param key: what ``on_doubt`` is called with if an acceptance turns out to be another request's.
        :raises NothingWrittenError: cancelled, and the vendor surely took nothing. Any other cancellation is in doubt.
        :raises UnwatchedError: an answer came, and the first byte was never seen.
        """
        if self._clock.boot_s() - self._ticked_s > STALL_S:
            # the loop stood still: let it see first which kept connections the server has closed meanwhile
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        writing = _Writing(self._clock, lease_ends)
        _WRITING.set(writing)
        try:
            answer = await self._ask(request)
        except asyncio.CancelledError as error:
            if writing.connection is not None:
                writing.connection.drop()
            if writing.is_begun:
                raise
            raise NothingWrittenError from error
        except Exception as error:  # noqa: BLE001  # whatever it is: the flag decides, and the other sends go on
            if writing.connection is not None:
                writing.connection.drop()
            why = _describe(error)
            return _unanswered(Broken(why) if writing.is_begun else NotWritten(why))
        connection = writing.connection
        if connection is None or not writing.is_begun:
            raise UnwatchedError
        if connection.is_early:
            connection.drop()
            return _unanswered(Broken("an answer came before the request was written"))
        reading = Reading(answer, self._read(answer))
        if reading.outcome.kind is Outcome.ACCEPTED:
            self._keeper.accept(connection, key)
            return reading
        proof = self._keeper.question(connection)
        return reading if reading.outcome.kind is Outcome.UNKNOWN else replace(reading, proof=proof)

    async def _ask(self, request: Request) -> Answer:
        async with self._session.post(
            self._base_url + request.path,
            data=json.dumps(request.body).encode(),
            headers={**self._headers, **request.headers} if request.headers else self._headers,
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

    async def _tick(self) -> None:
        while True:
            self._ticked_s = self._clock.boot_s()
            await asyncio.sleep(TICK_S)


def _unanswered(reply: Broken | NotWritten) -> Reading:
    return Reading(reply, read_unanswered(reply))


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
        case SpokeFirstError():
            return "the server answered before it was asked"
        case TimeoutError():
            return "time-out"
        case aiohttp.ClientConnectorCertificateError() | aiohttp.ClientConnectorSSLError():
            return "TLS failed"
        case aiohttp.ClientConnectorDNSError():
            return "the host's name was not found"
        case OSError(errno=int(number)) if number in errno.errorcode:
            return os.strerror(number)  # its own text may hold the host and its address
        case _:
            return type(error).__name__
