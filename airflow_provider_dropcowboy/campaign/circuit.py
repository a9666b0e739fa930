"""Notices that the vendor is down, before every message of a campaign is in doubt."""

from typing import Final

MIN_FAILURES: Final = 20


class Circuit:
    """Opens after so many failures one after the other, over all connections of a run.

    :ivar limit: failures without an answer that was meant, in between.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._failures = 0

    def opens(self, *, is_failure: bool) -> bool:
        """Count an answer; whether it was one failure too many."""
        self._failures = self._failures + 1 if is_failure else 0
        return self._failures >= self.limit
