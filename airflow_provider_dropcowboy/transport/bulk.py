"""Many sends at once: bytes out, replies in, and their pace. What a reply means stands in ``api/wire``."""

import asyncio
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from aiolimiter import AsyncLimiter

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.api.wire import (
    Broken,
    NotWritten,
    Outcome,
    Reply,
    Request,
    SendOutcome,
    read_send_answer,
)
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock, Deadline
from airflow_provider_dropcowboy.row_value import row_value
from airflow_provider_dropcowboy.transport.evidence import why
from airflow_provider_dropcowboy.transport.http1 import NOT_SENT, AnswerError, Body, Connection
from airflow_provider_dropcowboy.transport.kept import Keeper, OnDoubt
from airflow_provider_dropcowboy.transport.origin import ConnectError, Origin, header_lines

JSON: Final = "application/json"
TICK_S: Final = 0.1
STALL_S: Final = 0.5
LEASE_ENDED: Final = NotWritten("the claim's lease was over")
EARLY: Final = Broken("an answer came before the request was written")


class NothingWrittenError(asyncio.CancelledError):
    """Cancelled before the first byte."""


@row_value()
class Reading:
    """What came back, and what it means as far as is known yet.

    :param proof: of an answer that would free the message, or came too fast; says later whether it belongs to the
        request. None: the outcome is final.
    """

    reply: Reply
    outcome: SendOutcome
    proof: "asyncio.Task[bool] | None" = None

    async def confirmed(self) -> "Reading":
        """The same, once it is known for certain; in doubt if the answer may belong to another request."""
        if self.proof is None or await self.proof:
            return self
        return _unanswered(Broken("the answer may belong to another request"))


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
        self._headers = {
            **vendor_of(account).headers(account),
            "Content-Type": JSON,
            "Accept": JSON,
            "Accept-Encoding": "identity",
        }
        self._read = vendor_of(account).read_send
        self._is_keyed = vendor_of(account).key_lasts is not None
        self._connections = connections
        self._timeout_s = timeout_s
        self._on_doubt = on_doubt
        self._verify = verify
        self._clock = clock
        self._ticked_s = clock.boot_s()
        self._heads: dict[str, bytes] = {}
        self._body = Body()

    async def __aenter__(self) -> Self:
        # the environment's proxy is looked up once, not for every request
        self._origin = Origin(self._base_url, headers=self._headers, verify=self._verify)
        self._keeper = Keeper(
            self._origin,
            connections=self._connections,
            timeout_s=self._timeout_s,
            clock=self._clock,
            read=self._read,
            on_doubt=self._on_doubt,
            is_keyed=self._is_keyed,
        )
        self._ticker = asyncio.create_task(self._tick())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ticker.cancel()
        self._keeper.close()
        await asyncio.sleep(0)  # the loop closes the sockets in its next turn

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
        """
        if self._clock.boot_s() - self._ticked_s > STALL_S:
            # the loop stood still: let it see first which kept connections the server has closed meanwhile
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        try:
            written = self._bytes(request)
            connection = await self._keeper.connection()
        except asyncio.CancelledError as error:
            raise NothingWrittenError from error
        except Exception as error:  # noqa: BLE001  # whatever it is: nothing was written, and the other sends go on
            return _unanswered(NotWritten(self._why(error)))
        # from here to the wait for the answer the loop does not turn: what is not written yet is never written later
        if self._clock.has_passed(lease_ends):
            connection.drop()
            return _unanswered(LEASE_ENDED)
        answering = connection.write(written, timeout_s=self._timeout_s)
        try:
            answer = await answering
        except asyncio.CancelledError:
            connection.drop()
            raise
        except Exception as error:  # noqa: BLE001  # whatever it is: the request was written
            self._keeper.give_up(connection)
            return _unanswered(Broken(self._why(error)))
        if connection.is_early:
            connection.drop()
            return _unanswered(EARLY)
        outcome = self._read(answer)
        return Reading(answer, outcome, self._judge(connection, outcome, key=key))

    def _judge(self, connection: Connection, outcome: SendOutcome, *, key: object) -> "asyncio.Task[bool] | None":
        """The proof of an answer that needs one."""
        if outcome.kind is Outcome.ACCEPTED:
            return self._keeper.accept(connection, key)
        if outcome.kind in NOT_SENT:
            return self._keeper.check(connection)
        self._keeper.retire(connection)
        return None

    def _bytes(self, request: Request) -> bytes:
        head = self._heads.get(request.path)
        if head is None:
            head = self._heads[request.path] = self._origin.head("POST", request.path).encode()
        if request.headers:
            head += header_lines(request.headers).encode()
        content = self._body.dump(request.body or {})
        return b"%bContent-Length: %d\r\n\r\n%b" % (head, len(content), content)

    def _why(self, error: Exception) -> str:
        """For people, without a URL or an address."""
        return str(error) if isinstance(error, AnswerError | ConnectError) else why(error, timeout_s=self._timeout_s)

    async def _tick(self) -> None:
        while True:
            self._ticked_s = self._clock.boot_s()
            self._keeper.sweep()
            await asyncio.sleep(TICK_S)


def _unanswered(reply: Broken | NotWritten) -> Reading:
    return Reading(reply, read_send_answer(reply))


MIN_PAUSE_S: Final = 0.25
"""How long the run stands still after a 429 without Retry-After; doubled while they go on."""
MAX_PAUSE_S: Final = 30.0


class Pace:
    """Turns for requests. A 429 slows the whole run down at once; answers let it recover. In one event loop.

    :ivar in_flight: requests under way.
    """

    def __init__(self, limit: int, *, rate_per_s: float | None = None, clock: Clock = SYSTEM_CLOCK) -> None:
        self.in_flight = 0
        self._clock = clock
        self._limit = limit
        self._window = float(limit)
        # one at a time, evenly: a burst at the start of each second would be what the limit is against
        self._limiter = AsyncLimiter(1, 1 / rate_per_s) if rate_per_s else None
        self._changed = asyncio.Event()
        self._door = asyncio.Lock()
        self._still_until = 0.0
        self._slowed_at = 0.0
        self._pause_s = MIN_PAUSE_S

    @property
    def limit(self) -> int:
        """Requests under way at once, at most. It may be changed at any time; those under way go on."""
        return self._limit

    @limit.setter
    def limit(self, limit: int) -> None:
        is_slowed = self._window < self._limit
        self._window = min(self._window, limit) if is_slowed else float(limit)
        self._limit = limit
        self._changed.set()

    @property
    def connections(self) -> int:
        """Requests that may be under way at once now: fewer than the limit after a 429."""
        return max(int(self._window), min(self._limit, 1))

    async def enter(self) -> None:
        """Wait for a turn, and take it."""
        is_door_open = self._limiter is None and not self._door.locked()
        if is_door_open and self._has_room() and time.monotonic() >= self._still_until:
            self.in_flight += 1
            return
        async with self._door:  # one waits for what changes, the others wait in line: not all wake up for one turn
            if self._limiter is not None:
                await self._limiter.acquire()
            while True:
                still_s = self._still_until - time.monotonic()
                if still_s > 0:
                    await asyncio.sleep(still_s)
                elif self._has_room():
                    self.in_flight += 1
                    return
                else:
                    self._changed.clear()
                    await self._changed.wait()

    def _has_room(self) -> bool:
        return self.in_flight < int(self._window) or self.in_flight < self.connections

    def leave(self) -> None:
        """Give the turn back."""
        self.in_flight -= 1
        self._changed.set()

    def slow_down(self, retry_after_s: float | None) -> None:
        """The vendor said 429: halve what may be under way, and stand still for as long as it says.

        The answers of one round count once: they were all written before the first of them came back.
        """
        now = time.monotonic()
        if retry_after_s is not None:
            self._still_until = max(self._still_until, now + retry_after_s)
        pause_s = self._clock.pause_s(self._pause_s)
        if now < self._slowed_at + pause_s:
            return
        self._slowed_at = now
        self._still_until = max(self._still_until, now + pause_s)
        self._pause_s = min(self._pause_s * 2, MAX_PAUSE_S)
        self._window = max(self._window / 2, 1.0)

    def speed_up(self) -> None:
        """The vendor took one; a whole round of these allows one more at once."""
        if self._window < self._limit:
            self._window = min(self._window + 1 / max(self._window, 1.0), self._limit)
            self._changed.set()
            self._pause_s = MIN_PAUSE_S
