"""How many requests of a run may be under way, and how fast they may follow each other."""

import asyncio
import time
from typing import Final

from aiolimiter import AsyncLimiter

MIN_PAUSE_S: Final = 0.25
"""How long the run stands still after a 429 without Retry-After; doubled while they go on."""
MAX_PAUSE_S: Final = 30.0


class Pace:
    """Turns for requests. A 429 slows the whole run down at once; answers let it recover. In one event loop.

    :ivar in_flight: requests under way.
    """

    def __init__(self, limit: int, *, rate_per_s: float | None = None) -> None:
        self.in_flight = 0
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
        return self.in_flight < self.connections

    def leave(self) -> None:
        """Give the turn back."""
        self.in_flight -= 1
        self._changed.set()

    def slow_down(self, retry_after_s: float | None) -> None:
        """The vendor said 429: halve what may be under way, and stand still for as long as it asked.

        The answers of one round count once: they were all written before the first of them came back.
        """
        now = time.monotonic()
        if retry_after_s is not None:
            self._still_until = max(self._still_until, now + retry_after_s)
        if now < self._slowed_at + self._pause_s:
            return
        self._slowed_at = now
        self._still_until = max(self._still_until, now + self._pause_s)
        self._pause_s = min(self._pause_s * 2, MAX_PAUSE_S)
        self._window = max(self._window / 2, 1.0)

    def speed_up(self) -> None:
        """The vendor took one; a whole round of these allows one more at once."""
        if self._window < self._limit:
            self._window = min(self._window + 1 / max(self._window, 1.0), self._limit)
            self._changed.set()
            self._pause_s = MIN_PAUSE_S
