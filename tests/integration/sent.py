"""A campaign that was sent, with results as a test wants them, and without a vendor."""

import json
from collections.abc import Iterable
from datetime import timedelta

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.callbacks import read_callback
from airflow_provider_dropcowboy.api.content import Channel, Rvm
from airflow_provider_dropcowboy.api.wire import Outcome, SendOutcome
from airflow_provider_dropcowboy.campaign.messages import Identity
from airflow_provider_dropcowboy.ledger.campaigns import Campaign, bind_campaign
from airflow_provider_dropcowboy.ledger.claims import claim, new_claim_id
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.outcomes import Answered, record
from airflow_provider_dropcowboy.ledger.reconcile import Match, Received, reconcile
from airflow_provider_dropcowboy.ledger.runs import Who, begin_run, end_run
from airflow_provider_dropcowboy.ledger.schema import CALLBACKS, HISTORY, RUNS, SENDS
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.screening.screen import Candidate, Message

ACCOUNT = "team@127.0.0.1"


def phone(key: int) -> Phone:
    """The number of the contact with this key."""
    return Phone(f"+1504{2_000_000 + key}")


class Sent:
    """A campaign of one run that lives until ``end``; contacts are whole numbers."""

    def __init__(
        self, ledger: Ledger, name: str = "spring", *, channel: Channel = Channel.RVM, account: str = ACCOUNT
    ) -> None:
        self.ledger = ledger
        self.identity = Identity(ledger.key, account, name, channel)
        self.campaign: Campaign = bind_campaign(
            ledger, account, name=name, channel=channel, prefix=self.identity.prefix
        )
        who = Who(dag_id="daily", task_id="send", run_id="scheduled__1", try_number=2, map_index=-1)
        self.run = begin_run(ledger, self.campaign, who=who, wanted=10)

    def foreign_id(self, key: int) -> str:
        """The name of the contact's message."""
        return self.identity.foreign_id(str(key))

    def message(self, key: int) -> Message:
        return Message(
            foreign_id=self.foreign_id(key),
            contact_key=str(key),
            phone=phone(key),
            content=Rvm(brand_id="b", recording_id="r"),
            number_digest=self.identity.number_digest(phone(key)),
            content_digest=self.identity.content_digest(b"r", text=None, postal_code=None),
        )

    def claim(self, *keys: int) -> list[Answered]:
        """Their messages are claimed; recorded, each is accepted."""
        candidates = [Candidate(self.message(key)) for key in keys]
        judgement = claim(self.ledger, self.run, candidates=candidates, claim_id=new_claim_id())
        return [Answered(item, SendOutcome(Outcome.ACCEPTED, "")) for item in judgement.claimed]

    def ask(self, keys: Iterable[int], *, outcome: Outcome = Outcome.ACCEPTED, reason: str = "") -> None:
        """Their messages are claimed and answered."""
        answered = [Answered(item.claim, SendOutcome(outcome, reason)) for item in self.claim(*keys)]
        record(self.ledger, self.run, answered=answered)

    def end(self) -> "Sent":
        """The run is over."""
        end_run(self.ledger, self.run, counts={}, reason=None)
        return self

    def tell(self, *keys: int, status: str = "success", **fields: object) -> list[Match]:
        """The vendor's result of each comes in by a signed URL."""
        return [self._tell(key, {"status": status, "phone_number": phone(key).e164, **fields}) for key in keys]

    def _tell(self, key: int, content: dict[str, object]) -> Match:
        payload = json.dumps({"foreign_id": self.foreign_id(key), "drop_id": f"d{key}", **content})
        received = Received(self.foreign_id(key), 1, read_callback(payload.encode()), payload)
        (match,) = reconcile(self.ledger, [received])
        return match


def by(sent: Sent, **who: object) -> Sent:
    """Its run is another one's."""
    with sent.ledger.writing() as connection:
        connection.execute(RUNS.update().where(RUNS.c.id == sent.run.id).values(**who))
    return sent


def age(ledger: Ledger, by: timedelta) -> None:
    """Everything in the ledger happened so much earlier."""
    instants = {
        SENDS: ("claimed_at", "answered_at", "final_at", "keyed_at"),
        CALLBACKS: ("received_at",),
        HISTORY: ("at",),
        RUNS: ("started_at", "heartbeat_at", "ended_at"),
    }
    with ledger.writing() as connection:
        for table, names in instants.items():
            (key,) = table.primary_key.columns
            for row in connection.execute(sa.select(table)).mappings().all():
                earlier = {name: row[name] - by for name in names if row[name] is not None}
                connection.execute(table.update().where(key == row[key.name]).values(earlier))
