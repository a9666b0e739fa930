"""Claims: who will be asked is on disk before anyone is. This is what makes a second run safe."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.messages import Message
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import Campaign, Run, is_live, stop_reason
from airflow_provider_dropcowboy.ledger.schema import RUNS, SENDS
from airflow_provider_dropcowboy.states import OPEN, State

LEASE: Final = timedelta(minutes=15)
"""How long a claim lets its owner write, by the owner's monotonic clock from before the commit; nobody else frees it
before. One hour more passes before a person or a resend may: a written request can still sit in a queue."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write one request for one message.

    :param attempt: 1 for the first request ever; each further one has its own claim.
    :param claim_id: of the committed batch.
    """

    message: Message
    attempt: int
    claim_id: str


@dataclass(frozen=True, slots=True)
class Already:
    """A message another run asked for; nothing is asked now.

    :param state: where it stands; a claim of a dead run counts as unknown.
    """

    message: Message
    state: State
    reason: str | None


@dataclass(slots=True)
class Judgement:
    """What one batch came to. Every message of it is in one of the lists, or ``stop`` says why in none."""

    claimed: list[Claim] = field(default_factory=list)
    already: list[Already] = field(default_factory=list)
    duplicates: list[Message] = field(default_factory=list)
    stop: str | None = None


def new_claim_id() -> str:
    """A name for a batch, by which it is found again when the answer to its COMMIT was lost."""
    return secrets.token_hex(8)


def claim(ledger: Ledger, run: Run, *, messages: Sequence[Message], claim_id: str) -> Judgement:
    """Write down who will be asked, before anyone is.

    A message that was asked, by its key or by its number, is left out; one that was surely not taken is claimed anew,
    a refused one only if it asks for something else now.

    :param messages: of the run's campaign, each foreign_id once. One transaction.
    :param claim_id: from ``new_claim_id``.
    :returns: only the caller may send what is claimed, before ``LEASE`` is over.
    :raises LedgerError: whether it is on disk is not known: ask ``find_claims`` before anything else.
    """
    judgement = Judgement()
    with ledger.claiming(run.campaign.account) as connection:
        judgement.stop = stop_reason(connection, run.campaign)
        if judgement.stop is not None:
            return judgement
        at = now(connection)
        inserts, updates = [], []
        for message, row in _judge(connection, run.campaign, messages=messages, judgement=judgement, at=at):
            judgement.claimed.append(Claim(message, 1 if row is None else row.attempt + 1, claim_id))
            if row is None:
                inserts.append(_values(message, run, claim_id=claim_id, at=at) | {"attempt": 1})
            else:
                updates.append(_replacement(message, run, row, claim_id=claim_id, at=at))
        if inserts:
            connection.execute(SENDS.insert(), inserts)
        if updates:
            _replace(connection, judgement, updates=updates, claim_id=claim_id)
    return judgement


def preview(ledger: Ledger, campaign: Campaign, *, messages: Sequence[Message]) -> Judgement:
    """What ``claim`` would say now; nothing is written.

    :returns: as ``claimed``, with an empty claim id, those who would be asked; pauses are not looked at.
    """
    judgement = Judgement()
    with ledger.reading() as connection:
        free = _judge(connection, campaign, messages=messages, judgement=judgement, at=now(connection))
    judgement.claimed = [Claim(message, 1 if row is None else row.attempt + 1, "") for message, row in free]
    return judgement


def reclaim(ledger: Ledger, run: Run, *, claims: Sequence[Claim], claim_id: str) -> Judgement:
    """Claim the next attempt of messages whose last request was surely not taken, within their run.

    :returns: as ``claimed``, the claims that nobody moved meanwhile; as ``already``, those that a callback, another
        run or a person did.
    :raises LedgerError: as ``claim``.
    """
    judgement = Judgement()
    with ledger.claiming(run.campaign.account) as connection:
        judgement.stop = stop_reason(connection, run.campaign)
        if judgement.stop is not None:
            return judgement
        at = now(connection)
        connection.execute(
            _NEXT_ATTEMPT,
            [
                {
                    "b_foreign_id": claim.message.foreign_id,
                    "b_attempt": claim.attempt,
                    "b_claim_id": claim.claim_id,
                    "attempt": claim.attempt + 1,
                    "claim_id": claim_id,
                    "claimed_at": at,
                }
                for claim in claims
            ],
        )
        rows = _by_foreign_id(connection, [claim.message.foreign_id for claim in claims])
        for old in claims:
            row = rows[old.message.foreign_id]
            if row.claim_id == claim_id:
                judgement.claimed.append(Claim(old.message, old.attempt + 1, claim_id))
            else:
                judgement.already.append(Already(old.message, _state_now(row, at), row.reason))
    return judgement


def find_claims(ledger: Ledger, run: Run, *, messages: Sequence[Message], claim_id: str) -> list[Claim]:
    """What a batch claimed, after the answer to its COMMIT was lost: it is on disk whole or not at all.

    :raises LedgerError: still not known.
    """
    # under the account's lock: a COMMIT that is still under way holds it, and is over once we have it
    with ledger.claiming(run.campaign.account) as connection:
        rows = _by_foreign_id(connection, [message.foreign_id for message in messages])
    found = ((message, rows.get(message.foreign_id)) for message in messages)
    return [Claim(message, row.attempt, claim_id) for message, row in found if row and row.claim_id == claim_id]


def _judge(
    connection: sa.Connection, campaign: Campaign, *, messages: Sequence[Message], judgement: Judgement, at: datetime
) -> list[tuple[Message, Any]]:
    """The messages that may be asked for, each with its row if there is one; the others go into ``judgement``.

    The first of two new messages to one number wins; one that was asked wins over both.
    """
    known = _by_foreign_id(connection, [message.foreign_id for message in messages])
    digests = [message.number_digest for message in messages]
    rows = connection.execute(_OWNERS, {"campaign_id": campaign.id, "digests": digests})
    owners = {row.number_digest: row.foreign_id for row in rows}
    free = []
    for message in messages:
        row = known.get(message.foreign_id)
        if row is not None and not _is_free(row, message):
            judgement.already.append(Already(message, _state_now(row, at), row.reason))
        elif owners.setdefault(message.number_digest, message.foreign_id) != message.foreign_id:
            judgement.duplicates.append(message)
        else:
            free.append((message, row))
    return free


def _by_foreign_id(connection: sa.Connection, foreign_ids: Sequence[str]) -> dict[str, Any]:
    rows = connection.execute(_KNOWN, {"foreign_ids": list(foreign_ids)})
    return {row.foreign_id: row for row in rows}


def _is_free(row: Any, message: Message) -> bool:
    """Whether a row that is there may be asked again: surely not taken, and not refused for this very content."""
    if row.state not in OPEN:
        return False
    return row.state == State.RELEASED or bool(row.content_digest != message.content_digest)


def _state_now(row: Any, at: datetime) -> State:
    state = State(row.state)
    if state is State.CLAIMED and not is_live(row.ended_at, row.heartbeat_at, at=at):
        return State.UNKNOWN
    return state


def _values(message: Message, run: Run, *, claim_id: str, at: datetime) -> dict[str, object]:
    return {
        "foreign_id": message.foreign_id,
        "campaign_id": run.campaign.id,
        "contact_key": message.contact_key,
        "phone_number": message.phone.e164,
        "number_digest": message.number_digest,
        "owns_number": True,
        "content_digest": message.content_digest,
        "state": State.CLAIMED.value,
        "claim_id": claim_id,
        "run_id": run.id,
        "claimed_at": at,
    }


def _replacement(message: Message, run: Run, row: Any, *, claim_id: str, at: datetime) -> dict[str, object]:
    return _values(message, run, claim_id=claim_id, at=at) | {
        "attempt": row.attempt + 1,
        "reason": None,
        "answered_at": None,
        "b_foreign_id": row.foreign_id,
        "b_attempt": row.attempt,
        "b_claim_id": row.claim_id,
        "b_state": row.state,
    }


def _replace(
    connection: sa.Connection, judgement: Judgement, *, updates: Sequence[dict[str, object]], claim_id: str
) -> None:
    """Claim rows that are there, unless a callback or a person moved them since they were read."""
    connection.execute(_CLAIM_ANEW, updates)
    rows = _by_foreign_id(connection, [str(update["b_foreign_id"]) for update in updates])
    lost = {foreign_id: row for foreign_id, row in rows.items() if row.claim_id != claim_id}
    if lost:
        for claim in judgement.claimed:
            row = lost.get(claim.message.foreign_id)
            if row is not None:
                judgement.already.append(Already(claim.message, State(row.state), row.reason))
        judgement.claimed = [claim for claim in judgement.claimed if claim.message.foreign_id not in lost]


_KNOWN: Final = (
    sa.select(
        SENDS.c.foreign_id,
        SENDS.c.state,
        SENDS.c.reason,
        SENDS.c.attempt,
        SENDS.c.claim_id,
        SENDS.c.content_digest,
        RUNS.c.ended_at,
        RUNS.c.heartbeat_at,
    )
    .select_from(SENDS.outerjoin(RUNS, RUNS.c.id == SENDS.c.run_id))
    .where(SENDS.c.foreign_id.in_(sa.bindparam("foreign_ids", expanding=True)))
)

_OWNERS: Final = sa.select(SENDS.c.number_digest, SENDS.c.foreign_id).where(
    SENDS.c.campaign_id == sa.bindparam("campaign_id"),
    SENDS.c.number_digest.in_(sa.bindparam("digests", expanding=True)),
    SENDS.c.owns_number,
)

_IS_UNMOVED: Final = sa.and_(
    SENDS.c.foreign_id == sa.bindparam("b_foreign_id"),
    SENDS.c.attempt == sa.bindparam("b_attempt"),
    SENDS.c.claim_id == sa.bindparam("b_claim_id"),
)

_NEXT_ATTEMPT: Final = (
    SENDS.update()
    .where(_IS_UNMOVED, SENDS.c.state == State.CLAIMED.value)
    .values({name: sa.bindparam(name) for name in ("attempt", "claim_id", "claimed_at")})
)

_CLAIM_ANEW: Final = (
    SENDS.update()
    .where(_IS_UNMOVED, SENDS.c.state == sa.bindparam("b_state"))
    .values(
        {
            name: sa.bindparam(name)
            for name in (
                "contact_key", "phone_number", "number_digest", "owns_number", "content_digest", "state", "reason",
                "attempt", "claim_id", "run_id", "claimed_at", "answered_at",
            )
        }
    )
)  # fmt: skip
