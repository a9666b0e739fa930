"""The stages of a run at work at once: read, claim, send, record, each a batch ahead of the next."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from itertools import chain, islice
from typing import Final, TypeVar

from airflow_provider_dropcowboy.api.answers import Outcome, SendOutcome
from airflow_provider_dropcowboy.api.messages import Message
from airflow_provider_dropcowboy.campaign.again import Again, Ask
from airflow_provider_dropcowboy.campaign.control import OUT_OF_STEP, STOPPED, Control, Order, paused
from airflow_provider_dropcowboy.campaign.doubt import Doubt
from airflow_provider_dropcowboy.campaign.judge import Judge, Rows
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.progress import Progress, Watch
from airflow_provider_dropcowboy.campaign.seen import Seen
from airflow_provider_dropcowboy.campaign.sending import Sending
from airflow_provider_dropcowboy.campaign.summary import Tally
from airflow_provider_dropcowboy.campaign.vendor_clock import VendorClock
from airflow_provider_dropcowboy.clock import Clock, Deadline
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.errors import LedgerError, LedgerReplacedError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.judgement import Claim, Judgement
from airflow_provider_dropcowboy.ledger.outcomes import STATE_OF, Answered
from airflow_provider_dropcowboy.ledger.patience import claim_patiently, reclaim_patiently, record_patiently
from airflow_provider_dropcowboy.ledger.runs import Run, beat
from airflow_provider_dropcowboy.ledger.shares import seek_share
from airflow_provider_dropcowboy.states import State
from airflow_provider_dropcowboy.transport.bulk import BulkSender
from airflow_provider_dropcowboy.transport.pacing import Pace

DOUBT_PER_CONNECTION: Final = 3
"""Claims out and not recorded, for each connection: one on the wire, one waiting for it, one being recorded."""
JUDGE_ROWS: Final = 8
"""Rows judged in the event loop before others have their turn: half a millisecond. In a thread of its own the judge
would take the interpreter from the loop for 5 ms at a time: a quarter of the rate where the vendor is fast."""
MAX_RECORD_ROWS: Final = 500
GATHER_S: Final = 0.01
"""Outcomes gather for so long before they are written: a commit each would cost more CPU than the request itself."""
BEAT_S: Final = 1.0
NOT_AGAIN: Final = SendOutcome(Outcome.RELEASED, "not asked again: opted out meanwhile, or the calling hours ended")

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
        held: Seen,
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
        self._rows = chain.from_iterable((rows,))  # begun by the reader: the first row may take as long as a query
        self._suppressed = suppressed
        self._judge = judge
        self._held = held
        self._pace = pace
        self._control = control
        self._tally = tally
        self._clock = clock
        self._progress = Progress(plan.campaign, tally, expected=expected, watch=watch, clock=clock)
        self._is_used_up = False
        self._settling: asyncio.Task[None] | None = None
        self._batch_rows = plan.concurrency
        self._kept: asyncio.Queue[list[Message] | None] = asyncio.Queue(maxsize=2)
        self._answers: asyncio.Queue[Answered] = asyncio.Queue()
        self._again = Again(clock)
        self._sending = Sending(
            plan,
            answers=self._answers,
            again=self._again,
            pace=pace,
            control=control,
            tally=tally,
            vendor_clock=VendorClock.of(plan, ledger),
            clock=clock,
        )
        self._doubt = Doubt(DOUBT_PER_CONNECTION * plan.concurrency)
        self._reader, self._claimer, self._recorder, self._beater = (
            ThreadPoolExecutor(1, f"dropcowboy-{stage}") for stage in ("read", "claim", "record", "beat")
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
        async with wire, asyncio.TaskGroup() as stages:
            self._reading = stages.create_task(self._read())
            self._sending.start(wire, stages)
            others = [stages.create_task(stage()) for stage in (self._claim_again, self._record, self._beat)]
            claiming = stages.create_task(self._claim())
            self._control.listen(lambda order: loop.call_soon_threadsafe(self._obey, order))
            try:
                await claiming
                await self._doubt.is_gone()
                # the last answer of each connection: whether it is the request's own shows in the next moments
                self._settling = stages.create_task(wire.settle())
                await asyncio.wait({self._settling})
                await self._doubt.is_gone()
            finally:
                self._control.listen(None)  # the loop ends here, and nobody may call into it any more
            self._sending.end()
            for task in (self._reading, *others):
                task.cancel()

    def close(self) -> None:
        """Wait for the threads. The reader may still be in the user's source: nobody may close that before."""
        for thread in (self._reader, self._claimer, self._recorder, self._beater):
            thread.shutdown()

    def _obey(self, order: Order) -> None:
        """What is not written yet is released at once; what is under way is awaited."""
        log.warning("campaign %s: stopping: %s", self._plan.campaign, order.reason)
        self._reading.cancel()
        _drain(self._kept)
        self._kept.put_nowait(None)
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
        self._doubt.claims += 1
        self._answers.put_nowait(Answered(key, OUT_OF_STEP, is_correction=True))

    def _is_stopping(self) -> bool:
        return self._control.order is not None

    async def _read(self) -> None:
        kept: list[Message] = []
        try:
            if self._suppressed is not None:
                await _in(self._reader, partial(self._judge.read_suppressed, self._suppressed))
                self._tally.unreadable_suppressions = self._suppressed.unreadable
            while not self._is_used_up and (rows := await _in(self._reader, self._next_rows)):
                kept += await self._judge_rows(rows)
                if len(kept) >= self._batch_rows:
                    await self._kept.put(kept[: self._batch_rows])
                    del kept[: self._batch_rows]
        except Exception as error:  # noqa: BLE001  # whatever the user's source raises ends the run in order
            self._control.stop(Order("the source cannot be read on", error=error))
            return
        if kept and not self._is_used_up:
            await self._kept.put(kept)
        await self._kept.put(None)

    def _next_rows(self) -> Sequence[Mapping[str, object]]:
        return list(islice(self._rows, self._batch_rows))

    async def _judge_rows(self, rows: Sequence[Mapping[str, object]]) -> list[Message]:
        messages: list[Message] = []
        for start in range(0, len(rows), JUDGE_ROWS):
            batch = self._judge.judge(rows[start : start + JUDGE_ROWS])
            for verdict in batch.verdicts:
                self._tally.count(verdict.state, verdict.reason)
            messages += batch.messages
            await asyncio.sleep(0)
        return messages

    async def _claim(self) -> None:
        while (messages := await self._kept.get()) is not None:
            await self._doubt.take(len(messages))
            judgement, lease_ends = await self._try(partial(self._claim_new, messages), new=len(messages))
            self._tally.count_unclaimed(judgement, run_id=self._run.id)
            self._is_used_up |= judgement.is_used_up
            for message in judgement.stopped:
                if message.opens_at is not None:
                    self._held.add(message.foreign_id)
            for claim in judgement.claimed:
                self._tally.claim()
                self._sending.pass_on(Ask(claim, lease_ends))
            await self._doubt.give_back(len(messages) - len(judgement.claimed))

    async def _claim_again(self) -> None:
        while True:
            asks = await self._again.due(self._batch_rows)
            judgement, lease_ends = await self._try(partial(self._claim_next_attempt, asks))
            rest = {ask.claim.message.foreign_id: ask for ask in asks}
            for row in judgement.already:
                del rest[row.message.foreign_id]
                # a callback or a person leaves the row this run's; another run takes it over
                moved = self._tally.settle if row.run_id == self._run.id else self._tally.lose
                moved(row.state, row.reason)
                await self._doubt.give_back(1)
            for claim in judgement.claimed:
                ask = rest.pop(claim.message.foreign_id)
                self._sending.pass_on(Ask(claim, lease_ends, ask.asks + 1))
            for ask in rest.values():
                self._answers.put_nowait(Answered(ask.claim, STOPPED if self._is_stopping() else NOT_AGAIN))

    def _claim_new(self, messages: Sequence[Message]) -> Claimed:
        return claim_patiently(
            self._ledger,
            self._run,
            messages=messages,
            give_up=self._is_stopping,
            rules=self._plan.claim_rules,
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
            judgement, lease_ends = await _in(self._claimer, claim)
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
            await asyncio.sleep(GATHER_S)
            answered = [first, *_drain(self._answers, MAX_RECORD_ROWS - 1)]
            states = [(STATE_OF[item.outcome.kind], item.outcome.reason) for item in answered]
            try:
                self._tally.conflicts += await _in(self._recorder, partial(self._record_all, answered))
            except LedgerError as error:
                self._control.stop(Order("outcomes cannot be recorded", error=error))
                states = [(State.UNKNOWN, "answered, but not recorded")] * len(answered)
            for item, (state, reason) in zip(answered, states, strict=True):
                if item.is_correction:
                    self._tally.take_back(reason)
                else:
                    self._tally.settle(state, reason)
            await self._doubt.give_back(len(answered))

    def _record_all(self, answered: Sequence[Answered]) -> int:
        return record_patiently(self._ledger, self._run, answered=answered)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT_S)
            self._progress.tell(in_doubt=self._doubt.claims)
            try:
                pause, connections = await _in(self._beater, partial(self._beat_once, self._tally.as_counts()))
            except LedgerReplacedError as error:
                self._control.stop(Order("the ledger's file was lost", error=error))
                return
            except LedgerError:
                log.warning("the ledger did not take a heartbeat; claims and records will tell if it stays away")
                continue
            self._pace.limit = connections
            if pause is not None:
                self._control.stop(paused(pause))

    def _beat_once(self, counts: Mapping[str, int]) -> tuple[str | None, int]:
        pause = beat(self._ledger, self._run, counts=counts)
        using = max(self._pace.limit, self._pace.in_flight)
        return pause, seek_share(self._ledger, self._run, limit=self._plan.max_concurrency, using=using)


async def _in(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, work)


def _drain(queue: asyncio.Queue[T], most: int | None = None) -> list[T]:
    size = queue.qsize() if most is None else min(queue.qsize(), most)
    return [queue.get_nowait() for _ in range(size)]
