"""How a sync is told to stop, from any thread or signal handler."""

import time
from typing import Final

from airflow_provider_dropcowboy.errors import InterruptedRunError

LOOK_EVERY_S: Final = 0.2


class Stop:
    """An order to stop, once it is given: a plain assignment, so that a signal's handler never meets a lock."""

    reason: str | None = None

    def order(self, reason: str) -> None:
        """Nothing more is begun; what is under way is awaited and recorded."""
        self.reason = reason

    def check(self) -> None:
        """Nothing, unless the sync is to stop.

        :raises InterruptedRunError: it is.
        """
        if self.reason is not None:
            raise InterruptedRunError(
                f"The sync was stopped: {self.reason}. What was done is written down; run it again for the rest."
            )

    def wait(self, seconds: float) -> None:
        """So long nothing happens.

        :raises InterruptedRunError: the sync is to stop.
        """
        until_s = time.monotonic() + seconds
        while True:
            self.check()
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                return
            time.sleep(min(left_s, LOOK_EVERY_S))
