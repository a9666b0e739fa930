"""Messages and runs of one campaign, without anyone who sends them."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.api.content import Channel, Rvm
from airflow_provider_dropcowboy.api.wire import Outcome, SendOutcome
from airflow_provider_dropcowboy.ledger.campaigns import bind_campaign
from airflow_provider_dropcowboy.ledger.claims import claim, new_claim_id
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.judgement import Claim, ClaimRules, Judgement
from airflow_provider_dropcowboy.ledger.outcomes import Answered, record
from airflow_provider_dropcowboy.ledger.runs import Run, Who, begin_run
from airflow_provider_dropcowboy.ledger.schema import HISTORY, RUNS, SENDS
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.screening.screen import Candidate, Message
from airflow_provider_dropcowboy.states import BINDING, State

ACCOUNT = "team@127.0.0.1"
PREFIX = "0123456789ab"


def message(key: str, *, number: int | None = None, text: str = "hello") -> Message:
    """The contact's message; without a number, one of its own."""
    phone = Phone(f"+1504{2_000_000 + (int(key) if number is None else number)}")
    return Message(
        foreign_id=PREFIX + _digest(key)[:36],
        contact_key=key,
        phone=phone,
        content=Rvm(brand_id="b", voice_id="v", tts_body=text),
        number_digest=_digest(phone.e164)[:32],
        content_digest=_digest(text)[:32],
    )


def messages(keys: Iterable[int]) -> list[Message]:
    return [message(str(key)) for key in keys]


def begin(ledger: Ledger, *, wanted: int = 10, name: str = "spring", prefix: str = PREFIX) -> Run:
    """A run of the campaign that lives."""
    campaign = bind_campaign(ledger, ACCOUNT, name=name, channel=Channel.RVM, prefix=prefix)
    return begin_run(ledger, campaign, who=Who(task_id="test"), wanted=wanted)


def stopped(judgement: Judgement) -> dict[str, str]:
    """The reason for each message that may not be sent, by its contact key."""
    return {asked.contact_key: verdict.reason for asked, verdict in judgement.stopped}


@dataclass(frozen=True, slots=True)
class Desk:
    """One run at work on a ledger."""

    ledger: Ledger
    run: Run

    def claim(self, *asked: Message, claim_id: str | None = None, resend_after: timedelta | None = None) -> Judgement:
        return claim(
            self.ledger,
            self.run,
            candidates=list(map(Candidate, asked)),
            claim_id=claim_id or new_claim_id(),
            rules=ClaimRules(resend_after=resend_after),
        )

    def claim_one(self, asked: Message) -> Claim:
        (only,) = self.claim(asked).claimed
        return only

    def record(self, *claims: Claim, kind: Outcome, reason: str = "") -> int:
        answered = [Answered(item, SendOutcome(kind, reason)) for item in claims]
        return record(self.ledger, self.run, answered=answered)

    def rival(self) -> "Desk":
        """Another run of the same campaign."""
        return Desk(self.ledger, begin(self.ledger))

    def row(self, asked: Message) -> sa.Row[tuple[object, ...]]:
        with self.ledger.reading() as connection:
            return connection.execute(sa.select(SENDS).where(SENDS.c.foreign_id == asked.foreign_id)).one()

    def move(self, asked: Message, state: State) -> None:
        """What a callback or a person does."""
        with self.ledger.writing() as connection:
            connection.execute(
                SENDS.update()
                .where(SENDS.c.foreign_id == asked.foreign_id)
                .values(state=state.value, owns_number=state in BINDING)
            )

    def fall_silent(self) -> None:
        """The run's process is gone; its last heartbeat was two minutes ago."""
        with self.ledger.writing() as connection:
            beat = connection.execute(sa.select(RUNS.c.heartbeat_at).where(RUNS.c.id == self.run.id)).scalar_one()
            connection.execute(
                RUNS.update().where(RUNS.c.id == self.run.id).values(heartbeat_at=beat - timedelta(minutes=2))
            )

    def history(self) -> Sequence[tuple[str, str | None, str | None]]:
        """Event, state before and after, of everything out of the ordinary."""
        with self.ledger.reading() as connection:
            rows = connection.execute(
                sa.select(HISTORY.c.event, HISTORY.c.state_before, HISTORY.c.state_after).order_by(HISTORY.c.id)
            )
            return [(row.event, row.state_before, row.state_after) for row in rows]


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger, begin(ledger))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
