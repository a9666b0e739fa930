"""Callbacks gather here, and are put on disk batch by batch."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final

from airflow_provider_dropcowboy.receiver.arrival import Arrival
from airflow_provider_dropcowboy.receiver.metrics import Metrics

MAX_BATCH: Final = 500
"""Callbacks of one transaction; with the largest bodies 32 MB."""

GATHER_TURNS: Final = 3
"""Turns of the event loop before a batch is closed: a callback that has come takes so many until it waits here. Without
them the batch is half as large, and each callback costs a tenth more."""

log = logging.getLogger(__name__)


class Intake:
    """Group commit without a timer: while one batch is put on disk, the next gathers; then all of it are answered.

    :param keep: puts a batch on disk; False: there is no room.
    """

    def __init__(self, keep: Callable[[list[Arrival]], Awaitable[bool]], metrics: Metrics) -> None:
        self._keep = keep
        self._metrics = metrics
        self._waiting: deque[tuple[Arrival, asyncio.Future[bool], float]] = deque()
        self._came = asyncio.Event()

    @property
    def waiting(self) -> int:
        """How many callbacks are not on their way to the disk yet."""
        return len(self._waiting)

    def submit(self, arrival: Arrival) -> "asyncio.Future[bool]":
        """Whether the callback is on disk, as soon as that is known; False: there is no room for it."""
        is_kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrival, is_kept, time.monotonic()))
        self._came.set()
        return is_kept

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._came.wait()
            while self._waiting:
                for _ in range(GATHER_TURNS):
                    await asyncio.sleep(0)
                await self._keep_batch()
            self._came.clear()

    async def _keep_batch(self) -> None:
        batch = [self._waiting.popleft() for _ in range(min(MAX_BATCH, len(self._waiting)))]
        is_kept = False
        self._metrics.received.inc(len(batch))
        try:
            is_kept = await self._keep([arrival for arrival, _, _ in batch])
        except Exception as error:  # noqa: BLE001  # whatever it was, who waits is told, and the next batch is tried
            log.error("a batch of callbacks could not be kept: %s", type(error).__name__)
        finally:
            kept_at = time.monotonic()
            for _, answer, came_at in batch:
                self._metrics.lag.observe(kept_at - came_at)
                if not answer.done():  # who waited for it may be gone
                    answer.set_result(is_kept)
