"""The stage that claims: a batch ahead of the wire, and once more for each message that is sent again."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from airflow_provider_dropcowboy.api.answers import Outcome, SendOutcome
from airflow_provider_dropcowboy.campaign.control import STOPPED, Order, paused
from airflow_provider_dropcowboy.campaign.sending import Sending
from airflow_provider_dropcowboy.campaign.shared import Ask, Shared, in_thread
from airflow_provider_dropcowboy.campaign.source import Source
from airflow_provider_dropcowboy.clock import Deadline
from airflow_provider_dropcowboy.errors import LedgerError
from airflow_provider_dropcowboy.ledger.judgement import Judgement
from airflow_provider_dropcowboy.ledger.outcomes import Answered
from airflow_provider_dropcowboy.ledger.patience import claim_patiently, reclaim_patiently
from airflow_provider_dropcowboy.screening.screen import Candidate

KEY_OVER: Final = SendOutcome(Outcome.RELEASED, "not sent again: Drop Cowboy may have forgotten the idempotency key")

Claimed = tuple[Judgement, Deadline]
"""What the ledger said of a batch, and when the lease of its claims ends."""


class Claiming:
    """Reads messages from the source, claims them in the ledger, and passes those that it claimed on to ``sending``.

    :ivar thread: runs the calls of the ledger.
    """

    def __init__(self, shared: Shared, source: Source, sending: Sending) -> None:
        self.thread = ThreadPoolExecutor(1, "dropcowboy-claim")
        self._shared = shared
        self._source = source
        self._sending = sending
        self._batch_rows = shared.plan.concurrency

    async def claim(self) -> None:
        """Claim to the end of the source, as many at a time as may be out."""
        shared = self._shared
        while waiting := await self._source.waiting():
            size = await shared.in_flight.take(min(waiting, self._batch_rows))
            candidates = self._source.take(size)  # none if the run was stopped while it waited
            met = shared.unsent.owners([candidate.message.number_digest for candidate in candidates])
            begun_s = shared.clock.boot_s()
            judgement, lease_ends = await self._try(partial(self._claim_new, candidates, met=met), new=len(candidates))
            shared.in_flight.claim.add(shared.clock.boot_s() - begun_s)
            shared.tally.count_unclaimed(judgement, run_id=shared.run.id)
            shared.unsent.add_all(judgement)
            shared.not_sent.add_all(judgement)
            for claim in judgement.claimed:
                shared.tally.claim()
                self._sending.pass_on(Ask(claim, lease_ends))
            await shared.in_flight.give_back(size - len(judgement.claimed))

    async def claim_retries(self) -> None:
        """Claim the next attempt of each message whose time has come."""
        shared = self._shared
        while True:
            asks = await shared.retries.due(self._batch_rows)
            judgement, lease_ends = await self._try(partial(self._claim_next_attempt, asks))
            rest = {ask.claim.message.foreign_id: ask for ask in asks}
            for row in judgement.already:
                del rest[row.message.foreign_id]
                # a callback or a person leaves the row this run's; another run takes it over
                moved = shared.tally.settle if row.run_id == shared.run.id else shared.tally.lose
                moved(row.state, row.reason)
                await shared.in_flight.give_back(1)
            for claim in judgement.claimed:
                ask = rest.pop(claim.message.foreign_id)
                self._sending.pass_on(replace(ask, claim=claim, lease_ends=lease_ends, asks=ask.asks + 1))
            for message, verdict in judgement.stopped:
                self._sending.give_back(rest.pop(message.foreign_id), verdict)
            for ask in rest.values():
                shared.answers.put_nowait(Answered(ask.claim, STOPPED if self._is_stopping() else KEY_OVER))

    def _claim_new(self, candidates: Sequence[Candidate], *, met: Mapping[str, str]) -> Claimed:
        return claim_patiently(
            self._shared.ledger,
            self._shared.run,
            candidates=candidates,
            give_up=self._is_stopping,
            rules=self._shared.plan.claim_rules,
            met=met,
            clock=self._shared.clock,
        )

    def _claim_next_attempt(self, asks: Sequence[Ask]) -> Claimed:
        shared, claims = self._shared, [ask.claim for ask in asks]
        return reclaim_patiently(
            shared.ledger,
            shared.run,
            claims=claims,
            give_up=self._is_stopping,
            rules=shared.plan.claim_rules,
            clock=shared.clock,
        )

    def _is_stopping(self) -> bool:
        return self._shared.control.order is not None

    async def _try(self, claim: Callable[[], Claimed], *, new: int = 0) -> Claimed:
        """Claim; nothing if the run is stopping, or has to stop for this. With the claims, when their lease ends."""
        control = self._shared.control
        nothing = Judgement(), self._shared.clock.deadline(timedelta(0))
        if self._is_stopping():
            return nothing
        try:
            judgement, lease_ends = await in_thread(self.thread, claim)
        except LedgerError as error:
            self._shared.tally.unconfirmed += new
            control.stop(Order("the ledger cannot be reached", error=error))
            return nothing
        if judgement.stop is not None:
            control.stop(paused(judgement.stop))
        return judgement, lease_ends
