"""How far a run is: for a line in its log every few seconds, and for who watches."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from airflow_provider_dropcowboy.campaign.summary import Tally
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock
from airflow_provider_dropcowboy.states import State

LOG_EVERY_S: Final = 5.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A run at one moment.

    :param rate_per_s: messages asked for a second, of late.
    :param in_flight: claims that are out and not recorded, without those that wait to be sent again.
    :param retrying: messages that were not accepted and wait to be sent again.
    :param expected: rows that the source has, or that the task read the last time; None: nobody knows.
    :param left_s: about how many seconds more it takes; None: nobody knows.
    """

    read: int
    asked: int
    counts: Mapping[str, int]
    rate_per_s: float
    in_flight: int
    retrying: int
    expected: int | None
    left_s: float | None


Watch = Callable[[Standing], object]


class Progress:
    """Reckons where a run stands, logs it every few seconds, and tells who watches every time."""

    def __init__(
        self,
        tally: Tally,
        *,
        expected: int | None,
        watch: Watch | None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._clock = clock
        self._tally = tally
        self._expected = expected
        self._watch = watch
        self._logged_at = self._begun_at = self._clock.boot_s()
        self._logged_asked = 0

    def tell(self, *, in_flight: int, retrying: int = 0) -> None:
        """Say where the run stands; in the log unless the last line is fresh.

        :param in_flight: claims that are out and not recorded, without those of ``retrying``.
        :param retrying: messages that were not accepted and wait to be sent again.
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
            in_flight=in_flight,
            retrying=retrying,
            expected=self._expected,
            left_s=self._left_s(now, retrying),
        )
        if self._watch is not None:
            self._watch(standing)
        if is_due:
            self._log(standing)
            self._logged_at = now
            self._logged_asked = tally.asked

    def _left_s(self, now: float, retrying: int) -> float | None:
        """By the rows that are done so far: also those that nobody is contacted for take their time.

        Nobody knows when a message is accepted that waits to be sent again.
        """
        states = self._tally.states
        done = states.total() - states[State.CLAIMED]
        if self._expected is None or self._tally.read > self._expected or done == 0:
            return None
        left = self._expected - done - retrying
        return left * (now - self._begun_at) / done if left > 0 or not retrying else None

    def _log(self, standing: Standing) -> None:
        expected, read = standing.expected, standing.read
        parts = [f"{read:,} read"]
        if expected:
            parts = [f"{min(read / expected, 1):.0%}", f"{read:,} of about {expected:,} read"]
        parts += [f"{standing.asked:,} sent", f"{standing.rate_per_s:.0f}/s", f"{standing.in_flight:,} in flight"]
        if standing.retrying:
            parts.append(f"{standing.retrying:,} not accepted, will be sent again")
        if standing.left_s is not None:
            parts.append(f"about {_duration(standing.left_s)} left")
        counts = ", ".join(f"{count:,} {state}" for state, count in standing.counts.items())
        log.info("%s%s", " \u00b7 ".join(parts), f" ({counts})" if counts else "")


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{round(seconds)} s" if seconds < 90 else f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"
