"""The bound on doubt: how many claims may be out that are not yet recorded."""

import asyncio


class Doubt:
    """A counting semaphore that is taken a batch at a time; what a ``kill -9`` leaves in doubt is at most its limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._changed = asyncio.Condition()
        self.claims = 0

    async def take(self, claims: int) -> None:
        """Wait until so many more fit under the limit, and count them."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.claims + claims <= self._limit)
            self.claims += claims

    async def give_back(self, claims: int) -> None:
        """So many are recorded, or were not claimed after all."""
        async with self._changed:
            self.claims -= claims
            self._changed.notify_all()

    async def is_gone(self) -> None:
        """Wait until nothing is in doubt."""
        async with self._changed:
            await self._changed.wait_for(lambda: self.claims == 0)
