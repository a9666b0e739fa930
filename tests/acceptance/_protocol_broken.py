"""The protocol with one rule switched off at a time: what the search must find."""

from collections.abc import Sequence
from typing import Any, ClassVar

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.wire import Answer, Outcome, Reply, SendOutcome
from airflow_provider_dropcowboy.campaign.shared import Ask
from airflow_provider_dropcowboy.errors import BalanceError
from airflow_provider_dropcowboy.ledger.outcomes import STATE_OF, Answered
from airflow_provider_dropcowboy.ledger.runs import SILENT_AFTER
from airflow_provider_dropcowboy.ledger.schema import RUNS, SENDS
from airflow_provider_dropcowboy.ledger.settling import Settled
from airflow_provider_dropcowboy.states import BINDING, DOUBT_LASTS, State
from tests.acceptance._protocol_keyed import MEMORY, SENT, KeyedFate, KeyedMachine, KeyedSender
from tests.acceptance._protocol_machine import CONTACTS, ProtocolMachine
from tests.acceptance._protocol_sender import Sender
from tests.acceptance._protocol_vendor import Fate


class BrokenMachine(ProtocolMachine):
    """Goes on after each failure but one, so that it is that one which is shown: two voicemails, or a lost result."""

    contacts: ClassVar[Sequence[tuple[str, str]]] = CONTACTS[:1]
    fates: ClassVar[Sequence[Fate]] = (Fate.ACCEPTED, Fate.LIMITED, Fate.UNAVAILABLE_THOUGH_TAKEN)
    failure: ClassVar[str] = "P1: the vendor took a message twice"

    def do(self, name: str, *arguments: Any) -> None:
        try:
            super().do(name, *arguments)
        except (AssertionError, BalanceError) as error:
            if self.failure in str(error):
                raise
            self.rows = self.read()


class _ReleasesAtOnce(Sender):
    def keep_for_later(self, ask: Ask, outcome: SendOutcome) -> None:
        self.write_down([Answered(ask.claim, outcome)])
        self.to_write[ask.claim.message.contact_key] = ask


class ReleasedIsNotTheLastAct(BrokenMachine):
    """Variant 1: a 429 is recorded as released, and asked again by the claim that is there."""

    sender_class = _ReleasesAtOnce


class _RecordsFromClaimedAlone(Sender):
    def write_down(self, answered: Sequence[Answered]) -> int:
        with self.world.ledger.writing() as connection:
            for item in answered:
                state = STATE_OF[item.outcome.kind]
                connection.execute(
                    SENDS.update()
                    .where(
                        SENDS.c.foreign_id == item.claim.message.foreign_id,
                        SENDS.c.claim_id == item.claim.claim_id,
                        SENDS.c.state == State.CLAIMED,
                    )
                    .values(state=state, owns_number=state in BINDING)
                )
        return 0


class NextRunRewritesClaims(BrokenMachine):
    """Variant 3: a run moves silent runs' claims to unknown, and outcomes count from claimed alone."""

    sender_class = _RecordsFromClaimedAlone
    failure = "P2: an answer that was read is not in the ledger"

    def begin(self, *arguments: Any) -> None:
        super().begin(*arguments)
        silent = sa.select(RUNS.c.id).where(RUNS.c.heartbeat_at <= self.world.clock.now() - SILENT_AFTER)
        with self.world.ledger.writing() as connection:
            connection.execute(
                SENDS.update()
                .where(SENDS.c.state == State.CLAIMED, SENDS.c.run_id.in_(silent))
                .values(state=State.UNKNOWN)
            )


class SettledAtAnyTime(BrokenMachine):
    """Variant 5: a person may settle as soon as the owner is silent, whether its lease is over or not."""

    times = (SILENT_AFTER,)

    def settle(self, row: Any, *, is_sent: bool) -> Settled:
        state = State.ACCEPTED if is_sent else State.RELEASED
        if self.state_seen(row, self.world.clock.now()) is not State.UNKNOWN:
            return Settled(moved=0, too_young=0)
        with self.world.ledger.writing() as connection:
            connection.execute(
                SENDS.update().where(SENDS.c.foreign_id == row.foreign_id).values(state=state, owns_number=is_sent)
            )
        return Settled(moved=1, too_young=0)


class _WritesAfterItsLease(Sender):
    def may_write(self, ask: Ask) -> bool:
        return True


class NoLease(BrokenMachine):
    """Variant 6: a person may settle only late, but the owner writes whenever it wakes up."""

    sender_class = _WritesAfterItsLease
    times = (DOUBT_LASTS,)


class _TrustsRetryAfter(Sender):
    def read_answer(self, reply: Reply) -> SendOutcome:
        if isinstance(reply, Answer) and reply.status == 503 and reply.retry_after:
            return SendOutcome(Outcome.RELEASED, "HTTP 503")
        return super().read_answer(reply)


class RetryAfterIsProof(BrokenMachine):
    """Variant 9: a 503 with Retry-After is read as not taken."""

    sender_class = _TrustsRetryAfter


class _KeysForTooLong(KeyedSender):
    key_lasts = 2 * MEMORY


class KeysOutliveTheMemory(BrokenMachine, KeyedMachine):
    """On API v2, what is in doubt is repeated under a key that the vendor has forgotten."""

    sender_class = _KeysForTooLong
    fates: ClassVar[Sequence[Any]] = tuple(KeyedFate(fate, SENT) for fate in BrokenMachine.fates)
    times = (SILENT_AFTER, MEMORY)
