"""Runs, zombies, persons, callbacks and a vendor that lies, in any interleaving, over the real ledger."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from operator import itemgetter
from typing import Any, ClassVar, Final

import sqlalchemy as sa
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from airflow_provider_dropcowboy.api.callbacks import Callback, DeliveryStatus
from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.campaign.control import STOPPED
from airflow_provider_dropcowboy.ledger.campaigns import bind_campaign
from airflow_provider_dropcowboy.ledger.counts import count_campaign, rows_of
from airflow_provider_dropcowboy.ledger.judgement import Claim, Judgement
from airflow_provider_dropcowboy.ledger.outcomes import Answered
from airflow_provider_dropcowboy.ledger.reconcile import Match, Received, reconcile
from airflow_provider_dropcowboy.ledger.runs import SILENT_AFTER, Who, begin_run
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.ledger.settling import Settled, release_rejected, settle_unknown
from airflow_provider_dropcowboy.screening.screen import Message
from airflow_provider_dropcowboy.states import BINDING, DOUBT_LASTS, LEASE, OPEN, SENT, State, may_move
from tests.acceptance._protocol_sender import Sender, World, some_of, some_of_both
from tests.acceptance._protocol_vendor import FINAL, Fate, Take

CONTACTS: Final = (("a", "+15045550101"), ("b", "+15045550101"), ("c", "+15045550103"), ("a", "+15045550102"))
"""Two keys with one number, and a key whose number is corrected."""
TIMES: Final = (SILENT_AFTER, SILENT_AFTER, LEASE, DOUBT_LASTS - LEASE, DOUBT_LASTS)
SELDOM: Final = st.integers(0, 4).map(lambda number: number == 4)
CONTENTS: Final = ("first", "second")
MAX_AT_ONCE: Final = 3

_numbers = count(1)


def request_of(row: Any) -> int:
    """Of the row's last request, as the token of its callback has it."""
    number: int = row.attempt if row.keyed_at is None else row.key_generation
    return number


class ProtocolMachine(RuleBasedStateMachine):
    """Each example is a campaign of its own in a ledger that is there already.

    A run that does not beat while time passes is a zombie; one that is killed never acts again. All acts are choices of
    one rule: as rules of their own, hypothesis would leave out some in each example, most often one without which
    nothing is sent at all.
    """

    sender_class: ClassVar[type[Sender]] = Sender
    contacts: ClassVar[Sequence[tuple[str, str]]] = CONTACTS
    fates: ClassVar[Sequence[Fate]] = tuple(Fate)
    times: ClassVar[Sequence[timedelta]] = TIMES

    def __init__(self, world: World) -> None:
        super().__init__()
        self.world = world
        number = next(_numbers)
        self.campaign = bind_campaign(
            world.ledger, f"account {number}", name="campaign", channel=Channel.RVM, prefix=f"{number:012x}"
        )
        self.senders: list[Sender] = []
        self.rows: dict[str, Any] = {}
        self._begun = 0
        self._lives_until: dict[int, datetime] = {}
        # claims that a person settled or that were resent: only their late answers may contradict the ledger
        self._overruled: set[tuple[str, str]] = set()

    @rule(act=st.runner().flatmap(lambda machine: machine.acts()))
    def something_happens(self, act: tuple[str, Any]) -> None:
        self.do(*act)

    def do(self, name: str, *arguments: Any) -> None:
        """One act, and what must hold after it."""
        getattr(self, name)(*arguments)
        rows = self.read()
        self.check_moves(rows)
        self.world.witness.check(rows)
        self.rows = rows
        self.check_counts()

    def acts(self) -> st.SearchStrategy[tuple[Any, ...]]:
        """What can happen now, each with a weight: nothing is sent without much of the first ones."""
        senders, booleans = self.senders, st.booleans()
        claiming = [sender for sender in senders if not sender.is_stopping and sender.lost_commit is None]
        unread = [
            (sender, rows)
            for sender in claiming
            if (rows := [row for row in self.contacts if row[0] not in sender.was_read])
        ]
        both = [(sender, sorted(sender.answers), rows) for sender, rows in unread if sender.answers]
        writable = [(sender, key) for sender in senders for key in sorted(sender.to_write)]
        again = [(sender, sorted(sender.to_ask_again)) for sender in claiming if sender.to_ask_again]
        answered = [(sender, sorted(sender.answers)) for sender in senders if sender.answers]
        uncertain = [sender for sender in senders if sender.lost_commit is not None]
        recorded = [(sender, key) for sender in senders for key in sorted(sender.recorded)]
        has_begun = [sender for sender in senders if sender.was_read or sender.is_stopping]
        may_begin = len(senders) < MAX_AT_ONCE and has_begun == senders
        done = [sender for sender in has_begun if sender.is_done]
        at_work = [sender for sender in senders if not sender.is_done]
        rows = sorted(row.contact_key for row in self.rows.values())
        results, webhooks = self.results(), self.webhooks()
        rejected = [row for row in self.rows.values() if row.state == State.REJECTED]
        possible: list[tuple[int, object, str, tuple[st.SearchStrategy[Any], ...]]] = [
            (3, unread, "claim", (some_of(unread, unique_by=itemgetter(0)), SELDOM)),
            (2, may_begin, "begin", (st.sampled_from(CONTENTS), st.sampled_from([None, DOUBT_LASTS]))),
            (8, writable, "write", (st.sampled_from(writable), st.sampled_from(self.fates))),
            (5, answered, "record", (some_of(answered),)),
            (2, both, "record_and_claim", (some_of_both(both), SELDOM)),
            (3, again, "ask_again", (some_of(again), SELDOM)),
            (2, uncertain, "look_up_a_claim_whose_commit_got_no_answer", (st.sampled_from(uncertain),)),
            (1, recorded, "record_once_more_after_a_commit_without_answer", (st.sampled_from(recorded),)),
            (1, senders, "beat", (st.sampled_from(senders),)),
            (1, at_work, "stop", (st.sampled_from(at_work), booleans)),
            (1, done, "end", (st.sampled_from(done),)),
            (3, rows, "time_passes", (st.sampled_from(self.times),)),
            (1, results, "a_callback_comes", (st.sampled_from(results), booleans)),
            (1, webhooks, "a_webhook_comes", (st.sampled_from(webhooks), booleans)),
            (1, rows, "a_person_settles", (st.sampled_from(rows),)),
            (2, rejected, "a_person_releases_what_was_rejected", ()),
        ]
        acts = {name: arguments for _, is_possible, name, arguments in possible if is_possible}
        names = [name for weight, _, name, _ in possible if name in acts for _ in range(weight)]
        return st.sampled_from(names).flatmap(lambda name: st.tuples(st.just(name), *acts[name]))

    # runs

    def begin(self, content: str, resend_after: timedelta | None) -> None:
        run = begin_run(self.world.ledger, self.campaign, who=Who(), wanted=1)
        self._begun += 1
        sender = self.sender_class(
            self.world, run, name=f"run {self._begun}", content=content, resend_after=resend_after
        )
        self.senders.append(sender)
        self._lives_until[run.id] = self.world.clock.now() + SILENT_AFTER

    def claim(self, chosen: tuple[Sender, list[tuple[str, str]]], is_answer_lost: bool) -> None:
        sender, batch = chosen
        messages = [sender.message(key, number) for key, number in batch]
        judgement = sender.claim(messages, is_answer_lost=is_answer_lost)
        self._check_judgement(judgement, messages, sender)

    def ask_again(self, chosen: tuple[Sender, list[str]], is_answer_lost: bool) -> None:
        sender, keys = chosen
        sender.ask_again(keys, is_answer_lost=is_answer_lost)

    def look_up_a_claim_whose_commit_got_no_answer(self, sender: Sender) -> None:
        lost = sender.lost_commit
        assert lost is not None
        judgement = sender.look_up()
        if not lost.asks:
            self._check_judgement(judgement, lost.messages, sender)

    def write(self, chosen: tuple[Sender, str], fate: Fate) -> None:
        sender, key = chosen
        sender.write(key, fate)

    def record(self, chosen: tuple[Sender, list[str]]) -> None:
        sender, keys = chosen
        answered = [sender.answers[key] for key in keys]
        self._check_recorded(sender, answered, conflicts=sender.record(keys))

    def record_and_claim(self, chosen: tuple[Sender, list[str], list[tuple[str, str]]], is_answer_lost: bool) -> None:
        sender, keys, batch = chosen
        answered = [sender.answers[key] for key in keys]
        messages = [sender.message(key, number) for key, number in batch]
        conflicts, judgement = sender.record_and_claim(keys, messages, is_answer_lost=is_answer_lost)
        self._check_recorded(sender, answered, conflicts=conflicts)
        self._check_judgement(judgement, messages, sender)

    def _check_recorded(self, sender: Sender, answered: Sequence[Answered], *, conflicts: int) -> None:
        rows = self.read()
        explained = 0
        for item in answered:
            row, claim, target = rows[item.claim.message.foreign_id], item.claim, item.state
            if self.is_overruled(claim):
                explained += 1
                continue
            if item.outcome == STOPPED and row.run_id == sender.run.id and row.attempt > claim.attempt:
                # the COMMIT of its next attempt got no answer, and a result came before the stopping run looked
                assert row.state in FINAL, "P1: a claim was not binding"
                continue
            if row.resent_at is not None and target in OPEN:
                target = State.UNKNOWN  # the first request is still in doubt
            assert (row.attempt, row.claim_id) == (claim.attempt, claim.claim_id), "P1: a claim was not binding"
            assert row.state == target or row.state in FINAL, "P2: an answer that was read is not in the ledger"
        assert conflicts <= explained, "an answer contradicts the ledger, and nobody intervened"

    def record_once_more_after_a_commit_without_answer(self, chosen: tuple[Sender, str]) -> None:
        sender, key = chosen
        item = sender.recorded.pop(key)
        conflicts = sender.write_down([item])
        assert not conflicts or self.is_overruled(item.claim), "recording twice is a contradiction"

    def beat(self, sender: Sender) -> None:
        sender.beat()
        self._lives_until[sender.run.id] = self.world.clock.now() + SILENT_AFTER

    def stop(self, sender: Sender, is_killed: bool) -> None:
        if is_killed:
            self.senders.remove(sender)
        else:
            sender.stop()

    def end(self, sender: Sender) -> None:
        sender.end()
        assert sender.tally.states.total() == len(sender.was_read), "P2: the counts do not add up to the rows read"
        del self._lives_until[sender.run.id]
        self.senders.remove(sender)

    # the world

    def time_passes(self, by: timedelta) -> None:
        self.world.clock.advance(by)

    def results(self) -> Sequence[Take]:
        """What callbacks may still come of."""
        return self.world.witness.takes

    def webhooks(self) -> Sequence[Take]:
        """What signed webhooks may tell of: API v1 signs none."""
        return ()

    def is_overruled(self, claim: Claim) -> bool:
        """Whether the claim's send has moved on without its run."""
        return (claim.message.foreign_id, claim.claim_id) in self._overruled

    def a_callback_comes(self, take: Take, is_delivered: bool) -> None:
        callback = Callback(
            status=DeliveryStatus.SUCCESS if is_delivered else DeliveryStatus.FAILURE, phone_number=take.phone.e164
        )
        received = Received(take.foreign_id, take.attempt, callback, payload="{}")
        matches = reconcile(self.world.ledger, [received])
        assert matches[Match.UNMATCHED] == 0, "P3: a result was not matched to its send"
        assert self.read()[take.foreign_id].state in FINAL, "P3: a callback changed nothing"

    def a_person_settles(self, key: str) -> None:
        """In good faith: what the vendor says at this moment."""
        foreign_id = self._foreign_id(key)
        is_sent = self.world.witness.has_taken(foreign_id)
        settled = self.settle(self.rows[foreign_id], is_sent=is_sent)
        if settled.moved:
            self._overruled.add((foreign_id, self.rows[foreign_id].claim_id))
            if not is_sent:
                self.world.witness.see_settled_as_not_sent(foreign_id)

    def settle(self, row: Any, *, is_sent: bool) -> Settled:
        return settle_unknown(
            self.world.ledger, self.campaign, is_sent=is_sent, reason="asked the vendor", contact_keys=[row.contact_key]
        )

    def a_person_releases_what_was_rejected(self) -> None:
        release_rejected(self.world.ledger, self.campaign, reason="the brand was approved")

    # what always holds

    def check_moves(self, rows: Mapping[str, Any]) -> None:
        assert rows.keys() >= self.rows.keys(), "P2: a row is gone"
        for foreign_id, row in rows.items():
            before = self.rows.get(foreign_id)
            if before is None:
                assert (row.state, row.attempt) == (State.CLAIMED, 1), "a row began elsewhere"
            elif row.claim_id != before.claim_id:
                is_allowed = before.state == State.CLAIMED or may_move(State(before.state), State.CLAIMED)
                assert is_allowed, f"{before.state} was claimed anew"
                assert (row.state, row.attempt) == (State.CLAIMED, before.attempt + 1), "a claim is the next attempt"
            else:
                assert row.attempt == before.attempt, "an attempt without a claim"
                is_allowed = before.state == row.state or may_move(State(before.state), State(row.state))
                assert is_allowed, f"{before.state} became {row.state}"
                self.check_freed(before, row)
            assert row.owns_number == (row.state in BINDING), "a binding row owns its number, and no other"

    def check_freed(self, before: Any, row: Any) -> None:
        """On v1, no result frees what was accepted."""
        assert not (before.state in SENT and row.state in OPEN), f"{before.state} became {row.state}"

    def check_counts(self) -> None:
        now = self.world.clock.now()
        expected = Counter(self.state_seen(row, now) for row in self.rows.values())
        assert count_campaign(self.world.ledger, self.campaign) == expected, "P2: the counts are not the rows"

    def state_seen(self, row: Any, now: datetime) -> State:
        is_alive = now < self._lives_until.get(row.run_id, now)
        return State.UNKNOWN if row.state == State.CLAIMED and not is_alive else State(row.state)

    def _check_judgement(self, judgement: Judgement | None, messages: Sequence[Message], sender: Sender) -> None:
        """Every message in one list; nobody is left out who is free; a resend only where it is allowed."""
        now = self.world.clock.now()
        rows = self.read()
        for message in messages:
            before, row = self.rows.get(message.foreign_id), rows.get(message.foreign_id)
            if before and row and row.claim_id != before.claim_id and before.state in BINDING:
                assert self.state_seen(before, now) is State.UNKNOWN, "P1: a row that is not in doubt was resent"
                self._overruled.add((before.foreign_id, before.claim_id))
                self.check_resend(before, row, sender)
        if judgement is None or judgement.stop is not None:
            return
        already = {row.message.foreign_id: row.state for row in judgement.already}
        claimed = [claim.message for claim in judgement.claimed]
        duplicates = [message for message, _verdict in judgement.stopped]
        named = Counter([*already, *(message.foreign_id for message in (*claimed, *duplicates))])
        assert named == Counter(message.foreign_id for message in messages), "P2: not each message in one list"
        for foreign_id, state in already.items():
            assert state is not State.RELEASED, "a released message was not asked for"
            assert state is self.state_seen(rows[foreign_id], now), "P2: counted where it does not stand"

    def check_resend(self, before: Any, row: Any, sender: Sender) -> None:
        """A row in doubt was claimed: its run may resend, and nobody else may still write."""
        assert sender.resend_after, "P1: a binding row was claimed"
        is_due = before.claimed_at + sender.resend_after <= self.world.clock.now()
        assert is_due, "P1: resent while its owner may write"
        self.world.witness.see_resend(row.foreign_id, request_of(row))

    def _foreign_id(self, key: str) -> str:
        return self.campaign.prefix + key

    def read(self) -> dict[str, Any]:
        with self.world.ledger.reading() as connection:
            rows = connection.execute(sa.select(SENDS).where(*rows_of(self.campaign))).all()
        return {row.foreign_id: row for row in rows}
