"""What a claim would say of each message, from what the ledger holds of it; nothing is written here."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.messages import Message
from airflow_provider_dropcowboy.ledger.batch import is_among, names
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
    """A message that was asked for; nothing is asked now.

    :param state: where it stands; a claim of a dead run counts as unknown.
    :param run_id: which run claimed it last.
    """

    message: Message
    state: State
    reason: str | None
    run_id: int


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
    dialect = connection.dialect.name
    digests = names([message.number_digest for message in messages], dialect)
    rows = connection.execute(_owners(dialect), {"campaign_id": campaign.id, "digests": digests})
    owners = {row.number_digest: row.foreign_id for row in rows}
    free = []
    for message in messages:
        row = known.get(message.foreign_id)
        if row is not None and not _is_free(row, message, rules):
            judgement.already.append(Already(message, state_now(row, rules.at), row.reason, row.run_id))
        elif owners.setdefault(message.number_digest, message.foreign_id) != message.foreign_id:
            judgement.duplicates.append(message)
        else:
            free.append((message, row))
    return free


def by_foreign_id(connection: sa.Connection, foreign_ids: Sequence[str]) -> dict[str, Any]:
    dialect = connection.dialect.name
    rows = connection.execute(_known(dialect), {"foreign_ids": names(foreign_ids, dialect)})
    return {row.foreign_id: row for row in rows}


def _is_free(row: Any, message: Message, rules: Rules) -> bool:
    """Whether a row that is there may be asked again: surely not taken, and not refused for this very content."""
    match state_now(row, rules.at):
        case State.RELEASED:
            return True
        case State.REJECTED:
            asked = (row.content_digest, row.number_digest)
            return asked != (message.content_digest, message.number_digest)
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


@cache
def _known(dialect: str) -> sa.Select[Any]:
    return (
        sa.select(
            SENDS.c.foreign_id,
            SENDS.c.state,
            SENDS.c.reason,
            SENDS.c.attempt,
            SENDS.c.claim_id,
            SENDS.c.content_digest,
            SENDS.c.number_digest,
            SENDS.c.run_id,
            SENDS.c.claimed_at,
            SENDS.c.resent_at,
            RUNS.c.ended_at,
            RUNS.c.heartbeat_at,
        )
        .select_from(SENDS.outerjoin(RUNS, RUNS.c.id == SENDS.c.run_id))
        .where(is_among(SENDS.c.foreign_id, dialect, parameter="foreign_ids"))
    )


@cache
def _owners(dialect: str) -> sa.Select[Any]:
    return sa.select(SENDS.c.number_digest, SENDS.c.foreign_id).where(
        SENDS.c.campaign_id == sa.bindparam("campaign_id"),
        is_among(SENDS.c.number_digest, dialect, parameter="digests"),
        SENDS.c.owns_number,
    )
