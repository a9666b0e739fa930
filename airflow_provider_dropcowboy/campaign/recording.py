"""The stage that records what requests came to, in batches, and counts it."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from airflow_provider_dropcowboy.campaign.control import OUT_OF_STEP, Order
from airflow_provider_dropcowboy.campaign.shared import Shared, in_thread
from airflow_provider_dropcowboy.errors import LedgerError
from airflow_provider_dropcowboy.ledger.judgement import Claim
from airflow_provider_dropcowboy.ledger.outcomes import Answered
from airflow_provider_dropcowboy.ledger.patience import record_patiently
from airflow_provider_dropcowboy.states import State

MAX_RECORD_ROWS: Final = 500
GATHER: Final = 0.3
"""Outcomes gather for this part of a request's time: a commit each would cost more CPU than the request itself."""
MIN_GATHER_S: Final = 0.01
MAX_GATHER_S: Final = 0.02
"""Claims that are not recorded are in doubt after a ``kill -9``."""
NOT_RECORDED: Final = "answered, but not recorded"


class Recording:
    """Writes down each answer; only then another claim may take its place.

    :ivar thread: in which they are written.
    """

    def __init__(self, shared: Shared) -> None:
        self.thread = ThreadPoolExecutor(1, "dropcowboy-record")
        self._shared = shared

    async def record(self) -> None:
        """Record until the run is over. What cannot be recorded is in doubt, and stops the run."""
        shared = self._shared
        while True:
            answered = [await shared.answers.get()]
            begun_s = shared.clock.boot_s()
            await asyncio.sleep(min(max(shared.in_flight.request.seconds * GATHER, MIN_GATHER_S), MAX_GATHER_S))
            while len(answered) < MAX_RECORD_ROWS and not shared.answers.empty():
                answered.append(shared.answers.get_nowait())
            is_recorded = True
            write = partial(record_patiently, shared.ledger, shared.run, answered=answered)
            try:
                shared.tally.conflicts += await in_thread(self.thread, write)
            except LedgerError as error:
                is_recorded = False
                shared.control.stop(Order("outcomes cannot be recorded", error=error))
            for item in answered:
                self._count(item, is_recorded=is_recorded)
            shared.in_flight.record.add(shared.clock.boot_s() - begun_s)
            await shared.in_flight.give_back(len(answered))
            await shared.adjust()

    def take_back(self, key: object) -> None:
        """What counted as accepted is in doubt: the answer may be another request's.

        :param key: the claim.
        """
        assert isinstance(key, Claim)
        self._shared.in_flight.claims += 1
        self._shared.answers.put_nowait(Answered(key, OUT_OF_STEP, is_correction=True))

    def _count(self, item: Answered, *, is_recorded: bool) -> None:
        tally = self._shared.tally
        if item.is_correction:
            tally.take_back(item.outcome.reason if is_recorded else NOT_RECORDED)
        elif not is_recorded:
            tally.settle(State.UNKNOWN, NOT_RECORDED)
        elif item.held_back is None:
            tally.settle(item.state, item.outcome.reason)
        else:
            tally.hold_back(item.held_back)
            self._shared.unsent.add([(item.claim.message, item.held_back.state)])
            self._shared.not_sent.add(item.claim.message, item.held_back)
