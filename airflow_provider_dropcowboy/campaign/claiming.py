"""The stages at the ledger: claims a batch ahead of the wire, and records of what requests came to.

Answers and the claims of the messages that take their place share a commit where both are there. If it fails, the
answers are recorded first, by themselves: what was sent is worth a longer wait than what may be sent.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

from airflow_provider_dropcowboy.api.wire import Outcome, SendOutcome
from airflow_provider_dropcowboy.campaign.control import OUT_OF_STEP, STOPPED, Order, paused
from airflow_provider_dropcowboy.campaign.sending import Sending
from airflow_provider_dropcowboy.campaign.shared import Ask, Shared, in_thread
from airflow_provider_dropcowboy.campaign.source import Source
from airflow_provider_dropcowboy.clock import Deadline
from airflow_provider_dropcowboy.errors import LedgerError
from airflow_provider_dropcowboy.ledger.claims import JOINT_WAIT_S, find_claims, new_claim_id, record_and_claim
from airflow_provider_dropcowboy.ledger.judgement import Claim, Judgement
from airflow_provider_dropcowboy.ledger.outcomes import Answered
from airflow_provider_dropcowboy.ledger.patience import claim_patiently, reclaim_patiently, record_patiently
from airflow_provider_dropcowboy.screening.screen import Candidate
from airflow_provider_dropcowboy.states import LEASE, State

KEY_OVER: Final = SendOutcome(Outcome.RELEASED, "not sent again: Drop Cowboy may have forgotten the idempotency key")

MAX_RECORD_ROWS: Final = 500
GATHER: Final = 0.8
"""Outcomes gather for this part of a request's time: a commit each would cost more CPU than the request itself."""
MIN_GATHER_S: Final = 0.01
LEAST_GATHER_S: Final = 0.005
MAX_GATHER_S: Final = 0.04
"""Claims that are not recorded are in doubt after a ``kill -9``."""
TURN_S: Final = 0.05
"""Answers wait no longer than this for claims that are being made, so that the next ones can share a commit."""
NOT_RECORDED: Final = "answered, but not recorded"

Claimed = tuple[Judgement, Deadline]
"""What the ledger said of a batch, and when the lease of its claims ends."""


class Claiming:
    """Claims messages of the source in the ledger, passes them on to ``sending``, and records their answers.

    :ivar threads: run the calls of the ledger.
    """

    def __init__(self, shared: Shared, source: Source, sending: Sending) -> None:
        self.threads = ThreadPoolExecutor(1, "dropcowboy-claim"), ThreadPoolExecutor(1, "dropcowboy-record")
        self._claim_thread, self._record_thread = self.threads
        self._shared = shared
        self._source = source
        self._sending = sending
        self._batch_rows = shared.plan.concurrency
        # one batch after the other: what it may claim depends on the numbers of messages that were not sent before
        self._turn = asyncio.Lock()

    async def claim(self) -> None:
        """Claim to the end of the source, as many at a time as may be out, what was not claimed with a record."""
        shared = self._shared
        while waiting := await self._source.waiting():
            size = await shared.in_flight.take(min(waiting, self._batch_rows))
            async with self._turn:
                candidates = self._source.take(size)  # fewer if a record claimed some, or the run was stopped meanwhile
                if candidates:
                    begun_s = shared.clock.boot_s()
                    claim = partial(self._claim_new, candidates, met=self._owners(candidates))
                    judgement, lease_ends = await self._try(claim, new=len(candidates))
                    shared.in_flight.claim.add(shared.clock.boot_s() - begun_s)
                    self._pass_on(judgement, lease_ends)
                    size -= len(judgement.claimed)
            await shared.in_flight.give_back(size)

    async def record(self, stages: asyncio.TaskGroup) -> None:
        """Record until the run is over, and claim as many messages as there are answers.

        :param stages: of the run; has the tasks for claims that could not share a commit.
        """
        shared = self._shared
        gathered_s = 0.0
        while True:
            await shared.answers.came()
            begun_s = shared.clock.boot_s()
            gather_s = min(max(shared.in_flight.request.seconds * GATHER, MIN_GATHER_S), MAX_GATHER_S)
            # some gathered while the last ones were recorded
            await asyncio.sleep(max(min(gathered_s + gather_s - begun_s, gather_s), LEAST_GATHER_S))
            if self._turn.locked():
                with suppress(TimeoutError):
                    async with asyncio.timeout(TURN_S), self._turn:
                        pass
            answered = shared.answers.take(MAX_RECORD_ROWS)
            gathered_s = shared.clock.boot_s()
            done = len(answered)
            if size := self._room_beside(answered):
                async with self._turn:
                    still_out = await self._record_and_claim(answered, self._source.take(size), stages)
                done = max(done, size) - still_out
            else:
                await self._record(answered)
            shared.in_flight.record.add(shared.clock.boot_s() - begun_s)
            await shared.in_flight.give_back(done)
            await shared.adjust()

    def take_back(self, key: object) -> None:
        """What counted as accepted is in doubt: the answer may be another request's.

        :param key: the claim.
        """
        assert isinstance(key, Claim)
        self._shared.in_flight.claims += 1
        self._shared.answers.put(Answered(key, OUT_OF_STEP, is_correction=True))

    def _room_beside(self, answered: Sequence[Answered]) -> int:
        """How many messages may be claimed in the transaction of these answers; they count as out from now on."""
        if self._turn.locked() or self._is_stopping():
            return 0
        return self._shared.in_flight.take_at_once(
            min(self._source.ready, max(self._batch_rows, len(answered))), freed=len(answered)
        )

    async def _record_and_claim(
        self, answered: Sequence[Answered], candidates: Sequence[Candidate], stages: asyncio.TaskGroup
    ) -> int:
        """Both in one commit if it succeeds; how many of the messages are claimed, or may be.

        If it fails, the claims are looked up and made in a task of their own: answers do not wait for them.
        """
        shared = self._shared
        claim_id = new_claim_id()
        lease_ends = shared.clock.deadline(LEASE)  # from before the transaction
        both = partial(
            record_and_claim,
            shared.ledger,
            shared.run,
            answered=answered,
            candidates=candidates,
            claim_id=claim_id,
            rules=shared.plan.claim_rules,
            met=self._owners(candidates),
        )
        try:
            conflicts, judgement = await in_thread(self._record_thread, both)
        except LedgerError:
            await self._record(answered)
            stages.create_task(self._claim_apart(candidates, claim_id, lease_ends))
            return len(candidates)
        shared.tally.conflicts += conflicts
        for item in answered:
            self._count(item, is_recorded=True)
        shared.in_flight.claim.add(0.0)  # its time is the record's
        if judgement.stop is not None:
            shared.control.stop(paused(judgement.stop))
        self._pass_on(judgement, lease_ends)
        return len(judgement.claimed)

    async def _claim_apart(self, candidates: Sequence[Candidate], uncertain: str, lease_ends: Deadline) -> None:
        """Claim what could not be claimed with answers; it may be on disk under that name, by that lease."""
        shared = self._shared
        async with self._turn:
            if self._is_stopping():
                judgement, again_until = await self._find(candidates, uncertain), lease_ends
            else:
                claim = partial(self._claim_new, candidates, met=self._owners(candidates), uncertain=uncertain)
                judgement, again_until = await self._try(claim, new=len(candidates))
            self._pass_on(judgement, lease_ends.at_most(again_until))
        await shared.in_flight.give_back(len(candidates) - len(judgement.claimed))

    async def _find(self, candidates: Sequence[Candidate], claim_id: str) -> Judgement:
        """What is on disk of a claim, if that can be known at once: the run is stopping, and gives it back unsent."""
        shared, wait_s = self._shared, JOINT_WAIT_S
        find = partial(find_claims, shared.ledger, shared.run, candidates=candidates, claim_id=claim_id, wait_s=wait_s)
        try:
            return Judgement(claimed=await in_thread(self._claim_thread, find))
        except LedgerError:
            shared.tally.unconfirmed += len(candidates)
            return Judgement()

    async def _record(self, answered: Sequence[Answered]) -> None:
        """Write the answers down. What cannot be recorded is in doubt, and stops the run."""
        shared, is_recorded = self._shared, True
        write = partial(record_patiently, shared.ledger, shared.run, answered=answered, clock=shared.clock)
        try:
            shared.tally.conflicts += await in_thread(self._record_thread, write)
        except LedgerError as error:
            is_recorded = False
            shared.control.stop(Order("outcomes cannot be recorded", error=error))
        for item in answered:
            self._count(item, is_recorded=is_recorded)

    def _count(self, item: Answered, *, is_recorded: bool) -> None:
        tally = self._shared.tally
        if item.is_correction:
            tally.take_back(item.outcome.reason if is_recorded else NOT_RECORDED)
        elif not is_recorded:
            tally.settle(State.UNKNOWN, NOT_RECORDED)
        elif item.held_back is None:
            tally.settle(item.standing, item.outcome.reason)
        else:
            tally.hold_back(item.held_back)
            self._shared.unsent.add([(item.claim.message, item.held_back.state)])
            self._shared.not_sent.add(item.claim.message, item.held_back)

    def _owners(self, candidates: Sequence[Candidate]) -> dict[str, str]:
        return self._shared.unsent.owners([candidate.message.number_digest for candidate in candidates])

    def _pass_on(self, judgement: Judgement, lease_ends: Deadline) -> None:
        """Send what is claimed, and count the rest of the batch."""
        shared = self._shared
        shared.tally.count_unclaimed(judgement, run_id=shared.run.id)
        shared.unsent.add_all(judgement)
        shared.not_sent.add_all(judgement)
        shared.tally.claim(len(judgement.claimed))
        for claim in judgement.claimed:
            self._sending.pass_on(Ask(claim, lease_ends))

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
                shared.answers.put(Answered(ask.claim, STOPPED if self._is_stopping() else KEY_OVER))

    def _claim_new(
        self, candidates: Sequence[Candidate], *, met: Mapping[str, str], uncertain: str | None = None
    ) -> Claimed:
        return claim_patiently(
            self._shared.ledger,
            self._shared.run,
            candidates=candidates,
            give_up=self._is_stopping,
            rules=self._shared.plan.claim_rules,
            met=met,
            clock=self._shared.clock,
            uncertain=uncertain,
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
            judgement, lease_ends = await in_thread(self._claim_thread, claim)
        except LedgerError as error:
            self._shared.tally.unconfirmed += new
            control.stop(Order("the ledger cannot be reached", error=error))
            return nothing
        if judgement.stop is not None:
            control.stop(paused(judgement.stop))
        return judgement, lease_ends
