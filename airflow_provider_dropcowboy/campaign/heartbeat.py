"""The beat of a run: once a second the ledger learns that it lives, and its log and its watcher how far it is."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Final

from airflow_provider_dropcowboy.campaign.control import Order, paused
from airflow_provider_dropcowboy.campaign.sending import Sending
from airflow_provider_dropcowboy.campaign.shared import Shared, in_thread
from airflow_provider_dropcowboy.campaign.summary import Tally
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock
from airflow_provider_dropcowboy.errors import InterruptedRunError, LedgerError, LedgerReplacedError
from airflow_provider_dropcowboy.ledger.limits import beat, seek_share
from airflow_provider_dropcowboy.ledger.suppressions import find_suppressed
from airflow_provider_dropcowboy.states import State

LOG_EVERY_S: Final = 5.0
BEAT_S: Final = 1.0
WAIT_FOR_CONNECTIONS_S: Final = 1.0

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """A run at one moment.

    :param rate_per_s: messages sent per second, of late.
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


class Heartbeat:
    """Once a second, notes in the ledger that the run lives, and checks for the waiting claims what has changed.

    :ivar thread: runs the calls of the ledger.
    """

    def __init__(self, shared: Shared, sending: Sending, progress: Progress) -> None:
        self.thread = ThreadPoolExecutor(1, "dropcowboy-beat")
        self._shared = shared
        self._sending = sending
        self._progress = progress

    async def beat(self) -> None:
        """Beat until the run is over, or the ledger's file is lost."""
        shared = self._shared
        while True:
            await asyncio.sleep(shared.clock.pause_s(BEAT_S))
            retrying = len(shared.retries)
            self._progress.tell(in_flight=shared.in_flight.claims - retrying, retrying=retrying)
            beat_once = partial(self._beat_once, shared.tally.as_counts(), self._sending.waiting_numbers())
            try:
                pause, suppressed, connections = await in_thread(self.thread, beat_once)
            except LedgerReplacedError as error:
                shared.control.stop(Order("the ledger's file was lost", error=error))
                return
            except LedgerError:
                log.warning("the ledger did not take a heartbeat; claims and records will tell if it stays away")
                continue
            self._sending.hold_back(suppressed)
            shared.pace.limit = connections
            if pause is not None:
                shared.control.stop(paused(pause))
            await shared.adjust()

    def _beat_once(self, counts: Mapping[str, int], numbers: Sequence[str]) -> tuple[str | None, frozenset[str], int]:
        """A pause, opt-outs among these numbers, and the run's connections from now on."""
        ledger, run, pace = self._shared.ledger, self._shared.run, self._shared.pace
        suppressed = find_suppressed(ledger, numbers)
        pause = beat(ledger, run, counts=counts)
        using = max(pace.limit, pace.in_flight)
        return pause, suppressed, seek_share(ledger, run, limit=self._shared.plan.max_concurrency, using=using)


def wait_for_connections(shared: Shared) -> None:
    """Wait until the run has a share of the account's connections, one at least.

    :raises InterruptedRunError: the run was stopped meanwhile; nothing was sent.
    """
    limit, is_told = shared.plan.max_concurrency, False
    while not (connections := seek_share(shared.ledger, shared.run, limit=limit, using=0)):
        if not is_told:
            log.info("other runs use all %d connections of the account; waiting for a share", limit)
            is_told = True
        if shared.control.wait(WAIT_FOR_CONNECTIONS_S):
            raise InterruptedRunError("The run was stopped while it waited for a free connection. Nothing was sent.")
        beat(shared.ledger, shared.run, counts={})
    shared.pace.limit = connections


def _duration(seconds: float) -> str:
    minutes = round(seconds / 60)
    return f"{round(seconds)} s" if seconds < 90 else f"{minutes} min" if minutes < 90 else f"{minutes / 60:.1f} h"
