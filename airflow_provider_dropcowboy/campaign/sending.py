"""From claims to answers: a request for each, at the run's pace, and what becomes of its answer."""

import asyncio
import logging
from dataclasses import replace

from airflow_provider_dropcowboy.api.answers import LIMITED, ODD_SHAPE, Outcome, SendOutcome
from airflow_provider_dropcowboy.api.callback_url import CallbackUrls, Ticket
from airflow_provider_dropcowboy.api.messages import send_body
from airflow_provider_dropcowboy.api.wire import Answer
from airflow_provider_dropcowboy.campaign.again import Again, Ask
from airflow_provider_dropcowboy.campaign.control import CUT_OFF, STOPPED, Brakes, Control, unwatched
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.summary import Tally
from airflow_provider_dropcowboy.campaign.vendor_clock import VendorClock
from airflow_provider_dropcowboy.clock import Clock
from airflow_provider_dropcowboy.ledger.judgement import Claim
from airflow_provider_dropcowboy.ledger.outcomes import Answered
from airflow_provider_dropcowboy.transport.bulk import BulkSender, NothingWrittenError, Reading, UnwatchedError
from airflow_provider_dropcowboy.transport.pacing import Pace

log = logging.getLogger(__name__)


class Sending:
    """The stage that writes. Every claim passed on comes out as an answer, or waits in ``again``. In one event loop."""

    def __init__(
        self,
        plan: Plan,
        *,
        answers: asyncio.Queue[Answered],
        again: Again,
        pace: Pace,
        control: Control,
        tally: Tally,
        vendor_clock: VendorClock,
        clock: Clock,
    ) -> None:
        self._plan = plan
        self._clock = clock
        self._vendor_clock = vendor_clock
        self._answers = answers
        self._again = again
        self._pace = pace
        self._control = control
        self._tally = tally
        self._to_send: asyncio.Queue[Ask] = asyncio.Queue()
        self._workers: list[asyncio.Task[None]] = []
        self._writing: set[asyncio.Task[None]] = set()
        self._confirming: set[asyncio.Task[None]] = set()
        self._brakes = Brakes(plan.max_reject_rate, plan.max_unknown_rate, connections=plan.concurrency)
        self._has_warned_of_shape = False
        self._callback_urls = (
            CallbackUrls(plan.callback_url, plan.callback_secret)
            if plan.callback_url and plan.callback_secret
            else None
        )

    def pass_on(self, ask: Ask) -> None:
        """Send it when its turn comes; not at all if the run is stopping."""
        closes_at = ask.claim.message.closes_at
        if closes_at is not None:
            ask = replace(ask, lease_ends=ask.lease_ends.at_most(self._clock.deadline_at(closes_at)))
        if self._control.order is not None:
            self._answers.put_nowait(Answered(ask.claim, STOPPED))
        else:
            self._to_send.put_nowait(ask)

    def start(self, wire: BulkSender, stages: asyncio.TaskGroup) -> None:
        """Begin to send: a worker for each connection, which goes on to the next ask in the moment it has an answer.

        A task for each ask would wait three turns of the loop between an answer and the next request.
        """
        self._stages = stages
        self._workers = [stages.create_task(self._work(wire)) for _ in range(self._plan.concurrency)]

    def end(self) -> None:
        """Nothing is left to send."""
        for worker in self._workers:
            worker.cancel()

    def release_unwritten(self) -> None:
        """The run stops: what waits is released, and no worker begins another."""
        for worker in self._workers:
            if worker not in self._writing:
                worker.cancel()
        waiting = [self._to_send.get_nowait() for _ in range(self._to_send.qsize())]
        for ask in (*waiting, *self._again.drain()):
            self._answers.put_nowait(Answered(ask.claim, STOPPED))

    def cut_off(self) -> None:
        """Nothing under way is awaited any longer."""
        for task in (*self._writing, *self._confirming):
            task.cancel()

    async def _work(self, wire: BulkSender) -> None:
        worker = asyncio.current_task()
        assert worker is not None
        while self._control.order is None:
            ask = await self._to_send.get()
            try:
                await self._pace.enter()
            except asyncio.CancelledError:
                self._answers.put_nowait(Answered(ask.claim, STOPPED))
                raise
            self._writing.add(worker)
            try:
                await self._send(wire, ask)
            finally:
                self._writing.discard(worker)

    async def _send(self, wire: BulkSender, ask: Ask) -> None:
        message = ask.claim.message
        body = send_body(
            self._plan.account,
            message.phone,
            message.content,
            foreign_id=message.foreign_id,
            callback_url=self._callback_url(ask.claim),
        )
        if ask.asks == 1:
            self._tally.asked += 1
        asked_at = self._clock.now()
        try:
            reading = await wire.send(message.channel.path, body, lease_ends=ask.lease_ends, key=ask.claim)
        except UnwatchedError as error:
            self._control.stop(unwatched())
            reading = error.reading
        except asyncio.CancelledError as error:
            outcome = STOPPED if isinstance(error, NothingWrittenError) else CUT_OFF
            self._answers.put_nowait(Answered(ask.claim, outcome))
            raise
        finally:
            self._pace.leave()
        if order := self._vendor_clock.check(reading.reply, asked_at=asked_at):
            self._control.stop(order)
        self._heed(reading)
        if reading.proof is None:
            self._settle(ask, reading.outcome)
        else:  # the worker goes on meanwhile
            confirming = self._stages.create_task(self._confirm(ask, reading))
            self._confirming.add(confirming)
            confirming.add_done_callback(self._confirming.discard)

    def _callback_url(self, claim: Claim) -> str | None:
        if self._callback_urls is None:
            return self._plan.callback_url
        return self._callback_urls.url(Ticket(claim.message.foreign_id, claim.attempt))

    def _heed(self, reading: Reading) -> None:
        """What an answer means for the requests after it."""
        outcome = reading.outcome
        if isinstance(reading.reply, Answer) and reading.reply.status == LIMITED:
            self._pace.slow_down(outcome.retry_after_s)
        elif order := self._brakes.pull(outcome):
            self._control.stop(order)
        elif outcome.kind is Outcome.ACCEPTED:
            self._pace.speed_up()
            if outcome.odd_shape and not self._has_warned_of_shape:
                self._has_warned_of_shape = True
                log.warning(ODD_SHAPE, outcome.odd_shape)

    async def _confirm(self, ask: Ask, reading: Reading) -> None:
        """Wait until the answer is known to be the request's own, then settle."""
        try:
            confirmed = await reading.confirmed()
        except asyncio.CancelledError:
            self._answers.put_nowait(Answered(ask.claim, CUT_OFF))
            raise
        if confirmed is not reading:
            self._heed(confirmed)
        self._settle(ask, confirmed.outcome)

    def _settle(self, ask: Ask, outcome: SendOutcome) -> None:
        """Ask again what was surely not taken, a few times; record everything else."""
        is_again = outcome.kind is Outcome.RELEASED and self._control.order is None
        if not (is_again and self._again.put(ask, retry_after_s=outcome.retry_after_s)):
            self._answers.put_nowait(Answered(ask.claim, outcome))
