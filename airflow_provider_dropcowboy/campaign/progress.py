"""How far a run is: for a line in its log every few seconds, and for who watches."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from airflow_provider_dropcowboy.campaign.summary import Tally
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock

LOG_EVERY_S: Final = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A run at one moment.

    :param rate_per_s: messages asked for a second, of late.
    :param in_doubt: claims out and not recorded.
    :param expected: rows that the source has, or that the task read the last time; None: nobody knows.
    :param left_s: about how many seconds more it takes; None: nobody knows.
    """

    read: int
    asked: int
    counts: Mapping[str, int]
    rate_per_s: float
    in_doubt: int
    expected: int | None
    left_s: float | None


Watch = Callable[[Standing], object]


class Progress:
    """Reckons where a run stands, logs it every few seconds, and tells who watches every time."""

    def __init__(
        self,
        campaign: str,
        tally: Tally,
        *,
        expected: int | None,
        watch: Watch | None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._clock = clock
        self._campaign = campaign
        self._tally = tally
        self._expected = expected
        self._watch = watch
        self._logged_at = self._begun_at = self._clock.boot_s()
        self._logged_asked = 0

    def tell(self, *, in_doubt: int) -> None:
        """Say where the run stands; in the log unless the last line is fresh.

        :param in_doubt: claims out and not recorded.
        """
        now = self._clock.boot_s()
        seconds = now - self._logged_at
        is_due = seconds >= LOG_EVERY_S
        if not is_due and self._watch is None:
            return
        tally = self._tally
        standing = Standing(
            read=tally.read,
            asked=tally.asked,
            counts=tally.as_counts(),
            rate_per_s=(tally.asked - self._logged_asked) / seconds if seconds else 0.0,
            in_doubt=in_doubt,
            expected=self._expected,
            left_s=self._left_s(now),
        )
        if self._watch is not None:
            self._watch(standing)
        if is_due:
            self._log(standing)
            self._logged_at = now
            self._logged_asked = tally.asked

    def _left_s(self, now: float) -> float | None:
        """By the rows read so far: also those that nobody is asked for take their time."""
        read = self._tally.read
        if self._expected is None or not 0 < read <= self._expected:
            return None
        return (self._expected - read) * (now - self._begun_at) / read

    def _log(self, standing: Standing) -> None:
        counts = ", ".join(f"{count} {state}" for state, count in standing.counts.items())
        log.info(
            "campaign %s: %d read%s, %s; %.0f/s, %d in doubt%s",
            self._campaign,
            standing.read,
            f" of about {standing.expected}" if standing.expected else "",
            counts,
            standing.rate_per_s,
            standing.in_doubt,
            f"; about {_duration(standing.left_s)} left" if standing.left_s is not None else "",
        )


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{round(seconds)} s" if seconds < 90 else f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"
