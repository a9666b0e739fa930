"""Kept connections: which may carry another request, and whether an answer read on one belongs to its request.

An answer of HTTP/1.1 does not name its request. If a server, or a proxy, writes one answer too many, the next request
gets it, and each later request on that connection gets the answer to the one before. Nothing shows it until more
answers came than requests were written. So:

* No request is written on a connection on which stray bytes wait. A connection is left alone until the
  slowest answer of late would have come, counted from its request. If the answer that was read was a stray one, the
  request's own answer shows in that time. Other connections carry the requests meanwhile.
* An answer that would free a message (429, a rejection, a refusal) counts only after a check: a second request on the
  same connection, for a path that does not exist. Answers come in the order of their requests. So a message's own
  answer, however late, comes before the check's. If it never comes, neither does the check's, and the message is in
  doubt. To wait for a quiet connection proves less: an answer may be later than any wait.
* An acceptance in far less time than any other of late may be a stray one. It counts only after such a check.
* If a used connection ends before another answer to its last acceptance would be due, that may be a stray one, and the
  message may not have been read. It is in doubt. So it is if the next request breaks, and no other answer was as fast;
  with idempotency keys, where a doubt is repeated, whatever its time was.
* If more answers came than requests were written, the message is in doubt. So are the accepted messages just before it,
  as many as answers were too many.
"""

import asyncio
import logging
import math
from collections import deque
from collections.abc import Callable, Coroutine
from contextlib import suppress
from functools import partial
from typing import Final

from airflow_provider_dropcowboy.api.wire import Answer
from airflow_provider_dropcowboy.clock import Clock
from airflow_provider_dropcowboy.transport.http1 import Connection, ConnectionCheck, Read
from airflow_provider_dropcowboy.transport.origin import ConnectError, Origin

CONNECT_TIMEOUT_S: Final = 10.0
KEEP_ALIVE_S: Final = 2.0
"""Shorter than any server's (Node closes after 5 s): a request on a connection that the server has just closed is
doubtful, and they come by the dozen (20 of 20 with 15 s, 0 of 20 with this)."""
CONNECTIONS_PER_REQUEST: Final = 3
"""So many connections for each request that may be under way: while one carries a request, the others are watched."""
MARGIN_S: Final = 0.01
"""An answer is due when the slowest one of late would have come, and so long after it."""
FADE: Final = 0.999
"""What is left of the slowest answer's time with each further answer; the fastest one's grows by as much."""
TOO_FAST: Final = 0.5
"""Of the fastest answer's time: no acceptance is believed unchecked that took less, once so many have come:"""
ENOUGH_ANSWERS: Final = 10
IDLE_S: Final = 1.0
"""After so long a server may be about to close it. A system call finds out whether it has."""
IDLE_TIMEOUT: Final = 408
"""What a server sends that waits for a request in vain (RFC 9110, 15.5.9): no request is under way on its side."""

OnDoubt = Callable[[object], None]
log = logging.getLogger(__name__)


class Keeper:
    """The connections of one sender. In one event loop."""

    def __init__(
        self,
        origin: Origin,
        *,
        connections: int,
        timeout_s: float,
        clock: Clock,
        read: Read,
        on_doubt: OnDoubt,
        is_keyed: bool,
    ) -> None:
        self._origin = origin
        self._check = ConnectionCheck(partial(origin.head, "GET", has_headers=False), read=read)
        self._most = connections * CONNECTIONS_PER_REQUEST
        self._timeout_s = timeout_s
        self._clock = clock
        self._on_doubt = on_doubt
        self._is_keyed = is_keyed
        self._loop = asyncio.get_running_loop()
        self._idle: deque[Connection] = deque()
        self._live: set[Connection] = set()
        self._opening = 0
        self._judging: set[asyncio.Task[bool]] = set()
        self._slowest_s = 0.0
        self._fastest_s = math.inf
        self._timed = 0

    async def connection(self) -> Connection:
        """A connection that may carry a request; a new one if none rested for long enough.

        :raises ConnectError: no connection came about; so do OSError and TimeoutError.
        """
        kept = self._take()
        if kept is not None:
            return kept
        self._opening += 1
        try:
            opened = Connection(self._live)
            await self._origin.connect(opened, timeout_s=min(CONNECT_TIMEOUT_S, self._timeout_s))
        finally:
            self._opening -= 1
        if not opened.is_fit:
            opened.drop()
            raise ConnectError("the server closed the connection, or spoke before the request")
        self._live.add(opened)
        return opened

    def accept(self, connection: Connection, key: object) -> "asyncio.Task[bool] | None":
        """A message was accepted on it: it may carry the next request once it has rested.

        :param key: of the message; handed to ``on_doubt`` if the answer turns out to be another one's.
        :returns: of an acceptance that came too fast: says later whether it surely is the message's own. None: it is.
        """
        took_s = connection.heard_s - connection.begun_s
        if self._timed >= ENOUGH_ANSWERS and took_s < self._fastest_s * TOO_FAST and connection.is_fit:
            return self._track(self._check_acceptance(connection))
        connection.accepted.append(key)
        connection.is_fast = took_s < self._fastest_s
        self._timed += 1
        self._slowest_s = max(took_s, self._slowest_s * FADE)
        self._fastest_s = min(took_s, self._fastest_s / FADE)
        if connection.is_fit:
            self._keep(connection)
        else:
            self._begin_to_judge(connection)
        return None

    def check(self, connection: Connection) -> "asyncio.Task[bool]":
        """An answer that frees its message came on it. The task says later whether it surely is the message's own."""
        return self._track(self._pass_check(connection))

    def retire(self, connection: Connection) -> None:
        """An answer that proves nothing came on it: it carries no other request."""
        self._track(self._judge(connection, is_accepted=False))

    def give_up(self, connection: Connection) -> None:
        """Its request got no answer: it is closed."""
        connection.drop()
        if connection.is_hurried:
            self._report_last(connection)

    def sweep(self) -> None:
        """End the waits whose time is over."""
        for connection in list(self._live):
            connection.sweep()

    async def settle(self) -> None:
        """Every answer that was read so far belongs to its request, or was reported."""
        while True:
            while self._idle:
                self._begin_to_judge(self._idle.popleft())
            while self._judging:
                await asyncio.wait(self._judging)
            if not any(connection.has_surplus for connection in self._idle):
                return

    def close(self) -> None:
        """Close all connections."""
        for task in self._judging:
            task.cancel()
        for connection in list(self._live):
            connection.drop()

    def _take(self) -> Connection | None:
        while self._idle:
            connection = self._idle[0]
            idle_s = self._clock.boot_s() - connection.kept_s
            is_fit = connection.is_fit and not (idle_s > IDLE_S and connection.has_bytes())
            may_open = len(self._live) + self._opening < self._most
            is_due = self._due_s(connection) <= self._loop.time()
            if is_fit and may_open and not is_due:
                return None
            connection.is_hurried = (connection.is_fast or self._is_keyed) and not is_due
            self._idle.popleft()
            if is_fit and idle_s <= KEEP_ALIVE_S:
                return connection
            if connection.has_surplus or idle_s <= KEEP_ALIVE_S:
                self._begin_to_judge(connection)
            else:
                connection.drop()
        return None

    def _keep(self, connection: Connection) -> None:
        connection.kept_s = self._clock.boot_s()
        self._idle.append(connection)

    def _due_s(self, connection: Connection) -> float:
        """When an answer that is still to come to its last request would have come."""
        return max(connection.begun_s + self._slowest_s, connection.heard_s) + MARGIN_S

    def _begin_to_judge(self, connection: Connection) -> None:
        self._track(self._judge(connection, is_accepted=True))

    def _track(self, judging: Coroutine[None, None, bool]) -> "asyncio.Task[bool]":
        task = self._loop.create_task(judging)
        self._judging.add(task)
        task.add_done_callback(self._judging.discard)
        return task

    async def _judge(self, connection: Connection, *, is_accepted: bool) -> bool:
        """Wait until what is still to come has come; then keep it, or close it and report what is in doubt.

        :param is_accepted: its last answer was an acceptance.
        """
        await self._rest(connection)
        surplus = _without_idle_timeout(connection.unread())
        if is_accepted and not surplus and connection.is_fit and not connection.has_bytes():
            self._keep(connection)
            return True
        is_cut_short = connection.lost_s < self._due_s(connection) and not connection.announces_close
        connection.drop()
        if is_cut_short and not surplus and (is_accepted or connection.is_hurried):
            self._report_last(connection)
            return False
        # as long as all answers are acceptances, the messages were accepted, whichever answer is whose
        agreeing = next((n for n, answer in enumerate(surplus) if not self._check.accepts(answer)), len(surplus))
        differing = len(surplus) - (agreeing if is_accepted else 0)
        if differing:
            self._report(connection, surplus=differing)
        return not surplus

    async def _check_acceptance(self, connection: Connection) -> bool:
        connection.write_behind(self._check.request)
        await _end_of(connection, at_most_s=self._timeout_s)
        answers = connection.unread()
        is_answered = connection.lost.is_set() and bool(answers) and self._check.is_answered_by(answers[-1])
        connection.drop()
        own = answers[:-1] if is_answered else answers
        if is_answered and all(map(self._check.accepts, own)):
            return True
        # one of them is the message's own
        self._report(connection, surplus=len(own) - 1, is_checked=True)
        return False

    async def _pass_check(self, connection: Connection) -> bool:
        if connection.is_fit and not connection.has_bytes():
            connection.write_behind(self._check.request)
            await _end_of(connection, at_most_s=self._timeout_s)
            has_ended, answers = connection.lost.is_set(), connection.unread()
            if has_ended and len(answers) == 1 and self._check.is_passed_by(answers[0]):
                return True
            connection.drop()
            # one is the check's own; without one, the answer that was read may be that of the request before
            too_many = max(len(answers) - has_ended, connection.is_hurried)
            self._report(connection, surplus=too_many, is_checked=True)
            return False
        await self._rest(connection)
        is_cut_short = connection.lost.is_set() and not connection.announces_close
        surplus = _without_idle_timeout(connection.unread())
        connection.drop()
        if surplus or is_cut_short:
            self._report(connection, surplus=len(surplus), is_checked=True)
            return False
        return True

    async def _rest(self, connection: Connection) -> None:
        while (left_s := self._due_s(connection) - self._loop.time()) > 0:
            if await _end_of(connection, at_most_s=min(left_s, self._timeout_s)):
                return

    def _report_last(self, connection: Connection) -> None:
        """The last acceptance is in doubt, unless the connection was new: then no earlier answer could be meant."""
        if len(connection.accepted) > 1:
            self._report(connection, surplus=1)

    def _report(self, connection: Connection, *, surplus: int, is_checked: bool = False) -> None:
        """The last accepted messages are in doubt, as many as answers were too many."""
        in_doubt = list(connection.accepted)[-surplus:] if surplus > 0 else []
        log.warning(
            "a connection carried an answer to no request, or broke after one: %d messages that counted as "
            "accepted are in doubt, and %d more",
            len(in_doubt),
            is_checked,
        )
        for key in in_doubt:
            self._on_doubt(key)


async def _end_of(connection: Connection, *, at_most_s: float) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(at_most_s):
            await connection.lost.wait()
    return connection.lost.is_set()


def _without_idle_timeout(answers: list[Answer | None]) -> list[Answer | None]:
    return [answer for answer in answers if answer is None or answer.status != IDLE_TIMEOUT]
