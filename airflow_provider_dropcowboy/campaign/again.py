"""What was surely not taken waits here before it is claimed and asked once more."""

import asyncio
import heapq
import itertools
import random
from dataclasses import dataclass
from typing import Final

from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock, Deadline
from airflow_provider_dropcowboy.ledger.judgement import Claim

MAX_ASKS: Final = 6
"""Requests of one run for one message, at most; then it is released and a later run may ask."""
FIRST_WAIT_S: Final = 0.5
MAX_WAIT_S: Final = 30.0


@dataclass(frozen=True, slots=True)
class Ask:
    """A claim on its way to the wire.

    :param lease_ends: no byte is written after it.
    :param asks: requests of this run for the message, this one included.
    """

    claim: Claim
    lease_ends: Deadline
    asks: int = 1


class Again:
    """Asks by the moment they are due. Used in one event loop."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._heap: list[tuple[float, int, Ask]] = []
        self._order = itertools.count()
        self._changed = asyncio.Event()

    def put(self, ask: Ask, *, retry_after_s: float | None) -> bool:
        """Keep it for later; False: it had its tries.

        :param retry_after_s: what the vendor asked for; None: it doubles with each try. Spread by half, so that a
            refused batch does not come back as one.
        """
        if ask.asks >= MAX_ASKS:
            return False
        wait_s = retry_after_s if retry_after_s is not None else min(FIRST_WAIT_S * 2 ** (ask.asks - 1), MAX_WAIT_S)
        due = self._clock.boot_s() + wait_s * random.uniform(1.0, 1.5)  # noqa: S311  # no secret
        heapq.heappush(self._heap, (due, next(self._order), ask))
        self._changed.set()
        return True

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
