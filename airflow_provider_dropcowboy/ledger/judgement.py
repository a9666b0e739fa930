"""What a claim would say of each message, from what the ledger holds of it; nothing is written here."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.campaigns import Allowance, Campaign, Limits, read_allowance
from airflow_provider_dropcowboy.ledger.digest import DIGEST_CHARACTERS, framed
from airflow_provider_dropcowboy.ledger.sends import (
    by_its_name,
    known_and_lost,
    owners_and_suppressed,
    read_attempts,
    state_now,
)
from airflow_provider_dropcowboy.row_value import row_value
from airflow_provider_dropcowboy.screening.screen import Candidate, Cap, Facts, Message, Verdict, longest_window, screen
from airflow_provider_dropcowboy.states import State

LOST: Final = "a result came, and the ledger has no record of the send"
"""Why a message is not sent that this ledger does not know: its callback token proves that it was."""


@row_value()
class Claim:
    """The right to write one request for one message.

    :param candidate: the message with what it was screened by; each further request is screened by the same.
    :param attempt: 1 for the first request ever; each further one has its own claim.
    :param claim_id: of the committed batch.
    :param key_generation: of the idempotency key that its request has; None: it has none.
    :param is_doubtful: a request under the same key may have been carried out: whatever becomes of this one, the
        message is not free.
    :param is_resend: an earlier request, without that key, may have been carried out: likewise, but this one is one
        more send.
    """

    candidate: Candidate
    attempt: int
    claim_id: str
    key_generation: int | None = None
    is_doubtful: bool = False
    is_resend: bool = False

    @property
    def message(self) -> Message:
        """What its request says, and to whom."""
        return self.candidate.message

    def screen(self, facts: Facts) -> Verdict | None:
        """The verdict on its message now, before one more request; None: it may be sent."""
        return screen(self.candidate, facts, is_repeat=True)


@dataclass(frozen=True, slots=True)
class Already:
    """A message that was sent before; nothing is sent now.

    :param state: where it stands; a claim of a dead run counts as unknown.
    :param run_id: which run claimed it last.
    """

    message: Message
    state: State
    reason: str | None
    run_id: int


@dataclass(slots=True)
class Judgement:
    """What one batch came to. Every message of it is in one of the lists, or ``stop`` says why in none.

    :ivar stopped: messages that may not be sent now, each with the verdict.
    """

    claimed: list[Claim] = field(default_factory=list)
    already: list[Already] = field(default_factory=list)
    stopped: list[tuple[Message, Verdict]] = field(default_factory=list)
    stop: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRules:
    """What the ledger looks at beyond who was contacted; the same for all claims of a run.

    :param caps: most attempts on a number in a time, over all campaigns of the ledger.
    :param resend_after: ask once more for what has been in doubt for so long, at most once a message; None: never.
    :param key_lasts: ask again at once for what is in doubt, with the same idempotency key and the same request, for so
        long after the first one; None: the vendor knows no keys.
    :param request_digest: of what all requests of the run have in common; those of another one are never repeated.
    :param repeat_window: not the same content to the same number in another campaign within this time; None: it may.
    :param limit: sends of the campaign, at most, over all its runs; None: none.
    :param budget_micros: what they may cost, in millionths of a US dollar; needs ``price_micros``, the price of one.
    """

    caps: tuple[Cap, ...] = ()
    resend_after: timedelta | None = None
    key_lasts: timedelta | None = None
    request_digest: str | None = None
    repeat_window: timedelta | None = None
    limit: int | None = None
    budget_micros: int | None = None
    price_micros: int | None = None

    def keyed(self, key_lasts: timedelta, shared: Sequence[str]) -> "ClaimRules":
        """These rules where the vendor knows idempotency keys.

        :param shared: what all requests of the run hold beside their own content, number and names.
        """
        digest = hashlib.sha256(framed(*shared)).hexdigest()[:DIGEST_CHARACTERS]
        return replace(self, key_lasts=key_lasts, request_digest=digest)

    @property
    def limits(self) -> Limits:
        """What the campaign may send and spend."""
        return {"limit": self.limit, "budget_micros": self.budget_micros, "price_micros": self.price_micros}


NO_RULES: Final = ClaimRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Records:
    """What a ledger holds that matters for some messages.

    :param facts: for screening them.
    :param known: rows of these messages, by foreign_id.
    :param lost: where sends stand of which only a result is known, by foreign_id.
    """

    facts: Facts
    known: Mapping[str, Any] = field(default_factory=dict)
    lost: Mapping[str, State] = field(default_factory=dict)


def read_records(
    connection: sa.Connection,
    campaign: Campaign,
    *,
    candidates: Sequence[Candidate],
    rules: ClaimRules,
    met: Mapping[str, str],
    at: datetime,
    foreseen: int = 0,
) -> Records:
    """The records at one moment; for a claim, under the account's lock.

    :param met: numbers of earlier messages of this run that were not sent: number digest to foreign_id.
    :param foreseen: sends that a preview has counted so far.
    """
    messages = [candidate.message for candidate in candidates]
    numbers = [message.number_digest for message in messages]
    ids = [name for message in messages for name in (message.foreign_id, *message.earlier_ids)]
    known, lost = known_and_lost(connection, ids)
    owners, suppressed = owners_and_suppressed(connection, campaign, numbers)
    allowance = read_allowance(connection, campaign, **rules.limits, foreseen=foreseen)
    facts = facts_of(rules, allowance, at=at, campaign_id=campaign.id)
    facts.suppressed, facts.owners = suppressed, {**met, **owners}
    if (window := longest_window(candidates, facts)) is not None:
        facts.attempts = read_attempts(connection, numbers, window, at=at)
    return Records(facts=facts, known=known, lost=lost)


def facts_of(rules: ClaimRules, allowance: Allowance | None, *, at: datetime, campaign_id: int) -> Facts:
    """What an empty ledger knows for screening."""
    return Facts(
        at=at,
        campaign_id=campaign_id,
        caps=rules.caps,
        repeat_window=rules.repeat_window,
        left=None if allowance is None else allowance.sends,
        over="" if allowance is None else allowance.reason,
    )


def sort_out(
    candidates: Sequence[Candidate], *, records: Records, rules: ClaimRules, judgement: Judgement
) -> list[tuple[Candidate, Any]]:
    """The candidates that may be sent, each with its row if there is one; the others go into ``judgement``.

    A message that was sent before stands, whatever the rules say now. The first of two new messages to one number wins;
    a message that was sent wins over both.
    """
    known, lost, facts = records.known, records.lost, records.facts
    free: list[tuple[Candidate, Any]] = []
    if not known and not lost:  # most batches of a new campaign: nothing to compare with, for each row
        for candidate in candidates:
            if verdict := screen(candidate, facts):
                judgement.stopped.append((candidate.message, verdict))
            else:
                free.append((candidate, None))
        return free
    for given in candidates:
        candidate, row = by_name(given, known)
        message = candidate.message
        earlier = _sent_earlier(message, known, at=facts.at) or (
            row if row is not None and not _is_free(row, message, rules, at=facts.at) else None
        )
        if earlier is not None:
            judgement.already.append(Already(message, state_now(earlier, facts.at), earlier.reason, earlier.run_id))
        elif row is None and (name := _lost_name(message, lost)):
            judgement.already.append(Already(message, lost[name], LOST, run_id=0))
            facts.owners.setdefault(message.number_digest, message.foreign_id)
        elif verdict := screen(
            candidate, facts, is_repeat=row is not None and may_repeat(row, message, rules, at=facts.at)
        ):
            judgement.stopped.append((given.message, verdict))  # a later wave knows it by the name it gives
        else:
            free.append((candidate, row))
    return free


def by_name(candidate: Candidate, rows: Mapping[str, Any]) -> tuple[Candidate, Any]:
    """The candidate under the name that its message's row has in the ledger, and the row; None: there is none."""
    message, row = by_its_name(candidate.message, rows)
    return (candidate if message is candidate.message else replace(candidate, message=message)), row


def may_repeat(row: Any, message: Message, rules: ClaimRules, *, at: datetime) -> bool:
    """Whether a send in doubt may be repeated with its own idempotency key: the vendor then sends nothing twice.

    Only the very same request is: under its key, another one would be refused, or carried out after the key is
    forgotten.
    """
    return (
        rules.key_lasts is not None
        and row.keyed_at is not None
        and state_now(row, at) is State.UNKNOWN
        and at < row.keyed_at + rules.key_lasts
        and (row.request_digest, row.content_digest, row.number_digest)
        == (rules.request_digest, message.content_digest, message.number_digest)
    )


def _sent_earlier(message: Message, known: Mapping[str, Any], *, at: datetime) -> Any:
    """The row of the same message under another spelling of the account, if it binds; one in doubt is not resent."""
    rows = (known.get(name) for name in message.earlier_ids)
    return next((row for row in rows if row is not None and not _is_free(row, message, NO_RULES, at=at)), None)


def _lost_name(message: Message, lost: Mapping[str, State]) -> str | None:
    if not lost:
        return None
    return next((name for name in (message.foreign_id, *message.earlier_ids) if name in lost), None)


def _is_free(row: Any, message: Message, rules: ClaimRules, *, at: datetime) -> bool:
    """Whether a row that is there may be sent again: not accepted, and not refused for this very content."""
    match state_now(row, at):
        case State.RELEASED:
            return True
        case State.REJECTED:
            asked = (row.content_digest, row.number_digest)
            return asked != (message.content_digest, message.number_digest)
        case State.UNKNOWN:
            if may_repeat(row, message, rules, at=at):
                return True
            resend_after = rules.resend_after
            is_due = resend_after is not None and row.claimed_at + resend_after <= at
            # to a corrected number it is not resent: the one in doubt would be free for another message to it
            is_same_number = row.number_digest == message.number_digest
            return is_due and is_same_number and row.resent_at is None
        case _:
            return False
