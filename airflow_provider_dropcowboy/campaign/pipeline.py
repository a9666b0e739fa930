"""The stages of a run at work at once: read, claim, send, record, each a batch ahead of the next."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final, TypeVar

from airflow_provider_dropcowboy.api.answers import Outcome, SendOutcome, read_send_answer
from airflow_provider_dropcowboy.api.messages import Message, send_body
from airflow_provider_dropcowboy.campaign.again import Again, Ask
from airflow_provider_dropcowboy.campaign.control import Control, Order
from airflow_provider_dropcowboy.campaign.doubt import Doubt
from airflow_provider_dropcowboy.campaign.judge import Judge
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.progress import Progress
from airflow_provider_dropcowboy.campaign.summary import Tally
from airflow_provider_dropcowboy.errors import AuthenticationError, LedgerError, PausedError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.judgement import Judgement
from airflow_provider_dropcowboy.ledger.lease import LEASE
from airflow_provider_dropcowboy.ledger.outcomes import STATE_OF, Answered
from airflow_provider_dropcowboy.ledger.patience import claim_patiently, reclaim_patiently, record_patiently
from airflow_provider_dropcowboy.ledger.runs import Run, beat
from airflow_provider_dropcowboy.states import State
from airflow_provider_dropcowboy.transport.bulk import BulkSender

DOUBT_PER_CONNECTION: Final = 3
"""Claims out and not recorded, for each connection: one on the wire, one waiting for it, one being recorded."""
MAX_RECORD_ROWS: Final = 500
GATHER_S: Final = 0.01
"""Outcomes gather for so long before they are written: a commit each would cost more CPU than the request itself."""
BEAT_S: Final = 1.0
STOPPED: Final = SendOutcome(Outcome.RELEASED, "not written: the run was stopped")
CUT_OFF: Final = SendOutcome(Outcome.UNKNOWN, "no answer: the run was ended before it came")

T = TypeVar("T")
log = logging.getLogger(__name__)


class Pipeline:
    """One run, from its rows to its records. ``run`` is called once, in an event loop of its own thread."""

    def __init__(self, plan: Plan, ledger: Ledger, *, run: Run, judge: Judge, control: Control, tally: Tally) -> None:
        self._plan = plan
        self._ledger = ledger
        self._run = run
        self._judge = judge
        self._control = control
        self._tally = tally
        self._progress = Progress(plan.campaign, tally)
        self._kept: asyncio.Queue[list[Message] | None] = asyncio.Queue(maxsize=2)
        self._to_send: asyncio.Queue[Ask] = asyncio.Queue()
        self._answers: asyncio.Queue[Answered] = asyncio.Queue()
        self._again = Again()
        self._doubt = Doubt(DOUBT_PER_CONNECTION * run.connections)

    async def run(self) -> None:
        """Every claim it made is recorded when it ends; ``Control.order`` says whether it was stopped early."""
        loop = asyncio.get_running_loop()
        wire = BulkSender(
            self._plan.account,
            connections=self._run.connections,
            timeout_s=self._plan.timeout_s,
            verify=self._plan.verify,
        )
        async with wire, asyncio.TaskGroup() as stages:
            self._reading = stages.create_task(self._read())
            self._sending = [stages.create_task(self._send(wire)) for _ in range(self._run.connections)]
            others = [stages.create_task(stage()) for stage in (self._claim_again, self._record, self._beat)]
            claiming = stages.create_task(self._claim())
            self._control.listen(lambda order: loop.call_soon_threadsafe(self._obey, order))
            await claiming
            await self._doubt.is_gone()
            self._control.listen(None)
            for task in (self._reading, *self._sending, *others):
                task.cancel()

    def _obey(self, order: Order) -> None:
        """What is not written yet is released at once; what is under way is awaited."""
        log.warning("campaign %s: stopping: %s", self._plan.campaign, order.reason)
        self._reading.cancel()
        _drain(self._kept)
        self._kept.put_nowait(None)
        for ask in (*_drain(self._to_send), *self._again.drain()):
            self._answers.put_nowait(Answered(ask.claim, STOPPED))
        if order.grace_s is not None:
            asyncio.get_running_loop().call_later(order.grace_s, self._cut_off)

    def _cut_off(self) -> None:
        for task in self._sending:
            task.cancel()

    def _is_stopping(self) -> bool:
        return self._control.order is not None

    async def _read(self) -> None:
        with ThreadPoolExecutor(1, "dropcowboy-read") as thread:
            while True:
                try:
                    batch = await _in(thread, partial(self._judge.next_batch, self._run.connections))
                except Exception as error:  # noqa: BLE001  # whatever the user's source raises ends the run in order
                    self._control.stop(Order("the source cannot be read on", error=error))
                    return
                if batch is None:
                    await self._kept.put(None)
                    return
                for verdict in batch.verdicts:
                    self._tally.count(verdict.state, verdict.reason)
                if batch.messages:
                    await self._kept.put(batch.messages)

    async def _claim(self) -> None:
        with ThreadPoolExecutor(1, "dropcowboy-claim") as thread:
            while (messages := await self._kept.get()) is not None:
                await self._doubt.take(len(messages))
                judgement, lease_ends = await self._try(thread, partial(self._claim_new, messages))
                for message in judgement.duplicates:
                    self._tally.count(State.DUPLICATE, "another key has the same number")
                    log.debug("send %s: duplicate by number", message.foreign_id)
                for row in judgement.already:
                    self._tally.already += 1
                    self._tally.count(row.state, row.reason)
                for claim in judgement.claimed:
                    self._tally.claim()
                    self._pass_on(Ask(claim, lease_ends))
                await self._doubt.give_back(len(messages) - len(judgement.claimed))

    async def _claim_again(self) -> None:
        with ThreadPoolExecutor(1, "dropcowboy-again") as thread:
            while True:
                asks = await self._again.due(self._run.connections)
                judgement, lease_ends = await self._try(thread, partial(self._claim_next_attempt, asks))
                rest = {ask.claim.message.foreign_id: ask for ask in asks}
                for row in judgement.already:
                    ask = rest.pop(row.message.foreign_id)
                    self._tally.lose(row.state, row.reason)
                    await self._doubt.give_back(1)
                for claim in judgement.claimed:
                    ask = rest.pop(claim.message.foreign_id)
                    self._pass_on(Ask(claim, lease_ends, ask.asks + 1))
                for ask in rest.values():
                    self._answers.put_nowait(Answered(ask.claim, STOPPED))

    def _claim_new(self, messages: Sequence[Message]) -> tuple[Judgement, float]:
        return claim_patiently(
            self._ledger,
            self._run,
            messages=messages,
            give_up=self._is_stopping,
            resend_after=self._plan.resend_after,
        )

    def _claim_next_attempt(self, asks: Sequence[Ask]) -> tuple[Judgement, float]:
        claims = [ask.claim for ask in asks]
        return reclaim_patiently(self._ledger, self._run, claims=claims, give_up=self._is_stopping)

    async def _try(
        self, thread: ThreadPoolExecutor, claim: Callable[[], tuple[Judgement, float]]
    ) -> tuple[Judgement, float]:
        """Claim; nothing if the run is stopping, or has to stop for this. With the claims, when their lease ends."""
        if self._is_stopping():
            return Judgement(), 0.0
        try:
            judgement, begun_at = await _in(thread, claim)
        except LedgerError as error:
            self._control.stop(Order("the ledger cannot be reached", error=error))
            return Judgement(), 0.0
        if judgement.stop is not None:
            self._pause(judgement.stop)
        return judgement, begun_at + LEASE.total_seconds()

    def _pass_on(self, ask: Ask) -> None:
        if self._is_stopping():
            self._answers.put_nowait(Answered(ask.claim, STOPPED))
        else:
            self._to_send.put_nowait(ask)

    async def _send(self, wire: BulkSender) -> None:
        account, callback_url = self._plan.account, self._plan.callback_url
        while True:
            ask = await self._to_send.get()
            message = ask.claim.message
            body = send_body(
                account, message.phone, message.content, foreign_id=message.foreign_id, callback_url=callback_url
            )
            if ask.asks == 1:
                self._tally.asked += 1
            try:
                reply = await wire.post(message.channel.path, body, lease_ends=ask.lease_ends)
            except asyncio.CancelledError:
                self._answers.put_nowait(Answered(ask.claim, CUT_OFF))
                raise
            self._settle(ask, read_send_answer(reply))

    def _settle(self, ask: Ask, outcome: SendOutcome) -> None:
        """Ask again what was surely not taken, a few times; record everything else."""
        if outcome.kind is Outcome.REFUSED:
            self._control.stop(Order(outcome.reason, error=_refused(outcome.reason)))
        is_again = outcome.kind is Outcome.RELEASED and not self._is_stopping()
        if not (is_again and self._again.put(ask, retry_after_s=outcome.retry_after_s)):
            self._answers.put_nowait(Answered(ask.claim, outcome))

    async def _record(self) -> None:
        with ThreadPoolExecutor(1, "dropcowboy-record") as thread:
            while True:
                first = await self._answers.get()
                await asyncio.sleep(GATHER_S)
                answered = [first, *_drain(self._answers, MAX_RECORD_ROWS - 1)]
                states = [(STATE_OF[item.outcome.kind], item.outcome.reason) for item in answered]
                try:
                    self._tally.conflicts += await _in(thread, partial(self._record_all, answered))
                except LedgerError as error:
                    self._control.stop(Order("outcomes cannot be recorded", error=error))
                    states = [(State.UNKNOWN, "answered, but not recorded")] * len(answered)
                for state, reason in states:
                    self._tally.settle(state, reason)
                await self._doubt.give_back(len(answered))

    def _record_all(self, answered: Sequence[Answered]) -> int:
        return record_patiently(self._ledger, self._run, answered=answered)

    async def _beat(self) -> None:
        with ThreadPoolExecutor(1, "dropcowboy-beat") as thread:
            while True:
                await asyncio.sleep(BEAT_S)
                self._progress.log_if_due(in_doubt=self._doubt.claims)
                counts = self._tally.as_counts()
                try:
                    paused = await _in(thread, partial(beat, self._ledger, self._run, counts=counts))
                except LedgerError:
                    log.warning("the ledger did not take a heartbeat; claims and records will tell if it stays away")
                    continue
                if paused is not None:
                    self._pause(paused)

    def _pause(self, reason: str) -> None:
        error = PausedError(
            f"{reason}. What was asked is recorded, nobody else was asked. Resume, then clear the task."
        )
        self._control.stop(Order(reason, error=error))


async def _in(thread: ThreadPoolExecutor, work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(thread, work)


def _drain(queue: asyncio.Queue[T], most: int | None = None) -> list[T]:
    size = queue.qsize() if most is None else min(queue.qsize(), most)
    return [queue.get_nowait() for _ in range(size)]


def _refused(reason: str) -> AuthenticationError:
    return AuthenticationError(
        f"The API refused a request for a cause that holds for every message: {reason}. The run stopped at once; "
        "what it refused counts as released and is asked by the next try. Check team id, secret, host and funds."
    )
