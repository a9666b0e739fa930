"""From claims to answers: a request for each, at the run's pace, and what becomes of its answer."""

import asyncio
import logging
from collections import deque
from collections.abc import Collection
from dataclasses import replace
from typing import Final

from airflow_provider_dropcowboy.api.callbacks import CallbackUrls, Ticket
from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.api.wire import LIMITED, ODD_SHAPE, Answer, NotWritten, Outcome, SendOutcome
from airflow_provider_dropcowboy.campaign.control import CUT_OFF, STOPPED, Brakes, VendorClock
from airflow_provider_dropcowboy.campaign.shared import Ask, Shared
from airflow_provider_dropcowboy.ledger.judgement import Claim
from airflow_provider_dropcowboy.ledger.outcomes import HOURS_ENDED, OPTED_OUT, Answered
from airflow_provider_dropcowboy.screening.screen import Facts, Verdict
from airflow_provider_dropcowboy.states import State
from airflow_provider_dropcowboy.transport.bulk import BulkSender, NothingWrittenError, Reading

LEASE_OVER: Final = SendOutcome(Outcome.RELEASED, "not written: the claim's lease was over")

log = logging.getLogger(__name__)


class Sending:
    """The stage that writes. Each claim passed on becomes an answer, or waits in ``retries``. In one event loop."""

    def __init__(self, shared: Shared) -> None:
        plan = shared.plan
        self._plan = plan
        self._vendor = vendor_of(plan.account)
        self._clock = shared.clock
        self._vendor_clock = VendorClock.of(plan, shared.ledger)
        self._answers = shared.answers
        self._retries = shared.retries
        self._in_flight = shared.in_flight
        self._pace = shared.pace
        self._control = shared.control
        self._waiting: dict[str, Ask] = {}  # by foreign_id: claimed, and neither written nor held back
        self._to_send: deque[str] = deque()
        self._idle: deque[asyncio.Future[None]] = deque()  # workers that wait for one of these
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
        message, ruling = ask.claim.message, ask.claim.candidate.ruling
        if ruling is not None and ruling.closes_at is not None:
            hours_end = self._clock.deadline_at(ruling.closes_at)
            ask = replace(ask, hours_end=hours_end, lease_ends=ask.lease_ends.at_most(hours_end))
        if self._control.order is not None:
            self._answers.put(Answered(ask.claim, STOPPED))
        else:
            self._waiting[message.foreign_id] = ask
            self._to_send.append(message.foreign_id)
            while self._idle:
                woken = self._idle.popleft()
                if not woken.done():
                    woken.set_result(None)
                    break

    def waiting_numbers(self) -> list[str]:
        """Digests of the numbers that are claimed and not written to."""
        return [ask.claim.message.number_digest for ask in self._waiting.values()]

    def hold_back(self, number_digests: Collection[str]) -> None:
        """Send nothing to these numbers, which opted out since they were claimed."""
        facts = Facts(at=self._clock.now(), suppressed=number_digests)
        for ask in [ask for ask in self._waiting.values() if ask.claim.message.number_digest in number_digests]:
            if verdict := ask.claim.screen(facts):
                del self._waiting[ask.claim.message.foreign_id]
                self.give_back(ask, verdict)

    def give_back(self, ask: Ask, verdict: Verdict) -> None:
        """The claim is released, and its row counts by the verdict that stopped it, or as in doubt if it was before."""
        if ask.claim.is_doubtful or ask.claim.is_resend:
            outcome = SendOutcome(Outcome.RELEASED, f"not sent again: {verdict.reason}")
            self._answers.put(Answered(ask.claim, outcome))
        else:
            outcome = OPTED_OUT if verdict.state is State.SUPPRESSED else HOURS_ENDED
            self._answers.put(Answered(ask.claim, outcome, held_back=verdict))

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
        for ask in (*self._waiting.values(), *self._retries.drain()):
            self._answers.put(Answered(ask.claim, STOPPED))
        self._waiting.clear()

    def cut_off(self) -> None:
        """Nothing under way is awaited any longer."""
        for task in (*self._writing, *self._confirming):
            task.cancel()

    async def _work(self, wire: BulkSender) -> None:
        worker = asyncio.current_task()
        assert worker is not None
        loop = asyncio.get_running_loop()
        while self._control.order is None:
            while not self._to_send:
                self._idle.append(woken := loop.create_future())
                await woken
            foreign_id = self._to_send.popleft()
            await self._pace.enter()
            ask = self._waiting.pop(foreign_id, None)
            if ask is None or self._has_ended(ask):  # or it was held back while it waited for its turn
                self._pace.leave()
                continue
            self._writing.add(worker)
            try:
                await self._send(wire, ask)
            finally:
                self._writing.discard(worker)

    def _has_ended(self, ask: Ask) -> bool:
        """Whether the claim may no longer be written; then it is given back, or claimed anew if its lease is over."""
        if not self._clock.has_passed(ask.lease_ends):
            return False
        if (
            ask.hours_end is not None
            and self._clock.has_passed(ask.hours_end)
            and (verdict := ask.claim.screen(Facts(at=ask.hours_end.at)))
        ):
            self.give_back(ask, verdict)
        elif not self._retries.put(ask, retry_after_s=0.0):
            self._answers.put(Answered(ask.claim, LEASE_OVER))
        return True

    async def _send(self, wire: BulkSender, ask: Ask) -> None:
        message = ask.claim.message
        request = self._vendor.send(
            self._plan.account,
            message.content,
            phone=message.phone,
            foreign_id=message.foreign_id,
            callback_url=self._callback_url(ask.claim),
            key=None if ask.claim.key_generation is None else f"{message.foreign_id}.{ask.claim.key_generation}",
        )
        asked_s = self._clock.boot_s()
        try:
            reading = await wire.send(request, lease_ends=ask.lease_ends, key=ask.claim)
        except asyncio.CancelledError as error:
            is_written = not isinstance(error, NothingWrittenError)
            self._answers.put(Answered(ask.claim, CUT_OFF if is_written else STOPPED))
            raise
        finally:
            self._pace.leave()
        is_written = not isinstance(reading.reply, NotWritten)
        if not is_written and self._has_ended(ask):
            return
        took_s = self._clock.boot_s() - asked_s
        self._in_flight.request.add(took_s)
        if order := self._vendor_clock.check(reading.reply, took_s=took_s):
            self._control.stop(order)
        self._heed(ask, reading)
        if reading.proof is None:
            self._settle(ask, reading.outcome)
        else:  # the worker goes on meanwhile
            confirming = self._stages.create_task(self._confirm(ask, reading))
            self._confirming.add(confirming)
            confirming.add_done_callback(self._confirming.discard)

    def _callback_url(self, claim: Claim) -> str | None:
        if self._callback_urls is None:
            return self._plan.callback_url
        # a repeated request is the same to the byte, so its URL names the key and not the attempt
        return self._callback_urls.url(Ticket(claim.message.foreign_id, claim.key_generation or claim.attempt))

    def _heed(self, ask: Ask, reading: Reading) -> None:
        """What an answer means for the requests after it."""
        outcome = reading.outcome
        if isinstance(reading.reply, Answer) and reading.reply.status == LIMITED:
            self._pace.slow_down(outcome.retry_after_s)
        # a request that is repeated with its key is in no lasting doubt, but it is a failure
        elif order := self._brakes.pull(
            replace(outcome, kind=Outcome.RELEASED) if is_repeatable(ask, outcome) else outcome
        ):
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
            self._answers.put(Answered(ask.claim, CUT_OFF))
            raise
        if confirmed is not reading:
            self._heed(ask, confirmed)
        self._settle(ask, confirmed.outcome)

    def _settle(self, ask: Ask, outcome: SendOutcome) -> None:
        """Repeat a request a few times if it was not accepted, or is in doubt and has a key; record everything else."""
        if outcome.kind is Outcome.ACCEPTED:  # nearly always
            self._answers.put(Answered(ask.claim, outcome))
            return
        if is_repeatable(ask, outcome):
            ask = replace(ask, claim=replace(ask.claim, is_doubtful=True))
        is_free = outcome.kind is Outcome.RELEASED or is_repeatable(ask, outcome)
        is_again = is_free and self._control.order is None
        if not (is_again and self._retries.put(ask, retry_after_s=outcome.retry_after_s)):
            self._answers.put(Answered(ask.claim, outcome))


def is_repeatable(ask: Ask, outcome: SendOutcome) -> bool:
    """Whether a request in doubt can be repeated at once: its key keeps the vendor from sending twice."""
    return outcome.kind is Outcome.UNKNOWN and ask.claim.key_generation is not None
