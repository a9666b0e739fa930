"""The writes of claims and of callbacks, as SQL; each is built once for a database."""

from dataclasses import dataclass
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.callbacks import Callback, Reading
from airflow_provider_dropcowboy.api.versions import DEFAULT, KEYED
from airflow_provider_dropcowboy.ledger.batch import batch, insert_batch, is_among
from airflow_provider_dropcowboy.ledger.digest import number_digest
from airflow_provider_dropcowboy.ledger.schema import CALLBACKS, SENDS, may_become
from airflow_provider_dropcowboy.phone import Phone, PhoneError
from airflow_provider_dropcowboy.states import State


@cache
def first_claims(dialect: str) -> sa.Insert:
    new = ("foreign_id", "contact_key", "phone_number", "number_digest", "content_digest", "rule")
    same = ("campaign_id", "owns_number", "state", "attempt", "claim_id", "run_id", "claimed_at", "claimed_day")
    return insert_batch(SENDS, dialect, new, same=(*same, "key_generation", "keyed_at", "request_digest"))


_IS_UNMOVED: Final = sa.and_(
    SENDS.c.foreign_id == sa.bindparam("b_foreign_id"),
    SENDS.c.attempt == sa.bindparam("b_attempt"),
    SENDS.c.claim_id == sa.bindparam("b_claim_id"),
)

_IS_KEY_KNOWN: Final = sa.or_(
    SENDS.c.keyed_at.is_(None), SENDS.c.keyed_at > sa.bindparam("b_keyed_after", type_=SENDS.c.keyed_at.type)
)
"""The vendor still knows the request's key, or it has none: a machine may sleep for days between two requests."""

NEXT_ATTEMPT: Final = (
    SENDS.update()
    .where(_IS_UNMOVED, _IS_KEY_KNOWN, SENDS.c.state == State.CLAIMED.value, may_become(State.CLAIMED))
    .values({name: sa.bindparam(name) for name in ("attempt", "claim_id", "claimed_at", "claimed_day")})
)

CLAIM_ANEW: Final = (
    SENDS.update()
    .where(_IS_UNMOVED, SENDS.c.state == sa.bindparam("b_state"), may_become(State.CLAIMED))
    .values(
        {
            name: sa.bindparam(name)
            for name in (
                "contact_key", "phone_number", "number_digest", "owns_number", "content_digest", "state", "reason",
                "attempt", "claim_id", "run_id", "claimed_at", "claimed_day", "rule", "answered_at",
                "final_at", "resent_at", "key_generation", "keyed_at", "request_digest",
            )
        }
    )
)  # fmt: skip


@cache
def keep_callbacks(dialect: str) -> sa.Insert:
    kept = ("foreign_id", "attempt", "is_verified", "status", "match", "payload")
    return insert_batch(CALLBACKS, dialect, kept, same=["received_at"])


@cache
def finals(dialect: str) -> sa.Update:
    columns = ("state", "reason", "drop_id", "cost_micros", "network")
    final = batch(SENDS, dialect, "foreign_id", *columns).c
    return (
        SENDS.update()
        .where(SENDS.c.foreign_id == final.foreign_id, may_become(State.DELIVERED))  # failed has the same sources
        .values(
            {name: final[name] for name in columns}
            | {"final_at": sa.bindparam("final_at", type_=SENDS.c.final_at.type)}
        )
    )


@cache
def locked_sends(dialect: str) -> sa.Select[Any]:
    return (
        sa.select(
            SENDS.c.foreign_id,
            SENDS.c.campaign_id,
            SENDS.c.state,
            SENDS.c.number_digest,
            SENDS.c.phone_number,
            SENDS.c.drop_id,
            SENDS.c.attempt,
            SENDS.c.run_id,
            SENDS.c.key_generation,
            SENDS.c.keyed_at,
            SENDS.c.resent_at,
            # the database's clock, without a round trip of its own
            (sa.func.clock_timestamp() if dialect == "postgresql" else sa.null()).label("at"),
        )
        .where(is_among(SENDS.c.foreign_id, dialect, parameter="foreign_ids"))
        .order_by(SENDS.c.foreign_id)
        .with_for_update()
    )


@dataclass(slots=True)
class LockedSend:
    """A send as this transaction sees it."""

    foreign_id: str
    campaign_id: int
    state: State
    number_digest: str
    phone_number: str | None
    drop_id: str | None
    attempt: int
    run_id: int
    key_generation: int | None
    is_resent: bool

    @classmethod
    def of(cls, row: Any) -> "LockedSend":
        # by place: names cost a tenth of a callback
        name, campaign, state, number, phone, drop_id, attempt, run_id, generation, keyed_at, resent_at, _clock = row
        key_generation = None if keyed_at is None else generation
        is_resent = resent_at is not None
        return cls(name, campaign, State(state), number, phone, drop_id, attempt, run_id, key_generation, is_resent)

    def read(self, callback: Callback) -> Reading | None:
        """What a callback means, in the version of the API that it was sent by."""
        return (DEFAULT if self.key_generation is None else KEYED).read_result(callback)

    def is_named_by(self, callback: Callback, key: bytes, *, is_verified: bool) -> bool:
        """Whether a callback names the send's own number; one without a token must.

        :param key: of the ledger.
        """
        if callback.phone_number is None:
            return is_verified
        if number_digest(key, Phone(callback.phone_number)) == self.number_digest:
            return True
        try:  # written another way: without the +, say
            phone = Phone.parse(callback.phone_number, region="US")
        except PhoneError:
            return False
        return number_digest(key, phone) == self.number_digest

    @property
    def request(self) -> int:
        """Which request was the last one, as a callback's token counts them: a repeated one keeps its token."""
        return self.attempt if self.key_generation is None else self.key_generation
