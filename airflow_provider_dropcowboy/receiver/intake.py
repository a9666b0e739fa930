"""Group commit without a timer: while one batch is put on disk, the next gathers; then all of it are answered."""

import asyncio
import logging
import time
from collections import deque
from typing import Final, Protocol

from airflow_provider_dropcowboy.receiver.arrival import Arrival
from airflow_provider_dropcowboy.receiver.metrics import Metrics

MAX_BATCH: Final = 500
"""Callbacks of one transaction; with the largest bodies 32 MB."""

GATHER_TURNS: Final = 3
"""Turns of the event loop before a batch is closed: a callback that has come takes so many until it waits here. Without
them the batch is half as large, and each callback costs a tenth more."""

log = logging.getLogger(__name__)


class Keeps(Protocol):
    """Where batches go."""

    async def keep(self, arrivals: list[Arrival], /) -> bool:
        """Whether they are on disk."""
        ...


class Intake:
    """Hands callbacks on in batches, as large as came in meanwhile."""

    def __init__(self, store: Keeps, metrics: Metrics) -> None:
        self._store = store
        self._metrics = metrics
        self._waiting: deque[tuple[Arrival, asyncio.Future[bool], float]] = deque()
        self._came = asyncio.Event()

    async def keep(self, arrival: Arrival) -> bool:
        """The callback is on disk; False: there is no room for it."""
        is_kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((arrival, is_kept, time.monotonic()))
        self._came.set()
        return await is_kept

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
        try:
            is_kept = await self._store.keep([arrival for arrival, _, _ in batch])
        except Exception as error:  # noqa: BLE001  # whatever it was, who waits is told, and the next batch is tried
            log.error("a batch of callbacks could not be kept: %s", type(error).__name__)
        finally:
            kept_at = time.monotonic()
            for _, answer, came_at in batch:
                self._metrics.lag.observe(kept_at - came_at)
                if not answer.done():  # who waited for it may be gone
                    answer.set_result(is_kept)
