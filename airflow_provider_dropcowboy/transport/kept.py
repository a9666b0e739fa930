"""Kept connections: which may carry another request, and whether an answer read on one belongs to its request.

An answer of HTTP/1.1 does not name its request. If a server, or a proxy, writes one answer too many, the next request
gets it, and each later request on that connection gets the answer to the one before. Nothing shows it until more
answers came than requests were written. So:

* No request is written on a connection on which bytes wait that nobody asked for. After an answer a connection is left
  alone for a time, in which others carry the requests: an answer that is still to come shows.
* An answer that would free a message (429, a rejection, a refusal) counts only after a check: a second request on the
  same connection, for a path that does not exist. Answers come in the order of their requests. So a message's own
  answer, however late, comes before the check's. If it never comes, neither does the check's, and the message is in
  doubt. To wait for a quiet connection proves less: an answer may be later than any wait.
* If more answers came than requests were written, the message is in doubt. So are the accepted messages just before it,
  as many as answers were too many.
"""

import asyncio
import logging
import select
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from secrets import token_hex
from typing import Any, Final, cast
from urllib.parse import urlsplit

import aiohttp
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from airflow_provider_dropcowboy.api.answers import Outcome, SendOutcome
from airflow_provider_dropcowboy.api.wire import Answer, Reply
from airflow_provider_dropcowboy.clock import Clock

KEEP_ALIVE_S: Final = 2.0
"""Shorter than any server's (Node closes after 5 s): a request on a connection that the server has just closed is
doubtful, and they come by the dozen (20 of 20 with aiohttp's 15 s, 0 of 20 with this)."""
CONNECTIONS_PER_REQUEST: Final = 3
"""So many connections for each request that may be under way: while one carries a request, the others are watched. On
fewer, an acceptance that nobody asked for would go unnoticed until the connection ends."""
QUIET_S: Final = 0.05
"""A connection is quiet if nothing came for so long beyond the slowest answer of late: what was due has come then."""
FADE: Final = 0.999
"""What is left of the slowest answer's time with each further answer."""
MAX_SURPLUS: Final = 16
"""So many answers too many are accounted for on one connection."""
IDLE_TIMEOUT: Final = 408
"""What a server sends that waits for a request in vain (RFC 9110, 15.5.9): no request is under way on its side."""

NOT_SENT: Final = frozenset({Outcome.RELEASED, Outcome.REJECTED, Outcome.REFUSED})

OnDoubt = Callable[[object], None]
Read = Callable[[Reply], SendOutcome]
"""What an answer means."""
log = logging.getLogger(__name__)


class KeptConnection(ResponseHandler):
    """One connection, counting. aiohttp never pools it, and closes it only before its answer was read."""

    def __init__(self, loop: asyncio.AbstractEventLoop, live: "set[KeptConnection]") -> None:
        super().__init__(loop)
        self._live = live
        self._is_written = False
        self._poll: select.poll | None = None
        self._requests = 0
        self._answers = 0
        self._is_spoilt = False
        self._begun_s = 0.0
        self.accepted: deque[object] = deque(maxlen=MAX_SURPLUS)
        self.is_early = False
        self.announces_close = False
        self.lost = asyncio.Event()
        self.heard_s = 0.0
        self.kept_s = 0.0

    def begin(self) -> None:
        """A request is about to be written."""
        self._requests += 1
        self._is_written = False
        self._begun_s = self._loop.time()

    def end(self) -> None:
        """The whole request was handed to the transport."""
        self._is_written = True

    @property
    def took_s(self) -> float:
        """From the last request to the last bytes."""
        return self.heard_s - self._begun_s

    @property
    def is_fit(self) -> bool:
        """Whether another request may be written: the server neither closed it nor sent what nobody asked for."""
        return self.is_open and not self.has_surplus and not self._has_bytes()

    @property
    def is_open(self) -> bool:
        """Whether neither side has closed it, or said that it will."""
        return self.is_connected() and not self.announces_close and not self.lost.is_set()

    @property
    def has_surplus(self) -> bool:
        """Whether bytes came that no request had asked for."""
        return self._is_spoilt or self._answers > self._requests

    def write_check(self, check: bytes) -> None:
        """Write another request, whose answer comes after that to the one before."""
        assert self.transport is not None
        self.begin()
        self.transport.write(check)
        self.end()

    async def unread(self) -> list[Answer | None]:
        """The answers that came after the one that was read; None stands for bytes that are no whole answer."""
        found: list[Answer | None] = []
        while self._buffer:
            message, payload = await self.read()
            is_whole = payload.is_eof() and payload.exception() is None
            found.append(Answer(message.code, await payload.read()) if is_whole else None)
        return found or [None] * self.has_surplus

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note that it is open."""
        super().connection_made(transport)
        self._live.add(self)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Note that it is closed."""
        super().connection_lost(exc)
        self._live.discard(self)
        self.lost.set()

    def data_received(self, data: bytes) -> None:
        """Note bytes that come while no request waits for an answer."""
        if data and self._is_answered:
            self._is_spoilt = True
        self.heard_s = self._loop.time()
        super().data_received(data)

    def feed_data(self, data: Any, size: int = 0) -> None:
        """Count an answer."""
        message = data[0]
        if message.code >= 200:  # 100 Continue and 103 Early Hints come before the answer
            self._answers += 1
            self.announces_close = message.should_close
            is_unwritten = not self._is_written or (
                self.transport is not None and self.transport.get_write_buffer_size() > 0
            )
            self.is_early = self.is_early or is_unwritten
        super().feed_data(data, size)

    @property
    def should_close(self) -> bool:
        """Always: its keeper pools it, not aiohttp."""
        return True

    def close(self) -> None:
        """Close it, unless its answer was read: then its keeper decides."""
        if not self._is_answered or self._exception is not None:
            self.drop()

    def drop(self) -> None:
        """Close it, whatever of a request is still to be written."""
        if self.transport is not None and self.transport.get_write_buffer_size():
            self.transport.abort()  # to close it would wait for a server that does not read
        super().close()

    @property
    def _is_answered(self) -> bool:
        is_read = self._payload is None or self._payload.is_eof()
        return 0 < self._requests <= self._answers and is_read

    def _has_bytes(self) -> bool:
        """Whether the system has bytes, or the end, of which the event loop does not know yet."""
        if self._poll is None:
            assert self.transport is not None
            self._poll = select.poll()
            self._poll.register(self.transport.get_extra_info("socket").fileno(), select.POLLIN)
        return bool(self._poll.poll(0))


class Keeper:
    """The connections of one sender between their requests. In one event loop."""

    def __init__(
        self,
        *,
        connections: int,
        timeout_s: float,
        clock: Clock,
        read: Read,
        on_doubt: OnDoubt,
        check: "ConnectionCheck",
    ) -> None:
        self._check = check
        self._most = connections * CONNECTIONS_PER_REQUEST
        self._timeout_s = timeout_s
        self._clock = clock
        self._read = read
        self._on_doubt = on_doubt
        self._loop = asyncio.get_running_loop()
        self._idle: deque[KeptConnection] = deque()
        self._live: set[KeptConnection] = set()
        self._judging: set[asyncio.Task[bool]] = set()
        self._slowest_s = 0.0

    def make(self) -> KeptConnection:
        """A new connection, for the transport."""
        return KeptConnection(self._loop, self._live)

    def take(self) -> KeptConnection | None:
        """One that may carry another request: it was quiet for long enough, or there are as many as there may be."""
        while self._idle:
            connection = self._idle[0]
            is_quiet = self._loop.time() - connection.heard_s >= self._quiet_s
            if not is_quiet and len(self._live) < self._most and connection.is_fit:
                return None
            self._idle.popleft()
            is_old = self._clock.boot_s() - connection.kept_s > KEEP_ALIVE_S
            if connection.is_fit and not is_old:
                return connection
            if is_old and not connection.has_surplus:
                connection.drop()
            else:
                self.judge(connection)
        return None

    def accept(self, connection: KeptConnection, key: object) -> None:
        """A message was accepted on it: it may carry the next request.

        :param key: of the message; handed to ``on_doubt`` if the answer turns out to be another one's.
        """
        self._time(connection)
        connection.accepted.append(key)
        if connection.is_open and not connection.has_surplus:
            self._keep(connection)
        else:
            self.judge(connection)

    def question(self, connection: KeptConnection) -> "asyncio.Task[bool]":
        """Any other answer came on it. The task says, after a while, whether it belongs to its request for certain."""
        self._time(connection)
        return self.judge(connection, is_questioned=True)

    def judge(self, connection: KeptConnection, *, is_questioned: bool = False) -> "asyncio.Task[bool]":
        """Wait until it was quiet for long enough; then keep it, or close it and report what is in doubt."""
        task = self._loop.create_task(self._judge(connection, is_questioned=is_questioned))
        self._judging.add(task)
        task.add_done_callback(self._judging.discard)
        return task

    async def settle(self) -> None:
        """Every answer that was read so far belongs to its request, or was reported."""
        while self._idle:
            self.judge(self._idle.popleft())
        while self._judging:
            await asyncio.wait(self._judging)
            if all(not connection.has_surplus for connection in self._idle):
                return

    async def close(self) -> None:
        """Close all connections."""
        for task in self._judging:
            task.cancel()
        for connection in list(self._live):
            connection.drop()

    def _keep(self, connection: KeptConnection) -> None:
        connection.kept_s = self._clock.boot_s()
        self._idle.append(connection)

    def _time(self, connection: KeptConnection) -> None:
        self._slowest_s = max(connection.took_s, self._slowest_s * FADE)

    @property
    def _quiet_s(self) -> float:
        return min(QUIET_S + self._slowest_s, self._timeout_s)

    async def _judge(self, connection: KeptConnection, *, is_questioned: bool) -> bool:
        if is_questioned and connection.is_fit:
            connection.write_check(self._check.request)
            await _end_of(connection, at_most_s=self._timeout_s)
            has_ended = connection.lost.is_set()
            answers = await connection.unread()
            if has_ended and len(answers) == 1 and self._check.is_passed_by(answers[0]):
                connection.drop()
                return True
            surplus = answers[:-1] if has_ended else answers  # one of them is the check's own
        else:
            while (left_s := connection.heard_s + self._quiet_s - self._loop.time()) > 0:
                if await _end_of(connection, at_most_s=left_s):
                    break
            is_cut_short = is_questioned and connection.lost.is_set() and not connection.announces_close
            unread = await connection.unread()
            surplus = [answer for answer in unread if answer is None or answer.status != IDLE_TIMEOUT]
            if not surplus and not is_cut_short:
                if connection.is_fit:
                    self._keep(connection)
                else:
                    connection.drop()
                return True
        connection.drop()
        if not is_questioned and all(map(self._is_acceptance, surplus)):
            return True  # whichever is its own, the message was accepted
        in_doubt = list(connection.accepted)[-len(surplus) :] if surplus else []
        log.warning(
            "a connection carried an answer that nobody asked for, or broke after one: %d messages that counted as "
            "accepted are in doubt, and %d more",
            len(in_doubt),
            is_questioned,
        )
        for key in in_doubt:
            self._on_doubt(key)
        return False

    def _is_acceptance(self, answer: Answer | None) -> bool:
        return answer is not None and self._read(answer).kind is Outcome.ACCEPTED


class ConnectionCheck:
    """A request that changes nothing, for a path that no API has: its answer shows that all before it have come.

    The connection ends with it. It carries no credentials.
    """

    def __init__(self, base_url: str, *, read: Read, through_proxy: bool) -> None:
        self._read = read
        self._name = f"no-such-path-{token_hex(8)}"
        parts = urlsplit(f"{base_url}/{self._name}")
        target = parts.geturl() if through_proxy and parts.scheme == "http" else parts.path
        self.request: Final = f"GET {target} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n".encode()

    def is_passed_by(self, answer: Answer | None) -> bool:
        """Whether the message before the check was not sent, whether this answer is the check's or the message's."""
        if answer is None:
            return False
        return self._name.encode() in answer.body or self._read(answer).kind in NOT_SENT


class KeepingConnector(aiohttp.TCPConnector):
    """A connector that takes its connections from a keeper."""

    def __init__(self, keeper: Keeper, **settings: Any) -> None:
        super().__init__(**settings)
        self._keeper = keeper
        self._factory = cast("Any", keeper.make)

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Any],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  # aiohttp's signature
    ) -> Connection:
        """A kept connection that is fit for another request, else a new one."""
        kept = self._keeper.take()
        if kept is None:
            return await super().connect(req, traces, timeout)
        if req.proxy:
            self._update_proxy_auth_header_and_build_proxy_req(req)
        self._acquired.add(kept)
        return Connection(self, req.connection_key, kept, self._loop)


async def _end_of(connection: KeptConnection, *, at_most_s: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(at_most_s):
            await connection.lost.wait()
    return connection.lost.is_set()
