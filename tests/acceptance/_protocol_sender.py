"""One run as the pipeline is one, taken apart into steps that can come in any order, over the real ledger."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from operator import itemgetter
from typing import Protocol, TypeVar

from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.content import Rvm
from airflow_provider_dropcowboy.api.wire import NotWritten, Outcome, Reply, SendOutcome, read_send_answer
from airflow_provider_dropcowboy.campaign.control import STOPPED
from airflow_provider_dropcowboy.campaign.sending import is_repeatable
from airflow_provider_dropcowboy.campaign.shared import Ask
from airflow_provider_dropcowboy.campaign.summary import Tally
from airflow_provider_dropcowboy.clock import Deadline
from airflow_provider_dropcowboy.ledger.claims import claim, find_claims, new_claim_id, reclaim, record_and_claim
from airflow_provider_dropcowboy.ledger.counts import count_run
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.digest import number_digest
from airflow_provider_dropcowboy.ledger.judgement import ClaimRules, Judgement
from airflow_provider_dropcowboy.ledger.limits import beat
from airflow_provider_dropcowboy.ledger.outcomes import Answered, record
from airflow_provider_dropcowboy.ledger.runs import Run, end_run
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.screening.screen import Candidate, Message
from airflow_provider_dropcowboy.states import LEASE
from tests.acceptance._protocol_vendor import Fate, Witness

T = TypeVar("T")


class MovableClock(Protocol):
    """The clock of the ledger's database, and the clocks of every run."""

    def now(self) -> datetime: ...

    def advance(self, by: timedelta) -> None: ...


@dataclass(frozen=True, slots=True)
class World:
    """What all runs of an example share."""

    ledger: Ledger
    clock: MovableClock
    witness: Witness


@dataclass(frozen=True, slots=True)
class LostCommit:
    """A batch whose COMMIT got no answer: to be looked up before anything of it is sent.

    :param asks: what is claimed for a next attempt; empty: new claims of ``messages``.
    """

    claim_id: str
    messages: Sequence[Message]
    lease_ends: Deadline
    asks: Sequence[Ask] = ()


class Sender:
    """A run. It never looks at the others, and acts on what it knows however late it is: it may be a zombie."""

    def __init__(self, world: World, run: Run, *, name: str, content: str, resend_after: timedelta | None) -> None:
        self.world = world
        self.run = run
        self.name = name
        self.content = content
        self.resend_after = resend_after
        self.was_read: set[str] = set()
        self.to_write: dict[str, Ask] = {}
        self.to_ask_again: dict[str, Ask] = {}  # surely not taken, by what this run read
        self.answers: dict[str, Answered] = {}
        self.recorded: dict[str, Answered] = {}  # a COMMIT that gets no answer makes it record them once more
        self.lost_commit: LostCommit | None = None
        self.is_stopping = False
        self.tally = Tally()

    def __repr__(self) -> str:
        return self.name

    def message(self, key: str, number: str) -> Message:
        """What this run would send."""
        return Message(
            foreign_id=self.run.campaign.prefix + key,
            contact_key=key,
            phone=Phone(number),
            content=Rvm(brand_id="brand", recording_id=self.content),
            number_digest=number_digest(self.world.ledger.key, Phone(number)),
            content_digest=self.content,
        )

    def claim(self, messages: Sequence[Message], *, is_answer_lost: bool) -> Judgement | None:
        """Claim a batch; None: whether it is on disk is not known yet."""
        self.was_read |= {message.contact_key for message in messages}
        return self._claim(LostCommit(new_claim_id(), messages, self._lease()), is_answer_lost=is_answer_lost)

    def ask_again(self, keys: Sequence[str], *, is_answer_lost: bool) -> Judgement | None:
        """Claim the next attempt of what was surely not taken."""
        asks = [self.to_ask_again.pop(key) for key in keys]
        messages = [ask.claim.message for ask in asks]
        batch = LostCommit(new_claim_id(), messages, self._lease(), asks)
        return self._claim(batch, is_answer_lost=is_answer_lost)

    def look_up(self) -> Judgement:
        """After a lost COMMIT: what is on disk is this run's, the rest is claimed now. All of it by the first lease."""
        lost = self.lost_commit
        assert lost is not None
        self.lost_commit = None
        candidates = list(map(Candidate, lost.messages))
        found = find_claims(self.world.ledger, self.run, candidates=candidates, claim_id=lost.claim_id)
        known = {old.message.foreign_id for old in found}
        rest = [message for message in lost.messages if message.foreign_id not in known]
        judgement = self._ask_ledger(rest, lost.asks, claim_id=new_claim_id()) if rest else Judgement()
        judgement.claimed += found
        self._take_over(judgement, lost)
        return judgement

    def write(self, key: str, fate: Fate) -> None:
        """Write one request, if the lease still lets it, and read what comes back."""
        ask = self.to_write.pop(key)
        reply: Reply = NotWritten("the claim's lease was over")
        if self.may_write(ask):
            self.world.witness.see_request(ask.claim, fate)
            reply = fate.reply
        outcome = self.read_answer(reply)
        if outcome.kind is Outcome.REFUSED:
            self.stop()
        is_repeated = is_repeatable(ask, outcome)
        if is_repeated:
            ask = replace(ask, claim=replace(ask.claim, is_doubtful=True))
        if (outcome.kind is Outcome.RELEASED or is_repeated) and not self.is_stopping:
            self.keep_for_later(ask, outcome)
        else:
            self.answers[key] = Answered(ask.claim, outcome)

    def may_write(self, ask: Ask) -> bool:
        """Whether the claim's lease is not over, by this run's own clock."""
        return self.world.clock.now() < ask.lease_ends.at

    def read_answer(self, reply: Reply) -> SendOutcome:
        """What a reply means."""
        return read_send_answer(reply)

    def keep_for_later(self, ask: Ask, outcome: SendOutcome) -> None:
        """Surely not taken, or repeatable: nothing is written down before the next attempt is claimed, or given up."""
        self.to_ask_again[ask.claim.message.contact_key] = ask

    def stop(self) -> None:
        """Release what is not written, as on SIGTERM; what was written is still recorded."""
        self.is_stopping = True
        for asks in (self.to_write, self.to_ask_again):
            self.answers |= {key: Answered(ask.claim, STOPPED) for key, ask in asks.items()}
            asks.clear()

    def record(self, keys: Sequence[str]) -> int:
        """Write outcomes down; how many of them contradict the ledger."""
        answered = [self.answers.pop(key) for key in keys]
        conflicts = self.write_down(answered)
        self._count(answered, conflicts=conflicts)
        return conflicts

    def record_and_claim(
        self, keys: Sequence[str], messages: Sequence[Message], *, is_answer_lost: bool
    ) -> tuple[int, Judgement | None]:
        """Both in one commit. If its answer is lost, the answers are recorded once more and the claims are looked up.

        :returns: as ``record``, and as ``claim``.
        """
        answered = [self.answers.pop(key) for key in keys]
        self.was_read |= {message.contact_key for message in messages}
        batch = LostCommit(new_claim_id(), messages, self._lease())
        conflicts, judgement = record_and_claim(
            self.world.ledger,
            self.run,
            answered=answered,
            candidates=list(map(Candidate, messages)),
            claim_id=batch.claim_id,
            rules=self.rules,
            met={},
        )
        if is_answer_lost:
            conflicts = self.write_down(answered)
            self.lost_commit = batch
        self._count(answered, conflicts=conflicts)
        if is_answer_lost:
            return conflicts, None
        self._take_over(judgement, batch)
        return conflicts, judgement

    def write_down(self, answered: Sequence[Answered]) -> int:
        """Record in the ledger; also done twice, when the answer to the COMMIT was lost."""
        return record(self.world.ledger, self.run, answered=answered)

    def beat(self) -> None:
        """Say that it lives, and hear whether it is to stop."""
        if beat(self.world.ledger, self.run, counts=self.tally.as_counts()) is not None:
            self.stop()

    def end(self) -> None:
        """End in good order; a run that met no conflict checks its balance, as the conductor does."""
        if not self.tally.conflicts:
            is_keyed = self.rules.key_lasts is not None
            self.tally.balance(count_run(self.world.ledger, self.run), results_may_free=is_keyed)
        end_run(self.world.ledger, self.run, counts=self.tally.as_counts(), reason=None)

    @property
    def rules(self) -> ClaimRules:
        """What the ledger looks at."""
        return ClaimRules(resend_after=self.resend_after)

    @property
    def is_done(self) -> bool:
        """Whether nothing of it is open."""
        return not (self.to_write or self.to_ask_again or self.answers or self.lost_commit)

    def _count(self, answered: Sequence[Answered], *, conflicts: int) -> None:
        for item in answered:
            self.tally.settle(item.standing)
            self.recorded[item.claim.message.contact_key] = item
        self.tally.conflicts += conflicts

    def _claim(self, batch: LostCommit, *, is_answer_lost: bool) -> Judgement | None:
        judgement = self._ask_ledger(batch.messages, batch.asks, claim_id=batch.claim_id)
        if is_answer_lost:
            self.lost_commit = batch
            return None
        self._take_over(judgement, batch)
        return judgement

    def _ask_ledger(self, messages: Sequence[Message], asks: Sequence[Ask], *, claim_id: str) -> Judgement:
        ledger, run = self.world.ledger, self.run
        if not asks:
            candidates = list(map(Candidate, messages))
            return claim(ledger, run, candidates=candidates, claim_id=claim_id, rules=self.rules)
        wanted = {message.foreign_id for message in messages}
        claims = [ask.claim for ask in asks if ask.claim.message.foreign_id in wanted]
        return reclaim(ledger, run, claims=claims, claim_id=claim_id, rules=self.rules)

    def _take_over(self, judgement: Judgement, batch: LostCommit) -> None:
        """Count what the ledger said, and send what it gave."""
        if batch.asks:
            for row in judgement.already:
                moved = self.tally.settle if row.run_id == self.run.id else self.tally.lose
                moved(row.state)
            said = {row.message.foreign_id for row in judgement.already}
            said |= {new.message.foreign_id for new in judgement.claimed}
            for ask in batch.asks:  # its key may be forgotten: it is not sent again
                if judgement.stop is None and ask.claim.message.foreign_id not in said:
                    self.answers[ask.claim.message.contact_key] = Answered(ask.claim, STOPPED)
        else:
            self.tally.count_unclaimed(judgement, run_id=self.run.id)
        asks = {ask.claim.message.foreign_id: ask.asks for ask in batch.asks}
        for new in judgement.claimed:
            if not batch.asks:
                self.tally.claim()
            ask = Ask(new, batch.lease_ends, asks.get(new.message.foreign_id, 0) + 1)
            self.to_write[new.message.contact_key] = ask
        if judgement.stop is not None:
            self._let_go(judgement, batch)
        if self.is_stopping:
            self.stop()

    def _let_go(self, judgement: Judgement, batch: LostCommit) -> None:
        """The ledger says that the run is to stop: the rest of the batch is not sent."""
        self.is_stopping = True
        claimed = {new.message.foreign_id for new in judgement.claimed}
        asks = {ask.claim.message.foreign_id: ask for ask in batch.asks}
        for message in batch.messages:
            if message.foreign_id in claimed:
                continue
            if batch.asks:
                self.answers[message.contact_key] = Answered(asks[message.foreign_id].claim, STOPPED)
            else:
                self.was_read.discard(message.contact_key)

    def _lease(self) -> Deadline:
        ends_at = self.world.clock.now() + LEASE
        return Deadline(ends_at, ends_at.timestamp())


def some_of(
    options: Sequence[tuple[Sender, list[T]]], *, unique_by: Callable[[T], object] = str
) -> st.SearchStrategy[tuple[Sender, list[T]]]:
    """A run, and some of what it could act on."""
    return st.sampled_from(options).flatmap(
        lambda option: st.tuples(
            st.just(option[0]), st.lists(st.sampled_from(option[1]), min_size=1, max_size=3, unique_by=unique_by)
        )
    )


def some_of_both(
    options: Sequence[tuple[Sender, list[str], list[tuple[str, str]]]],
) -> st.SearchStrategy[tuple[Sender, list[str], list[tuple[str, str]]]]:
    """A run, some of what it could record, and some of what it could claim."""
    return st.sampled_from(options).flatmap(
        lambda option: st.tuples(
            st.just(option[0]),
            st.lists(st.sampled_from(option[1]), min_size=1, max_size=3, unique=True),
            st.lists(st.sampled_from(option[2]), min_size=1, max_size=3, unique_by=itemgetter(0)),
        )
    )
