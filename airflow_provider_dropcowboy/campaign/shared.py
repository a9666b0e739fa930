"""What the stages of one run share: its parts, the claims that are out, and those that wait to be sent once more."""

import asyncio
import heapq
import itertools
import math
import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final, TypeVar

from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.seen import NotSentRows, Seen, Unsent
from airflow_provider_dropcowboy.campaign.summary import Tally
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock, Deadline
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.judgement import Claim
from airflow_provider_dropcowboy.ledger.outcomes import Answered
from airflow_provider_dropcowboy.ledger.runs import Run
from airflow_provider_dropcowboy.row_value import row_value
from airflow_provider_dropcowboy.transport.bulk import Pace

T = TypeVar("T")


MAX_ASKS: Final = 6
"""Requests of one run for one message, at most; then it is released and a later run may ask."""
FIRST_WAIT_S: Final = 0.5
MAX_WAIT_S: Final = 30.0

PER_CONNECTION: Final = 3
"""Claims out for each connection, at most: one on the wire, one waiting for it, one being recorded."""
AHEAD_S: Final = 2.0
"""Claims wait for the wire no longer than about this: who opts out meanwhile is seen by a look each second."""
BATCHES: Final = 8
"""A batch of claims is at least this part of the connections, where that is not more than ``AHEAD_S``."""
SAMPLES: Final = 50
"""Times are averages of about so many."""


@row_value()
class Ask:
    """A claim on its way to the wire.

    :param lease_ends: no byte is written after it.
    :param asks: tries of this run for the message, this one included.
    :param hours_end: neither after the calling hours of the person; None: they do not end.
    """

    claim: Claim
    lease_ends: Deadline
    asks: int = 1
    hours_end: Deadline | None = None


class Answers:
    """What requests came to, until it is recorded. In one event loop. A queue of asyncio takes ten calls for each."""

    def __init__(self) -> None:
        self._waiting: list[Answered] = []
        self._changed = asyncio.Event()

    def put(self, answered: Answered) -> None:
        """One more is to be recorded."""
        self._waiting.append(answered)
        self._changed.set()

    async def came(self) -> None:
        """Wait until there is one."""
        while not self._waiting:
            self._changed.clear()
            await self._changed.wait()

    def take(self, most: int) -> list[Answered]:
        """The oldest ones, at most so many."""
        taken, self._waiting = self._waiting[:most], self._waiting[most:]
        return taken


class RetryQueue:
    """Asks by the moment they are due. Used in one event loop."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Ask]] = []
        self._order = itertools.count()
        self._changed = asyncio.Event()

    def __len__(self) -> int:
        return len(self._heap)

    def put(self, ask: Ask, *, retry_after_s: float | None) -> bool:
        """Keep it for later; False: it had its tries.

        :param retry_after_s: as the vendor's answer says; None: it doubles with each try. It is spread by half, so that
            a refused batch does not come back at once.
        """
        if ask.asks >= MAX_ASKS:
            return False
        wait_s = retry_after_s if retry_after_s is not None else self._back_off_s(ask.asks)
        due = self._clock.boot_s() + wait_s * random.uniform(1.0, 1.5)  # noqa: S311  # no secret
        heapq.heappush(self._heap, (due, next(self._order), ask))
        self._changed.set()
        return True

    def _back_off_s(self, asks: int) -> float:
        return self._clock.pause_s(min(FIRST_WAIT_S * 2 ** (asks - 1), MAX_WAIT_S))

    async def due(self, most: int) -> list[Ask]:
        """Wait for those that are due, at most so many."""
        while not self._heap or self._heap[0][0] > self._clock.boot_s():
            self._changed.clear()
            wait_s = self._heap[0][0] - self._clock.boot_s() if self._heap else None
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                pass
        now = self._clock.boot_s()
        asks: list[Ask] = []
        while self._heap and self._heap[0][0] <= now and len(asks) < most:
            asks.append(heapq.heappop(self._heap)[2])
        return asks

    def drain(self) -> list[Ask]:
        """All of them, due or not."""
        asks = [ask for _due, _order, ask in self._heap]
        self._heap.clear()
        return asks


class Average:
    """A time in seconds, as it was of late.

    :ivar seconds: the average; at first a guess.
    """

    def __init__(self, guess_s: float) -> None:
        self.seconds = guess_s
        self._samples = 0

    def add(self, seconds: float) -> None:
        """One more sample; the first replaces the guess."""
        self._samples = min(self._samples + 1, SAMPLES)
        self.seconds += (seconds - self.seconds) / self._samples


class InFlightLimit:
    """How many claims may be out that are not recorded: those on the wire, and as many as keep it busy.

    A ``kill -9`` leaves at most that many in doubt, and an opt-out finds at most that many claimed. In one event loop.

    :ivar claims: that are out now.
    :ivar request: from writing a request to its answer.
    :ivar claim: from choosing messages to their committed claims.
    :ivar record: from an answer to its record.
    """

    def __init__(self, concurrency: int, *, retries: RetryQueue) -> None:
        self.claims = 0
        self.request = Average(0.1)
        self.claim = Average(0.005)
        self.record = Average(0.015)
        self._most = PER_CONNECTION * concurrency
        self._least = max(concurrency // BATCHES, 1)
        self._limit = concurrency
        self._retries = retries
        self._changed = asyncio.Condition()

    async def take(self, wanted: int) -> int:
        """Wait until a batch fits under the limit, and count it.

        :returns: how many may be claimed, at most ``wanted``.
        """
        async with self._changed:
            await self._changed.wait_for(lambda: self._room() >= min(wanted, self._least, self._limit))
            claims = min(wanted, self._room())
            self.claims += claims
            return claims

    def take_at_once(self, wanted: int, *, freed: int) -> int:
        """Count a batch if it fits under the limit at once; 0: it does not.

        :param freed: claims that are recorded in the moment in which these are made.
        """
        room = self._room() + freed
        if not wanted or room < min(wanted, self._least, self._limit):
            return 0
        claims = min(wanted, room)
        self.claims += max(claims - freed, 0)  # on disk are the old ones or the new ones
        return claims

    async def give_back(self, claims: int) -> None:
        """So many are recorded, or were not claimed after all."""
        async with self._changed:
            self.claims -= claims
            self._changed.notify_all()

    async def is_gone(self) -> None:
        """Wait until no claim is out."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.claims == 0)

    async def adjust(self, connections: int, rate_per_s: float | None) -> None:
        """Set the limit by the times measured so far.

        :param connections: that may be in use at once now.
        :param rate_per_s: requests a second, at most; None: as many as the connections carry.
        """
        pace_per_s = connections / max(self.request.seconds, 0.001)
        on_wire = float(connections)
        if rate_per_s is not None and rate_per_s < pace_per_s:
            pace_per_s = rate_per_s
            on_wire = rate_per_s * self.request.seconds
        behind_s = self.claim.seconds + self.record.seconds
        # what the wire takes while a batch is claimed and another is recorded, and until enough is free for a batch
        waiting = min(pace_per_s * behind_s + connections / BATCHES, pace_per_s * AHEAD_S)
        async with self._changed:
            self._limit = max(min(math.ceil(on_wire) + math.ceil(waiting), self._most), 1)
            self._changed.notify_all()

    def _room(self) -> int:
        """What waits to be sent again waits for the vendor, not for the wire: only the bound counts it."""
        return min(self._limit - self.claims + len(self._retries), self._most - self.claims)


@dataclass(slots=True, kw_only=True)
class Shared:
    """What a run is to do, with what, and how far it is.

    :ivar seen: rows that the run has met.
    :ivar unsent: messages that own their number and were not sent.
    :ivar tally: the counts so far.
    :ivar pace: turns for requests; none before the run has a share of the account's connections.
    :ivar retries: claims that wait to be sent once more.
    :ivar in_flight: how many claims may be out.
    :ivar answers: what requests came to, until it is recorded.
    :ivar not_sent: verdicts of rows, until they are in the ledger.
    """

    plan: Plan
    ledger: Ledger
    run: Run
    control: Control
    clock: Clock
    seen: Seen = field(init=False, default_factory=Seen)
    unsent: Unsent = field(init=False, default_factory=Unsent)
    tally: Tally = field(init=False, default_factory=Tally)
    pace: Pace = field(init=False)
    retries: RetryQueue = field(init=False)
    in_flight: InFlightLimit = field(init=False)
    answers: Answers = field(init=False, default_factory=Answers)
    not_sent: NotSentRows = field(init=False)

    def __post_init__(self) -> None:
        self.pace = Pace(0, rate_per_s=self.plan.rate_per_s, clock=self.clock)
        self.retries = RetryQueue(self.clock)
        self.in_flight = InFlightLimit(self.plan.concurrency, retries=self.retries)
        has_keys = self.plan.columns.key_column is not None
        self.not_sent = NotSentRows(
            self.ledger, self.run, who=self.plan.who, has_keys=has_keys, control=self.control, clock=self.clock
        )

    def close(self) -> None:
        """Forget what it remembers on disk."""
        self.seen.close()
        self.unsent.close()

    async def adjust(self) -> None:
        """Let as many claims be out as the pace carries now."""
        await self.in_flight.adjust(self.pace.connections, self.plan.rate_per_s)


async def in_thread(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    """What ``work`` returns, done in a thread."""
    return await asyncio.get_running_loop().run_in_executor(thread, work)
