"""The protocol on API v2: doubt is repeated under its key, and a result may say that nothing was sent."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import product
from typing import Any, ClassVar, Final
from uuid import uuid4

from airflow_provider_dropcowboy.api.callbacks import Callback, DeliveryStatus, Event
from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.api.v2.vendor import KEY_LASTS
from airflow_provider_dropcowboy.api.wire import Reply
from airflow_provider_dropcowboy.ledger.judgement import Claim, ClaimRules
from airflow_provider_dropcowboy.ledger.reconcile import Match, Received, reconcile
from airflow_provider_dropcowboy.states import OPEN, State, may_move
from tests.acceptance._protocol_machine import TIMES, ProtocolMachine, request_of
from tests.acceptance._protocol_sender import MovableClock, Sender, World
from tests.acceptance._protocol_vendor import FINAL, Fate, Take, Witness

MEMORY: Final = timedelta(hours=24)
"""API v2, section 3: how long the vendor knows a key."""
SENT, REJECTED, REFUSED = 0, 3033, 3007
UNRESOLVED: Final = frozenset({State.CLAIMED, State.ACCEPTED, State.UNKNOWN})
STATE_OF_CODE: Final[Mapping[int, State]] = {REJECTED: State.REJECTED, REFUSED: State.RELEASED}


@dataclass(frozen=True, slots=True)
class KeyedFate:
    """What becomes of one request, and what the vendor finds when it looks at it.

    :param code: of the result; other than ``SENT``, nothing is sent.
    """

    fate: Fate
    code: int

    @property
    def is_taken(self) -> bool:
        """Whether the request arrives, and is carried out unless its key is known."""
        return self.fate.is_taken

    @property
    def is_proof(self) -> bool:
        """Whether what comes back proves that this request was not carried out."""
        return self.fate.is_proof

    @property
    def reply(self) -> Reply:
        """What comes back."""
        return self.fate.reply


@dataclass(frozen=True, slots=True)
class Told(Take):
    """A request that was carried out, and what its result says."""

    code: int = SENT
    drop_id: str = ""


@dataclass(frozen=True, slots=True)
class _Known:
    forgotten_at: datetime
    request: tuple[str, str]


class KeyedWitness(Witness):
    """Knows the vendor's memory of keys. A request in doubt may be repeated under its key, and only under it."""

    def __init__(self, clock: MovableClock) -> None:
        super().__init__()
        self.results: list[Told] = []
        self._clock = clock
        self._keys: dict[tuple[str, int], _Known] = {}
        self._doubtful_keys: dict[str, int] = {}
        self._freed: set[tuple[str, int | None]] = set()
        self._mistaken: set[str] = set()

    def has_read(self, foreign_id: str) -> bool:
        """A request is accepted before anybody looks at it."""
        return foreign_id in self._mistaken or any(told.foreign_id == foreign_id for told in self.results)

    def see_mistaken(self, foreign_id: str) -> None:
        """A webhook about another message of the number counts as this one's: it names none."""
        self._mistaken.add(foreign_id)

    def see_resend(self, foreign_id: str, attempt: int) -> None:
        super().see_resend(foreign_id, attempt)
        self._doubtful_keys.pop(foreign_id, None)

    def see_settled_as_not_sent(self, foreign_id: str) -> None:
        super().see_settled_as_not_sent(foreign_id)
        self._doubtful_keys.pop(foreign_id, None)

    def see_freed(self, told: Told) -> None:
        """A result said that nothing was sent, so a repeat under its key is in no doubt."""
        self._freed.add((told.foreign_id, told.attempt))
        self.see_settled_as_not_sent(told.foreign_id)

    def see_request(self, claim: Claim, fate: Any) -> None:
        message, generation = claim.message, claim.key_generation
        assert generation is not None, "a request without a key"
        foreign_id, number = message.foreign_id, message.number_digest
        if fate.is_taken and not self._is_known(claim):
            told = Told(foreign_id, message.phone, number, generation, fate.code, f"drop {len(self.results)}")
            self.results.append(told)
            if fate.code == SENT:
                others = [take for take in self.takes if foreign_id == take.foreign_id or number == take.number_digest]
                assert all(self._is_resend_of(told, other) for other in others), "P1: the vendor took a message twice"
                self.takes.append(told)
        is_same_key = self._doubtful_keys.get(foreign_id, generation) == generation
        assert is_same_key or (foreign_id, generation) in self._freed, "P1: another key for a request in doubt"
        assert self._numbers_in_doubt.get(number, foreign_id) == foreign_id, "P1: asked for a number that is in doubt"
        if not fate.is_proof and (foreign_id, generation) not in self._freed:
            self._doubtful_keys[foreign_id] = generation
            self._numbers_in_doubt[number] = foreign_id

    def _is_known(self, claim: Claim) -> bool:
        assert claim.key_generation is not None
        key = (claim.message.foreign_id, claim.key_generation)
        request = (claim.message.number_digest, claim.message.content_digest)
        now = self._clock.now()
        known = self._keys.get(key)
        if known is not None and now < known.forgotten_at:
            assert known.request == request, "P1: a key was used for another request"
            return True
        self._keys[key] = _Known(now + MEMORY, request)
        return False


class KeyedSender(Sender):
    """A run on API v2."""

    key_lasts: ClassVar[timedelta] = KEY_LASTS

    @property
    def rules(self) -> ClaimRules:
        return ClaimRules(resend_after=self.resend_after, key_lasts=self.key_lasts, request_digest="v2")


class KeyedMachine(ProtocolMachine):
    """Results may free what was accepted, and stop the runs of the account."""

    sender_class = KeyedSender
    fates: ClassVar[Sequence[Any]] = [KeyedFate(*both) for both in product(Fate, (SENT, SENT, REJECTED, REFUSED))]
    times: ClassVar[Sequence[timedelta]] = (*TIMES, KEY_LASTS)

    def __init__(self, world: World) -> None:
        self.witness = KeyedWitness(world.clock)
        self._freed: set[tuple[str, int | None]] = set()
        self._happened_at: dict[Told, datetime] = {}
        super().__init__(replace(world, witness=self.witness))

    def results(self) -> Sequence[Told]:
        return self.witness.results

    def webhooks(self) -> Sequence[Told]:
        return self.witness.results

    def a_webhook_comes(self, told: Told, is_delivered: bool) -> None:
        """Before the callback, after it, or in its place; it names number and drop, and no message."""
        event = Event(
            self.campaign.account,
            str(uuid4()),
            "contact.rvm.status",
            self._happened_at.setdefault(told, self.world.clock.now()),
            Channel.RVM,
            self._result_of(told, is_delivered),
        )
        received = Received(None, None, event.result, payload="{}", event=event)
        matches = reconcile(self.world.ledger, [received])
        rows = self.read()
        moved = [row for row in rows.values() if row.state != self.rows[row.foreign_id].state]
        for row in moved:
            assert row.state in FINAL, "P1: a webhook names no message, and freed one"
            assert row.number_digest == told.number_digest, "P3: a webhook moved a message to another number"
            if row.foreign_id != told.foreign_id:
                self.witness.see_mistaken(row.foreign_id)
        assert len(moved) <= matches[Match.APPLIED], "P3: a message moved without a result"
        before = self.rows[told.foreign_id]
        rivals = [row for row in self.rows.values() if row.number_digest == told.number_digest and row is not before]
        is_last = told.attempt == request_of(before) and before.number_digest == told.number_digest
        if before.state in UNRESOLVED and is_last and not any(row.state in UNRESOLVED for row in rivals):
            assert rows[told.foreign_id].state in FINAL, "P3: a webhook changed nothing"
        assert not reconcile(self.world.ledger, [received]), "an event counted twice"

    def _result_of(self, told: Told, is_delivered: bool) -> Callback:
        code = told.code if told.code != SENT else SENT if is_delivered else 4000
        status, number = DeliveryStatus.OTHER, told.phone.e164
        return Callback(status=status, reason_code=code, phone_number=number, drop_id=told.drop_id)

    def a_callback_comes(self, take: Take, is_delivered: bool) -> None:
        assert isinstance(take, Told)
        before = self.rows[take.foreign_id]
        self._happened_at.setdefault(take, self.world.clock.now())
        callback = self._result_of(take, is_delivered)
        received = Received(take.foreign_id, take.attempt, callback, payload="{}")
        matches = reconcile(self.world.ledger, [received])
        # what was not sent may have gone to another number since
        is_due = take.code == SENT or take.number_digest == before.number_digest
        assert is_due is not bool(matches[Match.UNMATCHED]), "P3: a result was not matched to its send"
        state = self.read()[take.foreign_id].state
        # the first request of what was resent is still in doubt
        freed = State.UNKNOWN if before.resent_at is not None else STATE_OF_CODE.get(take.code)
        is_last = take.attempt == request_of(before)
        if take.code == SENT:
            assert state in FINAL, "P3: a callback changed nothing"
        elif state != before.state:
            assert (state, is_last) == (freed, True), "a result of another key"
            self._freed.add((take.foreign_id, take.attempt))
            if before.resent_at is None:
                self.witness.see_freed(take)
        else:
            may_free = is_last and freed is not None and may_move(State(before.state), freed)
            assert not may_free or before.state in FINAL, "P3: a result that frees its message changed nothing"

    def is_overruled(self, claim: Claim) -> bool:
        is_freed = (claim.message.foreign_id, claim.key_generation) in self._freed
        return is_freed or super().is_overruled(claim)

    def check_freed(self, before: Any, row: Any) -> None:
        is_freed = (row.foreign_id, request_of(row)) in self._freed
        assert is_freed or not (before.state in {State.ACCEPTED, State.EXPIRED, *FINAL} and row.state in OPEN)

    def check_resend(self, before: Any, row: Any, sender: Sender) -> None:
        if row.key_generation != before.key_generation:
            super().check_resend(before, row, sender)
