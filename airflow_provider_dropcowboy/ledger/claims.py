"""Claims: who will be contacted is on disk before anyone is. This is what makes a second run safe."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.batch import as_parameter
from airflow_provider_dropcowboy.ledger.campaigns import book
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.embedded import LOCK_TIMEOUT_S
from airflow_provider_dropcowboy.ledger.judgement import (
    NO_RULES,
    Already,
    Claim,
    ClaimRules,
    Judgement,
    by_name,
    may_repeat,
    read_records,
    sort_out,
)
from airflow_provider_dropcowboy.ledger.limits import read_order
from airflow_provider_dropcowboy.ledger.outcomes import Answered, write_outcomes
from airflow_provider_dropcowboy.ledger.runs import Run
from airflow_provider_dropcowboy.ledger.schema import HISTORY
from airflow_provider_dropcowboy.ledger.sends import by_foreign_id, day_of, state_now
from airflow_provider_dropcowboy.ledger.statements import CLAIM_ANEW, NEXT_ATTEMPT, first_claims
from airflow_provider_dropcowboy.ledger.suppressions import suppressed_among
from airflow_provider_dropcowboy.screening.screen import Candidate, Facts
from airflow_provider_dropcowboy.states import BINDING, State

JOINT_WAIT_S: Final = 1
"""Answers wait no longer than this for the account's lock. They need it only to share the commit of claims."""


def new_claim_id() -> str:
    """A name for a batch, by which it is found again when the answer to its COMMIT was lost."""
    return secrets.token_hex(8)


def claim(
    ledger: Ledger,
    run: Run,
    *,
    candidates: Sequence[Candidate],
    claim_id: str,
    rules: ClaimRules = NO_RULES,
    met: Mapping[str, str] | None = None,
) -> Judgement:
    """Write down who will be contacted, before anyone is.

    A message that was sent, by its key or by its number, is left out. A message that was not accepted is claimed anew;
    a refused message only if it is another request now.

    :param candidates: messages of the run's campaign, each foreign_id once. One transaction.
    :param claim_id: from ``new_claim_id``.
    :param met: numbers of earlier messages of this run that were not sent: number digest to foreign_id.
    :returns: only the caller may send what is claimed, before ``LEASE`` is over.
    :raises LedgerError: whether it is on disk is not known: ask ``find_claims`` before anything else.
    """
    with ledger.claiming(run.campaign.account) as connection:
        return _claim(connection, run, candidates=candidates, claim_id=claim_id, rules=rules, met=met or {})


def record_and_claim(
    ledger: Ledger,
    run: Run,
    *,
    answered: Sequence[Answered],
    candidates: Sequence[Candidate],
    claim_id: str,
    rules: ClaimRules,
    met: Mapping[str, str],
) -> tuple[int, Judgement]:
    """``record``, then ``claim``, in one transaction: both are on disk, or neither is.

    :raises LedgerError: not known whether they are on disk. Record the answers first; then claim, as after ``claim``.
    """
    with ledger.claiming(run.campaign.account, wait_s=JOINT_WAIT_S) as connection:
        conflicts = write_outcomes(connection, run, answered=answered)
        return conflicts, _claim(connection, run, candidates=candidates, claim_id=claim_id, rules=rules, met=met)


def reclaim(
    ledger: Ledger, run: Run, *, claims: Sequence[Claim], claim_id: str, rules: ClaimRules = NO_RULES
) -> Judgement:
    """Claim the next attempt of messages whose last request was not accepted, within their run.

    :param rules: those of the run's claims.
    :returns: as ``claimed``, the claims that nobody moved meanwhile; as ``already``, those that a callback, another
        run or a person did; as ``stopped``, those whose person opted out or whose hours ended, which stay claimed by
        this run. In none of them: those whose idempotency key the vendor may have forgotten, which stay claimed too.
    :raises LedgerError: as ``claim``.
    """
    judgement = Judgement()
    with ledger.claiming(run.campaign.account) as connection:
        judgement.stop, at = read_order(connection, run.campaign, run=run)
        if judgement.stop is not None:
            return judgement
        numbers = [claim.message.number_digest for claim in claims]
        facts = Facts(at=at, suppressed=suppressed_among(connection, numbers))
        verdicts = [(claim, claim.screen(facts)) for claim in claims]
        judgement.stopped += [(claim.message, verdict) for claim, verdict in verdicts if verdict is not None]
        claims = [claim for claim, verdict in verdicts if verdict is None]
        if not claims:
            return judgement
        keyed_after = None if rules.key_lasts is None else at - rules.key_lasts
        connection.execute(
            NEXT_ATTEMPT,
            [
                {
                    "b_foreign_id": claim.message.foreign_id,
                    "b_attempt": claim.attempt,
                    "b_claim_id": claim.claim_id,
                    "b_keyed_after": keyed_after,
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
                judgement.claimed.append(replace(old, attempt=old.attempt + 1, claim_id=claim_id))
            elif (row.claim_id, row.state) != (old.claim_id, State.CLAIMED):
                judgement.already.append(Already(old.message, state_now(row, at), row.reason, row.run_id))
    return judgement


def find_claims(
    ledger: Ledger, run: Run, *, candidates: Sequence[Candidate], claim_id: str, wait_s: int = LOCK_TIMEOUT_S
) -> list[Claim]:
    """What a batch claimed, after the answer to its COMMIT was lost: it is on disk whole or not at all.

    :param wait_s: for the account's lock, on PostgreSQL.
    :raises LedgerError: still not known.
    """
    # under the account's lock: a COMMIT that is still under way holds it, and is over once we have it
    with ledger.claiming(run.campaign.account, wait_s=wait_s) as connection:
        names = [name for each in candidates for name in (each.message.foreign_id, *each.message.earlier_ids)]
        rows = by_foreign_id(connection, names)
    found = (by_name(candidate, rows) for candidate in candidates)
    return [
        Claim(
            candidate,
            row.attempt,
            claim_id,
            key_generation=None if row.keyed_at is None else row.key_generation,
            # an earlier request may have gone out under its key: no clock tells, since it may stand still or be set
            is_doubtful=row.keyed_at is not None and row.attempt > 1,
            is_resend=row.resent_at is not None,
        )
        for candidate, row in found
        # a row that a callback settled meanwhile keeps its claim's name, and is not to be sent
        if row and (row.claim_id, row.state) == (claim_id, State.CLAIMED)
    ]


def _claim(
    connection: sa.Connection,
    run: Run,
    *,
    candidates: Sequence[Candidate],
    claim_id: str,
    rules: ClaimRules,
    met: Mapping[str, str],
) -> Judgement:
    judgement = Judgement()
    judgement.stop, at = read_order(connection, run.campaign, run=run)
    if judgement.stop is not None:
        return judgement
    inserts: list[Candidate] = []
    updates: list[dict[str, object]] = []
    records = read_records(connection, run.campaign, candidates=candidates, rules=rules, met=met, at=at)
    for candidate, row in sort_out(candidates, records=records, rules=rules, judgement=judgement):
        new = _claim_of(candidate, row, claim_id=claim_id, rules=rules, at=at)
        judgement.claimed.append(new)
        if row is None:
            inserts.append(candidate)
        else:
            updates.append(_replacement(new, run, row, rule=candidate.rule, rules=rules, at=at))
    if inserts:
        _insert(connection, run, candidates=inserts, claim_id=claim_id, rules=rules, at=at)
    if updates:
        _replace(connection, judgement, updates=updates, claim_id=claim_id)
    book(
        connection,
        run.campaign.id,
        sends=sum(not new.is_doubtful for new in judgement.claimed),
        price_micros=rules.price_micros,
    )
    return judgement


def _claim_of(candidate: Candidate, row: Any, *, claim_id: str, rules: ClaimRules, at: datetime) -> Claim:
    """The next claim of a message. Its key is another one than before, unless the same request is repeated."""
    attempt = 1 if row is None else row.attempt + 1
    is_repeat = row is not None and may_repeat(row, candidate.message, rules, at=at)
    generation = None
    if rules.key_lasts is not None:
        generation = 1 if row is None else row.key_generation if is_repeat else (row.key_generation or 0) + 1
    is_resend = row is not None and (row.resent_at is not None if is_repeat else row.state in BINDING)
    return Claim(candidate, attempt, claim_id, generation, is_doubtful=is_repeat, is_resend=is_resend)


def _insert(
    connection: sa.Connection,
    run: Run,
    *,
    candidates: Sequence[Candidate],
    claim_id: str,
    rules: ClaimRules,
    at: datetime,
) -> None:
    rows = as_parameter(
        (new.foreign_id, new.contact_key, new.phone.e164, new.number_digest, new.content_digest, candidate.rule)
        for candidate in candidates
        for new in (candidate.message,)
    )
    same: dict[str, object] = {"campaign_id": run.campaign.id, "claim_id": claim_id, "run_id": run.id}
    same |= {"owns_number": True, "state": State.CLAIMED.value, "attempt": 1}
    same |= {"claimed_at": at, "claimed_day": day_of(at)}
    is_keyed = rules.key_lasts is not None
    same |= {"key_generation": 1 if is_keyed else None, "keyed_at": at if is_keyed else None}
    same |= {"request_digest": rules.request_digest if is_keyed else None}
    connection.execute(first_claims(connection.dialect.name), {"rows": rows, **same})


def _replacement(
    new: Claim, run: Run, row: Any, *, rule: str | None, rules: ClaimRules, at: datetime
) -> dict[str, object]:
    message, is_keyed = new.message, new.key_generation is not None
    return {
        "contact_key": message.contact_key,
        "phone_number": message.phone.e164,
        "number_digest": message.number_digest,
        "owns_number": True,
        "content_digest": message.content_digest,
        "state": State.CLAIMED.value,
        "reason": None,
        "attempt": new.attempt,
        "claim_id": new.claim_id,
        "key_generation": new.key_generation if is_keyed else row.key_generation,
        "keyed_at": row.keyed_at if new.is_doubtful else at if is_keyed else None,
        "request_digest": rules.request_digest if is_keyed else None,
        "run_id": run.id,
        "claimed_at": at,
        "claimed_day": day_of(at),
        "rule": rule,
        "answered_at": None,
        "final_at": None,
        # repeated with its key, it is no further message
        "resent_at": row.resent_at if new.is_doubtful else at if new.is_resend else None,
        "is_repeated": new.is_doubtful,
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
    connection.execute(CLAIM_ANEW, sorted(updates, key=lambda update: str(update["b_foreign_id"])))
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
        "event": "sent again with its key" if update["is_repeated"] else "resent",
        "state_before": update["b_state"],
        "state_after": State.CLAIMED.value,
        "attempt": update["attempt"],
        "run_id": update["run_id"],
        "reason": None if update["is_repeated"] else "in doubt for longer than resend_after",
    }
