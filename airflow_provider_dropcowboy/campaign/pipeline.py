"""The stages of a run at work at once: read, claim, send, record, each a batch ahead of the next."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final, TypeVar

from airflow_provider_dropcowboy.campaign.control import OUT_OF_STEP, STOPPED, Control, Order, paused
from airflow_provider_dropcowboy.campaign.in_flight import Ask, InFlightLimit, RetryQueue
from airflow_provider_dropcowboy.campaign.judge import Judge, Rows
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.progress import Progress, Watch
from airflow_provider_dropcowboy.campaign.seen import Unsent
from airflow_provider_dropcowboy.campaign.sending import Sending
from airflow_provider_dropcowboy.campaign.source import Source, in_thread
from airflow_provider_dropcowboy.campaign.summary import Tally
from airflow_provider_dropcowboy.campaign.vendor_clock import VendorClock
from airflow_provider_dropcowboy.clock import Clock, Deadline
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.errors import LedgerError, LedgerReplacedError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.judgement import Claim, Judgement
from airflow_provider_dropcowboy.ledger.outcomes import Answered
from airflow_provider_dropcowboy.ledger.patience import claim_patiently, reclaim_patiently, record_patiently
from airflow_provider_dropcowboy.ledger.runs import Run, beat
from airflow_provider_dropcowboy.ledger.shares import seek_share
from airflow_provider_dropcowboy.ledger.suppressions import find_suppressed
from airflow_provider_dropcowboy.screening.screen import Candidate
from airflow_provider_dropcowboy.states import State
from airflow_provider_dropcowboy.transport.bulk import BulkSender
from airflow_provider_dropcowboy.transport.pacing import Pace

MAX_RECORD_ROWS: Final = 500
GATHER_S: Final = 0.01
"""Outcomes gather for so long before they are written: a commit each would cost more CPU than the request itself."""
BEAT_S: Final = 1.0
NOT_RECORDED: Final = "answered, but not recorded"

T = TypeVar("T")
Claimed = tuple[Judgement, Deadline]
"""What the ledger said of a batch, and when the lease of its claims ends."""
log = logging.getLogger(__name__)


class Pipeline:
    """One run, from its rows to its records. ``run`` is called once, in an event loop of its own thread."""

    def __init__(
        self,
        plan: Plan,
        ledger: Ledger,
        *,
        run: Run,
        rows: Rows,
        suppressed: SuppressionList | None,
        judge: Judge,
        unsent: Unsent,
        pace: Pace,
        control: Control,
        tally: Tally,
        expected: int | None,
        watch: Watch | None,
        clock: Clock,
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._run = run
        self._unsent = unsent
        self._pace = pace
        self._control = control
        self._tally = tally
        self._clock = clock
        self._progress = Progress(tally, expected=expected, watch=watch, clock=clock)
        self._settling: asyncio.Task[None] | None = None
        self._batch_rows = plan.concurrency
        self._source = Source(
            judge,
            rows=rows,
            suppressed=suppressed,
            ledger=ledger,
            run=run,
            batch_rows=plan.concurrency,
            control=control,
            tally=tally,
            clock=clock,
        )
        self._answers: asyncio.Queue[Answered] = asyncio.Queue()
        self._retries = RetryQueue(clock)
        self._in_flight = InFlightLimit(plan.concurrency, retries=self._retries)
        self._sending = Sending(
            plan,
            answers=self._answers,
            retries=self._retries,
            in_flight=self._in_flight,
            pace=pace,
            control=control,
            vendor_clock=VendorClock.of(plan, ledger),
            clock=clock,
        )
        self._claimer, self._recorder, self._beater = (
            ThreadPoolExecutor(1, f"dropcowboy-{stage}") for stage in ("claim", "record", "beat")
        )

    async def run(self) -> None:
        """Every claim it made is recorded when it ends; ``Control.order`` says whether it was stopped early."""
        loop = asyncio.get_running_loop()
        plan = self._plan
        wire = BulkSender(
            plan.account,
            connections=plan.concurrency,
            timeout_s=plan.timeout_s,
            verify=plan.verify,
            clock=self._clock,
            on_doubt=self._take_back,
        )
        await self._in_flight.adjust(self._pace.connections, plan.rate_per_s)
        async with wire, asyncio.TaskGroup() as stages:
            self._reading = stages.create_task(self._source.read())
            self._sending.start(wire, stages)
            others = [stages.create_task(stage()) for stage in (self._claim_retries, self._record, self._beat)]
            claiming = stages.create_task(self._claim())
            self._control.listen(lambda order: loop.call_soon_threadsafe(self._obey, order))
            try:
                await claiming
                await self._in_flight.is_gone()
                # the last answer of each connection: whether it is the request's own shows in the next moments
                self._settling = stages.create_task(wire.settle())
                await asyncio.wait({self._settling})
                await self._in_flight.is_gone()
            finally:
                self._control.listen(None)  # the loop ends here, and nobody may call into it any more
            self._sending.end()
            for task in (self._reading, *others):
                task.cancel()

    def close(self) -> None:
        """Wait for the threads. The reader may still be in the user's source: nobody may close that before."""
        for thread in (self._source.thread, self._claimer, self._recorder, self._beater):
            thread.shutdown()

    def _obey(self, order: Order) -> None:
        """What is not written yet is released at once; what is under way is awaited."""
        log.warning("campaign %s: stopping: %s", self._plan.campaign, order.reason)
        self._reading.cancel()
        self._source.end()
        self._sending.release_unwritten()
        if order.grace_s is not None:
            asyncio.get_running_loop().call_later(order.grace_s, self._cut_off)

    def _cut_off(self) -> None:
        self._sending.cut_off()
        if self._settling is not None:
            self._settling.cancel()

    def _take_back(self, key: object) -> None:
        """What counted as accepted is in doubt: the answer may be another request's."""
        assert isinstance(key, Claim)
        self._in_flight.claims += 1
        self._answers.put_nowait(Answered(key, OUT_OF_STEP, is_correction=True))

    def _is_stopping(self) -> bool:
        return self._control.order is not None

    async def _claim(self) -> None:
        while waiting := await self._source.waiting():
            size = await self._in_flight.take(min(waiting, self._batch_rows))
            candidates = self._source.take(size)  # none if the run was stopped while it waited
            met = self._unsent.owners([candidate.message.number_digest for candidate in candidates])
            begun_s = self._clock.boot_s()
            judgement, lease_ends = await self._try(partial(self._claim_new, candidates, met=met), new=len(candidates))
            self._in_flight.claim.add(self._clock.boot_s() - begun_s)
            self._tally.count_unclaimed(judgement, run_id=self._run.id)
            self._unsent.add_all(judgement)
            for claim in judgement.claimed:
                self._tally.claim()
                self._sending.pass_on(Ask(claim, lease_ends))
            await self._in_flight.give_back(size - len(judgement.claimed))

    async def _claim_retries(self) -> None:
        while True:
            asks = await self._retries.due(self._batch_rows)
            judgement, lease_ends = await self._try(partial(self._claim_next_attempt, asks))
            rest = {ask.claim.message.foreign_id: ask for ask in asks}
            for row in judgement.already:
                del rest[row.message.foreign_id]
                # a callback or a person leaves the row this run's; another run takes it over
                moved = self._tally.settle if row.run_id == self._run.id else self._tally.lose
                moved(row.state, row.reason)
                await self._in_flight.give_back(1)
            for claim in judgement.claimed:
                ask = rest.pop(claim.message.foreign_id)
                self._sending.pass_on(replace(ask, claim=claim, lease_ends=lease_ends, asks=ask.asks + 1))
            for message, verdict in judgement.stopped:
                self._sending.give_back(rest.pop(message.foreign_id), verdict)
            for ask in rest.values():
                self._answers.put_nowait(Answered(ask.claim, STOPPED))

    def _claim_new(self, candidates: Sequence[Candidate], *, met: Mapping[str, str]) -> Claimed:
        return claim_patiently(
            self._ledger,
            self._run,
            candidates=candidates,
            give_up=self._is_stopping,
            rules=self._plan.claim_rules,
            met=met,
            clock=self._clock,
        )

    def _claim_next_attempt(self, asks: Sequence[Ask]) -> Claimed:
        claims = [ask.claim for ask in asks]
        return reclaim_patiently(self._ledger, self._run, claims=claims, give_up=self._is_stopping, clock=self._clock)

    async def _try(self, claim: Callable[[], Claimed], *, new: int = 0) -> Claimed:
        """Claim; nothing if the run is stopping, or has to stop for this. With the claims, when their lease ends."""
        nothing = Judgement(), self._clock.deadline(timedelta(0))
        if self._is_stopping():
            return nothing
        try:
            judgement, lease_ends = await in_thread(self._claimer, claim)
        except LedgerError as error:
            self._tally.unconfirmed += new
            self._control.stop(Order("the ledger cannot be reached", error=error))
            return nothing
        if judgement.stop is not None:
            self._control.stop(paused(judgement.stop))
        return judgement, lease_ends

    async def _record(self) -> None:
        while True:
            first = await self._answers.get()
            begun_s = self._clock.boot_s()
            await asyncio.sleep(GATHER_S)
            answered = [first, *_drain(self._answers, MAX_RECORD_ROWS - 1)]
            is_recorded = True
            try:
                self._tally.conflicts += await in_thread(self._recorder, partial(self._record_all, answered))
            except LedgerError as error:
                is_recorded = False
                self._control.stop(Order("outcomes cannot be recorded", error=error))
            for item in answered:
                self._count(item, is_recorded=is_recorded)
            self._in_flight.record.add(self._clock.boot_s() - begun_s)
            await self._in_flight.give_back(len(answered))
            await self._in_flight.adjust(self._pace.connections, self._plan.rate_per_s)

    def _count(self, item: Answered, *, is_recorded: bool) -> None:
        if item.is_correction:
            self._tally.take_back(item.outcome.reason if is_recorded else NOT_RECORDED)
        elif not is_recorded:
            self._tally.settle(State.UNKNOWN, NOT_RECORDED)
        elif item.held_back is None:
            self._tally.settle(item.state, item.outcome.reason)
        else:
            self._tally.hold_back(item.held_back)
            self._unsent.add([(item.claim.message, item.held_back.state)])

    def _record_all(self, answered: Sequence[Answered]) -> int:
        return record_patiently(self._ledger, self._run, answered=answered)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            retrying = len(self._retries)
            self._progress.tell(in_flight=self._in_flight.claims - retrying, retrying=retrying)
            beat_once = partial(self._beat_once, self._tally.as_counts(), self._sending.waiting_numbers())
            try:
                pause, suppressed, connections = await in_thread(self._beater, beat_once)
            except LedgerReplacedError as error:
                self._control.stop(Order("the ledger's file was lost", error=error))
                return
            except LedgerError:
                log.warning("the ledger did not take a heartbeat; claims and records will tell if it stays away")
                continue
            self._sending.hold_back(suppressed)
            self._pace.limit = connections
            if pause is not None:
                self._control.stop(paused(pause))
            await self._in_flight.adjust(self._pace.connections, self._plan.rate_per_s)

    def _beat_once(self, counts: Mapping[str, int], numbers: Sequence[str]) -> tuple[str | None, frozenset[str], int]:
        """Say that the run lives; what its claims that wait must know: a pause, opt-outs, connections."""
        suppressed = find_suppressed(self._ledger, numbers)
        pause = beat(self._ledger, self._run, counts=counts)
        using = max(self._pace.limit, self._pace.in_flight)
        connections = seek_share(self._ledger, self._run, limit=self._plan.max_concurrency, using=using)
        return pause, suppressed, connections


def _drain(queue: asyncio.Queue[T], most: int | None = None) -> list[T]:
    size = queue.qsize() if most is None else min(queue.qsize(), most)
    return [queue.get_nowait() for _ in range(size)]
