"""The clock that the sandbox schedules by: real time, which a test can move forward."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable


class Clock:
    """Runs each thing when it is due. Time passes by itself, and in leaps by ``advance``."""

    def __init__(self) -> None:
        self._ahead_s = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def now_s(self) -> float:
        """Seconds since some moment; only differences have a meaning."""
        return time.monotonic() + self._ahead_s

    def later(self, delay_s: float, run: Callable[[], None]) -> None:
        """Call ``run`` after so many seconds of this clock."""
        due_s = self.now_s() + delay_s
        heapq.heappush(self._due, (due_s, next(self._number), run))
        if self._due[0][0] == due_s:
            self._wait()

    def advance(self, seconds: float) -> None:
        """Move the clock forward; everything that is due by then runs now, in its order."""
        self._ahead_s += seconds
        self._run_due()

    def _run_due(self) -> None:
        now_s = self.now_s()
        while self._due and self._due[0][0] <= now_s:
            heapq.heappop(self._due)[2]()
        self._wait()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due:
            delay_s = max(0.0, self._due[0][0] - self.now_s())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._run_due)
