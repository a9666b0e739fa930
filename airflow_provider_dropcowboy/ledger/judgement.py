"""What a claim would say of each message, from what the ledger holds of it; nothing is written here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.messages import Message
from airflow_provider_dropcowboy.ledger.runs import Campaign, is_live
from airflow_provider_dropcowboy.ledger.schema import RUNS, SENDS
from airflow_provider_dropcowboy.states import State


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


@dataclass(frozen=True, slots=True)
class Rules:
    """By which rows that are there are judged."""

    at: datetime
    resend_after: timedelta | None


def judge(
    connection: sa.Connection, campaign: Campaign, *, messages: Sequence[Message], judgement: Judgement, rules: Rules
) -> list[tuple[Message, Any]]:
    """The messages that may be asked for, each with its row if there is one; the others go into ``judgement``.

    The first of two new messages to one number wins; one that was asked wins over both.
    """
    known = by_foreign_id(connection, [message.foreign_id for message in messages])
    digests = [message.number_digest for message in messages]
    rows = connection.execute(_OWNERS, {"campaign_id": campaign.id, "digests": digests})
    owners = {row.number_digest: row.foreign_id for row in rows}
    free = []
    for message in messages:
        row = known.get(message.foreign_id)
        if row is not None and not _is_free(row, message, rules):
            judgement.already.append(Already(message, state_now(row, rules.at), row.reason))
        elif owners.setdefault(message.number_digest, message.foreign_id) != message.foreign_id:
            judgement.duplicates.append(message)
        else:
            free.append((message, row))
    return free


def by_foreign_id(connection: sa.Connection, foreign_ids: Sequence[str]) -> dict[str, Any]:
    rows = connection.execute(_KNOWN, {"foreign_ids": list(foreign_ids)})
    return {row.foreign_id: row for row in rows}


def _is_free(row: Any, message: Message, rules: Rules) -> bool:
    """Whether a row that is there may be asked again: surely not taken, and not refused for this very content."""
    match state_now(row, rules.at):
        case State.RELEASED:
            return True
        case State.REJECTED:
            return bool(row.content_digest != message.content_digest)
        case State.UNKNOWN:
            after = rules.resend_after
            return after is not None and row.resent_at is None and row.claimed_at + after <= rules.at
        case _:
            return False


def state_now(row: Any, at: datetime) -> State:
    state = State(row.state)
    if state is State.CLAIMED and not is_live(row.ended_at, row.heartbeat_at, at=at):
        return State.UNKNOWN
    return state


_KNOWN: Final = (
    sa.select(
        SENDS.c.foreign_id,
        SENDS.c.state,
        SENDS.c.reason,
        SENDS.c.attempt,
        SENDS.c.claim_id,
        SENDS.c.content_digest,
        SENDS.c.claimed_at,
        SENDS.c.resent_at,
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
