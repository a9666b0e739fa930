"""The limits that answer 429, where they are set."""

import time

from airflow_provider_dropcowboy.sandbox.settings import Settings


class Limits:
    """Concurrent requests, and a bucket of requests that fills by ``rate_per_s``."""

    def __init__(self, settings: Settings) -> None:
        self._max_concurrency = settings.max_concurrency
        self._rate_per_s = settings.rate_per_s
        self._left = self._full
        self._filled_at_s = time.monotonic()

    @property
    def _full(self) -> float:
        """A second's worth, and at least one request: with less a slow rate would never let one through."""
        return max(1.0, self._rate_per_s or 0.0)

    def admits(self, *, in_flight: int) -> bool:
        """Whether a request may come in; one that does is counted.

        :param in_flight: with this one.
        """
        if self._max_concurrency is not None and in_flight > self._max_concurrency:
            return False
        if self._rate_per_s is None:
            return True
        now_s = time.monotonic()
        self._left = min(self._full, self._left + (now_s - self._filled_at_s) * self._rate_per_s)
        self._filled_at_s = now_s
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True
