"""What a claim would say of each message, from what the ledger holds of it; nothing is written here."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.limits import Allowance, Attempts, Limits, read_allowance
from airflow_provider_dropcowboy.ledger.runs import Campaign
from airflow_provider_dropcowboy.ledger.sends import by_its_name, known_and_lost, owners_and_suppressed, state_now
from airflow_provider_dropcowboy.screening.message import Message
from airflow_provider_dropcowboy.states import State

LOST: Final = "a result came, and the ledger has no record of the send"
"""Why a message is not sent that this ledger does not know: its callback token proves that it was."""


@dataclass(frozen=True, slots=True)
class Claim:
    """The right to write one request for one message.

    :param attempt: 1 for the first request ever; each further one has its own claim.
    :param claim_id: of the committed batch.
    :param key_generation: of the idempotency key that its request has; None: it has none.
    :param is_doubtful: a request under the same key may have been carried out: whatever becomes of this one, the
        message is not free.
    """

    message: Message
    attempt: int
    claim_id: str
    key_generation: int | None = None
    is_doubtful: bool = False


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
    suppressed: list[Message] = field(default_factory=list)
    capped: list[tuple[Message, str]] = field(default_factory=list)
    stopped: list[Message] = field(default_factory=list)  # by their own verdict
    closed: list[Message] = field(default_factory=list)  # their calling hours ended after they were screened
    held: list[tuple[Message, str]] = field(default_factory=list)  # over the campaign's limit or budget
    stop: str | None = None

    def not_asked(self) -> Iterator[tuple[Message, State, str]]:
        """Those that a rule stopped, with the verdict and its reason."""
        for message in self.suppressed:
            yield message, State.SUPPRESSED, "on the ledger's suppression list"
        for message in self.duplicates:
            yield message, State.DUPLICATE, "another key has the same number"
        for message, reason in self.capped:
            yield message, State.CAPPED, reason
        for message in self.stopped:
            assert message.stop is not None
            yield message, *message.stop
        for message in self.closed:
            yield message, State.HELD, "the calling hours ended before it was claimed"
        for message, reason in self.held:
            yield message, State.HELD, reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimRules:
    """What the ledger looks at beyond who was asked; the same for all claims of a run.

    :param resend_after: ask once more for what has been in doubt for so long, at most once a message; None: never.
    :param key_lasts: ask again at once for what is in doubt, with the same idempotency key and the same request, for so
        long after the first one; None: the vendor knows no keys.
    :param request_digest: of what all requests of the run have in common; those of another one are never repeated.
    :param repeat_window: not the same content to the same number in another campaign within this time; None: it may.
    :param limit: sends of the campaign, at most, over all its runs; None: none.
    :param budget_micros: what they may cost, in millionths of a US dollar; needs ``price_micros``, the price of one.
    """

    resend_after: timedelta | None = None
    key_lasts: timedelta | None = None
    request_digest: str | None = None
    repeat_window: timedelta | None = None
    limit: int | None = None
    budget_micros: int | None = None
    price_micros: int | None = None

    @property
    def limits(self) -> Limits:
        """What the campaign may send and spend."""
        return {"limit": self.limit, "budget_micros": self.budget_micros, "price_micros": self.price_micros}


NO_RULES: Final = ClaimRules()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What a ledger holds that matters for some messages; the default is an empty ledger.

    :param known: rows of these messages, by foreign_id.
    :param lost: where sends stand of which only a result is known, by foreign_id.
    :param owners: who owns a number in the campaign: number digest to foreign_id.
    :param suppressed: number digests on the suppression list.
    :param attempts: on the numbers, over all campaigns; None: there are none.
    :param allowance: what the campaign may still send; None: nothing limits it.
    """

    at: datetime
    known: Mapping[str, Any] = field(default_factory=dict)
    lost: Mapping[str, State] = field(default_factory=dict)
    owners: Mapping[str, str] = field(default_factory=dict)
    suppressed: frozenset[str] = frozenset()
    attempts: Attempts | None = None
    allowance: Allowance | None = None


def read_facts(
    connection: sa.Connection,
    campaign: Campaign,
    *,
    messages: Sequence[Message],
    rules: ClaimRules,
    at: datetime,
    foreseen: int = 0,
) -> Facts:
    """The facts at one moment; for a claim, under the account's lock.

    :param foreseen: sends that a preview has counted so far.
    """
    numbers = [message.number_digest for message in messages]
    ids = [name for message in messages for name in (message.foreign_id, *message.earlier_ids)]
    known, lost = known_and_lost(connection, ids)
    owners, suppressed = owners_and_suppressed(connection, campaign, numbers)
    return Facts(
        at=at,
        known=known,
        lost=lost,
        owners=owners,
        suppressed=suppressed,
        attempts=Attempts.of(connection, messages, rules.repeat_window, at=at),
        allowance=read_allowance(connection, campaign, **rules.limits, foreseen=foreseen),
    )


def judge(
    campaign: Campaign,
    *,
    messages: Sequence[Message],
    facts: Facts,
    judgement: Judgement,
    rules: ClaimRules,
    met: Mapping[str, str] | None = None,
) -> list[tuple[Message, Any]]:
    """The messages that may be asked for, each with its row if there is one; the others go into ``judgement``.

    The first of two new messages to one number wins; one that was asked wins over both.

    :param met: numbers of earlier messages of this run that were not sent, as ``facts.owners``; None: none.
    """
    owners = {**(met or {}), **facts.owners}
    known, lost, at = facts.known, facts.lost, facts.at
    free: list[tuple[Message, Any]] = []
    for given in messages:
        message, row = by_its_name(given, known)
        earlier = _sent_earlier(message, known, at=at)
        if earlier is not None:
            judgement.already.append(Already(message, state_now(earlier, at), earlier.reason, earlier.run_id))
        elif row is not None and not _is_free(row, message, rules, at=at):
            judgement.already.append(Already(message, state_now(row, at), row.reason, row.run_id))
        elif row is None and (
            names_lost := [name for name in (message.foreign_id, *message.earlier_ids) if name in lost]
        ):
            judgement.already.append(Already(message, lost[names_lost[0]], LOST, run_id=0))
            owners.setdefault(message.number_digest, message.foreign_id)
        elif message.stop is not None and message.stop[0] is State.SUPPRESSED:
            judgement.stopped.append(given)
        elif message.number_digest in facts.suppressed:
            judgement.suppressed.append(message)
        elif owners.setdefault(message.number_digest, message.foreign_id) != message.foreign_id:
            judgement.duplicates.append(message)
        elif (
            facts.attempts is not None
            and not (row is not None and may_repeat(row, message, rules, at=at))  # it counts as an attempt already
            and (reason := facts.attempts.cap(message, campaign.id))
        ):
            judgement.capped.append((message, reason))
        elif message.stop is not None:
            judgement.stopped.append(given)  # a later wave knows it by the name it gives
        elif message.closes_at is not None and at >= message.closes_at:
            judgement.closed.append(given)
        else:
            free.append((message, row))
    allowance = facts.allowance
    if allowance is None:
        return free
    new = [(message, row) for message, row in free if row is None or not may_repeat(row, message, rules, at=at)]
    judgement.held += [(message, allowance.reason) for message, _row in new[allowance.sends :]]
    held = {message.foreign_id for message, _row in new[allowance.sends :]}
    return [(message, row) for message, row in free if message.foreign_id not in held]


def may_repeat(row: Any, message: Message, rules: ClaimRules, *, at: datetime) -> bool:
    """Whether a send in doubt may be asked for again with its own idempotency key: the vendor then sends nothing twice.

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


def _is_free(row: Any, message: Message, rules: ClaimRules, *, at: datetime) -> bool:
    """Whether a row that is there may be asked again: surely not taken, and not refused for this very content."""
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
