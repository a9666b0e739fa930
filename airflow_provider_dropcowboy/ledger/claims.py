"""Claims: who will be asked is on disk before anyone is. This is what makes a second run safe."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.allowance import book
from airflow_provider_dropcowboy.ledger.attempts import day_of
from airflow_provider_dropcowboy.ledger.batch import as_parameter, batch
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.judgement import (
    Already,
    Claim,
    ClaimRules,
    Judgement,
    judge,
    read_facts,
)
from airflow_provider_dropcowboy.ledger.runs import Run, read_order
from airflow_provider_dropcowboy.ledger.schema import HISTORY, SENDS, may_become
from airflow_provider_dropcowboy.ledger.sends import by_foreign_id, by_its_name, state_now
from airflow_provider_dropcowboy.ledger.suppressed import suppressed_among
from airflow_provider_dropcowboy.screening.message import Message
from airflow_provider_dropcowboy.states import BINDING, State

NO_RULES: Final = ClaimRules()


def new_claim_id() -> str:
    """A name for a batch, by which it is found again when the answer to its COMMIT was lost."""
    return secrets.token_hex(8)


def claim(
    ledger: Ledger,
    run: Run,
    *,
    messages: Sequence[Message],
    claim_id: str,
    rules: ClaimRules = NO_RULES,
    met: Mapping[str, str] | None = None,
) -> Judgement:
    """Write down who will be asked, before anyone is.

    A message that was asked, by its key or by its number, is left out; one that was surely not taken is claimed anew,
    a refused one only if it asks for something else now.

    :param messages: of the run's campaign, each foreign_id once. One transaction.
    :param claim_id: from ``new_claim_id``.
    :param met: numbers of earlier messages of this run that were not sent: number digest to foreign_id.
    :returns: only the caller may send what is claimed, before ``LEASE`` is over.
    :raises LedgerError: whether it is on disk is not known: ask ``find_claims`` before anything else.
    """
    judgement = Judgement()
    with ledger.claiming(run.campaign.account) as connection:
        judgement.stop, at = read_order(connection, run.campaign, run=run)
        if judgement.stop is not None:
            return judgement
        inserts: list[Message] = []
        updates: list[dict[str, object]] = []
        facts = read_facts(connection, run.campaign, messages=messages, rules=rules, at=at)
        free = judge(run.campaign, messages=messages, facts=facts, judgement=judgement, rules=rules, met=met)
        for message, row in free:
            judgement.claimed.append(Claim(message, 1 if row is None else row.attempt + 1, claim_id))
            if row is None:
                inserts.append(message)
            else:
                updates.append(_replacement(message, run, row, claim_id=claim_id, at=at))
        if inserts:
            _insert(connection, run, messages=inserts, claim_id=claim_id, at=at)
        if updates:
            _replace(connection, judgement, updates=updates, claim_id=claim_id)
        book(connection, run.campaign.id, sends=len(judgement.claimed), price_micros=rules.price_micros)
    return judgement


def reclaim(ledger: Ledger, run: Run, *, claims: Sequence[Claim], claim_id: str) -> Judgement:
    """Claim the next attempt of messages whose last request was surely not taken, within their run.

    :returns: as ``claimed``, the claims that nobody moved meanwhile; as ``already``, those that a callback, another
        run or a person did; as ``suppressed`` and ``closed``, those whose person opted out or whose hours ended, which
        stay claimed by this run.
    :raises LedgerError: as ``claim``.
    """
    judgement = Judgement()
    with ledger.claiming(run.campaign.account) as connection:
        judgement.stop, at = read_order(connection, run.campaign, run=run)
        if judgement.stop is not None:
            return judgement
        claims = _still_allowed(connection, claims, judgement=judgement, at=at)
        if not claims:
            return judgement
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
                    "claimed_day": day_of(at),
                }
                for claim in sorted(claims, key=lambda claim: claim.message.foreign_id)  # see _replace
            ],
        )
        rows = by_foreign_id(connection, [claim.message.foreign_id for claim in claims])
        for old in claims:
            row = rows[old.message.foreign_id]
            if row.claim_id == claim_id:
                judgement.claimed.append(Claim(old.message, old.attempt + 1, claim_id))
            else:
                judgement.already.append(Already(old.message, state_now(row, at), row.reason, row.run_id))
    return judgement


def _still_allowed(
    connection: sa.Connection, claims: Sequence[Claim], *, judgement: Judgement, at: datetime
) -> list[Claim]:
    suppressed = suppressed_among(connection, [claim.message.number_digest for claim in claims])
    allowed: list[Claim] = []
    for claim in claims:
        message = claim.message
        if message.number_digest in suppressed:
            judgement.suppressed.append(message)
        elif message.closes_at is not None and at >= message.closes_at:
            judgement.closed.append(message)
        else:
            allowed.append(claim)
    return allowed


def find_claims(ledger: Ledger, run: Run, *, messages: Sequence[Message], claim_id: str) -> list[Claim]:
    """What a batch claimed, after the answer to its COMMIT was lost: it is on disk whole or not at all.

    :raises LedgerError: still not known.
    """
    # under the account's lock: a COMMIT that is still under way holds it, and is over once we have it
    with ledger.claiming(run.campaign.account) as connection:
        rows = by_foreign_id(
            connection, [name for message in messages for name in (message.foreign_id, *message.earlier_ids)]
        )
    found = (by_its_name(message, rows) for message in messages)
    return [
        Claim(message, row.attempt, claim_id)
        for message, row in found
        # one that a callback settled meanwhile keeps its claim's name, and is not to be asked
        if row and (row.claim_id, row.state) == (claim_id, State.CLAIMED)
    ]


def _insert(connection: sa.Connection, run: Run, *, messages: Sequence[Message], claim_id: str, at: datetime) -> None:
    rows = as_parameter(
        (
            message.foreign_id,
            message.contact_key,
            message.phone.e164,
            message.number_digest,
            message.content_digest,
            message.rule,
        )
        for message in messages
    )
    same: dict[str, object] = {"campaign_id": run.campaign.id, "claim_id": claim_id, "run_id": run.id}
    same |= {"claimed_at": at, "claimed_day": day_of(at)}
    connection.execute(_first_claims(connection.dialect.name), {"rows": rows, **same})


def _replacement(message: Message, run: Run, row: Any, *, claim_id: str, at: datetime) -> dict[str, object]:
    return {
        "contact_key": message.contact_key,
        "phone_number": message.phone.e164,
        "number_digest": message.number_digest,
        "owns_number": True,
        "content_digest": message.content_digest,
        "state": State.CLAIMED.value,
        "reason": None,
        "attempt": row.attempt + 1,
        "claim_id": claim_id,
        "run_id": run.id,
        "claimed_at": at,
        "claimed_day": day_of(at),
        "rule": message.rule,
        "answered_at": None,
        "resent_at": at if row.state in BINDING else None,  # an open row is in no doubt from an earlier request
        "b_foreign_id": row.foreign_id,
        "b_attempt": row.attempt,
        "b_claim_id": row.claim_id,
        "b_state": row.state,
    }


def _replace(
    connection: sa.Connection, judgement: Judgement, *, updates: Sequence[dict[str, object]], claim_id: str
) -> None:
    """Claim rows that are there, unless a callback or a person moved them since they were read."""
    # sorted: two writers that lock the same rows in the same order do not deadlock
    connection.execute(_CLAIM_ANEW, sorted(updates, key=lambda update: str(update["b_foreign_id"])))
    rows = by_foreign_id(connection, [str(update["b_foreign_id"]) for update in updates])
    updated = {update["b_foreign_id"] for update in updates}
    lost = updated - {foreign_id for foreign_id, row in rows.items() if row.claim_id == claim_id}
    if lost:
        for claim in judgement.claimed:
            if claim.message.foreign_id in lost:
                row = rows[claim.message.foreign_id]
                judgement.already.append(Already(claim.message, State(row.state), row.reason, row.run_id))
        judgement.claimed = [claim for claim in judgement.claimed if claim.message.foreign_id not in lost]
    is_resent = [update for update in updates if update["b_state"] in BINDING and update["b_foreign_id"] not in lost]
    if is_resent:
        connection.execute(HISTORY.insert(), [_resent(update) for update in is_resent])


def _resent(update: Mapping[str, object]) -> dict[str, object]:
    return {
        "foreign_id": update["b_foreign_id"],
        "at": update["claimed_at"],
        "event": "resent",
        "state_before": update["b_state"],
        "state_after": State.CLAIMED.value,
        "attempt": update["attempt"],
        "run_id": update["run_id"],
        "reason": "in doubt for longer than resend_after",
    }


@cache
def _first_claims(dialect: str) -> sa.Insert:
    new = batch(
        dialect,
        ("foreign_id", "text"),
        ("contact_key", "text"),
        ("phone_number", "text"),
        ("number_digest", "text"),
        ("content_digest", "text"),
        ("rule", "text"),
    )
    same = {
        "campaign_id": sa.bindparam("campaign_id", type_=sa.Integer()),
        "owns_number": sa.true(),
        "state": sa.literal_column(f"'{State.CLAIMED.value}'"),
        "attempt": sa.literal_column("1"),
        "claim_id": sa.bindparam("claim_id", type_=sa.String()),
        "run_id": sa.bindparam("run_id", type_=sa.Integer()),
        "claimed_at": sa.bindparam("claimed_at", type_=SENDS.c.claimed_at.type),
        "claimed_day": sa.bindparam("claimed_day", type_=sa.Integer()),
    }
    return SENDS.insert().from_select([*new.c.keys(), *same], sa.select(*new.c, *same.values()))


_IS_UNMOVED: Final = sa.and_(
    SENDS.c.foreign_id == sa.bindparam("b_foreign_id"),
    SENDS.c.attempt == sa.bindparam("b_attempt"),
    SENDS.c.claim_id == sa.bindparam("b_claim_id"),
)

_NEXT_ATTEMPT: Final = (
    SENDS.update()
    .where(_IS_UNMOVED, SENDS.c.state == State.CLAIMED.value, may_become(State.CLAIMED))
    .values({name: sa.bindparam(name) for name in ("attempt", "claim_id", "claimed_at", "claimed_day")})
)

_CLAIM_ANEW: Final = (
    SENDS.update()
    .where(_IS_UNMOVED, SENDS.c.state == sa.bindparam("b_state"), may_become(State.CLAIMED))
    .values(
        {
            name: sa.bindparam(name)
            for name in (
                "contact_key", "phone_number", "number_digest", "owns_number", "content_digest", "state", "reason",
                "attempt", "claim_id", "run_id", "claimed_at", "claimed_day", "rule", "answered_at",
                "resent_at",
            )
        }
    )
)  # fmt: skip
