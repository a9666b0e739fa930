"""How far a run is, as a line in its log."""

import logging
import time
from typing import Final

from airflow_provider_dropcowboy.campaign.summary import Tally

LOG_EVERY_S: Final = 5.0

log = logging.getLogger(__name__)


class Progress:
    """Logs counts and rate every few seconds."""

    def __init__(self, campaign: str, tally: Tally) -> None:
        self._campaign = campaign
        self._tally = tally
        self._logged_at = time.monotonic()
        self._logged_asked = 0

    def log_if_due(self, *, in_doubt: int) -> None:
        """One line, unless the last is fresh.

        :param in_doubt: claims out and not recorded.
        """
        seconds = time.monotonic() - self._logged_at
        if seconds < LOG_EVERY_S:
            return
        asked = self._tally.asked
        counts = ", ".join(f"{count} {state}" for state, count in self._tally.as_counts().items())
        log.info(
            "campaign %s: %d read, %s; %.0f/s, %d in doubt",
            self._campaign,
            self._tally.read,
            counts,
            (asked - self._logged_asked) / seconds,
            in_doubt,
        )
        self._logged_at = time.monotonic()
        self._logged_asked = asked
