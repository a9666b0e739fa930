"""A message, what is known of its person, and whether it may be sent now: all rules in their one order."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import lru_cache
from typing import Final, Protocol

from airflow_provider_dropcowboy.api.content import Channel, Content, channel_of
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.row_value import row_value
from airflow_provider_dropcowboy.states import State

_YES: Final = frozenset({"true", "t", "yes", "y", "1"})
_BETWEEN: Final = re.compile(r"[\s,;+/|&]+")


class Consent(StrEnum):
    """A kind of consent to sales messages by recording or text.

    ``EXPRESS``: the person said so. ``WRITTEN``: in writing and signed, which is express too. ``RELATIONSHIP``: an
    established business relationship, as the law of the place defines it.
    """

    EXPRESS = "express"
    WRITTEN = "written"
    RELATIONSHIP = "relationship"


Kinds = frozenset[Consent]
NO_CONSENT: Final[Kinds] = frozenset()


@dataclass(frozen=True, slots=True)
class Need:
    """Consent without which a law forbids the message.

    :param alternatives: any of them will do; each is the kinds that are needed together.
    :param label: the law, for a person and an auditor.
    """

    alternatives: tuple[Kinds, ...]
    label: str

    def __str__(self) -> str:
        kinds = " or ".join("+".join(sorted(kinds)) for kinds in self.alternatives)
        return f"{self.label} needs consent: {kinds}"


def unmet(needs: Iterable[Need], given: Kinds) -> Need | None:
    """The first law whose consent is missing; None: there is none."""
    return next((need for need in needs if not any(kinds <= given for kinds in need.alternatives)), None)


def has_consent(value: object) -> bool:
    """Only a clear yes is one: ``True``, 1, or the texts true, t, yes, y, 1. NULL, dates, other numbers are none."""
    if isinstance(value, str):
        return value.strip().lower() in _YES
    if isinstance(value, Decimal):  # how Oracle and Snowflake hand over a NUMBER(1)
        return value.is_finite() and value == 1
    return value is True or (isinstance(value, (int, float)) and value == 1)


def read_kinds(value: object) -> Kinds:
    """The kinds of consent that a cell names: ``written``, or several, ``express, relationship``.

    Whatever else stands there is no consent: a cell with ``not express`` names none.
    """
    return _kinds_in(value) if isinstance(value, str) else NO_CONSENT


@lru_cache(maxsize=1_000)
def _kinds_in(text: str) -> Kinds:
    words = [word for word in _BETWEEN.split(text.strip().lower()) if word and word != "and"]
    if not words or not set(words) <= set(Consent):
        return NO_CONSENT
    kinds = frozenset(map(Consent, words))
    return kinds | {Consent.EXPRESS} if Consent.WRITTEN in kinds else kinds


@row_value(kw_only=True)
class Message:
    """One contact's message of one campaign.

    :param foreign_id: keyed digest of account, campaign, contact key and channel; the name of the send everywhere.
    :param earlier_ids: names under which it may have been sent before: account or contact key were spelled otherwise.
    :param number_digest: keyed digest of the number.
    :param content_digest: keyed digest of the request: differs when text, brand, pool or recording differ.
    :param postal_code: of the contact: one of the places where the person may be.
    """

    foreign_id: str
    contact_key: str = field(repr=False)
    phone: Phone
    content: Content
    number_digest: str
    content_digest: str
    earlier_ids: tuple[str, ...] = ()
    postal_code: str | None = field(default=None, repr=False)

    @property
    def channel(self) -> Channel:
        """The route it goes by."""
        return channel_of(self.content)


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether a person may be called at a moment.

    :param is_open: the person may be contacted now, until ``closes_at``.
    :param closes_at: aware, UTC; nothing is written from then on. The margin is subtracted. None: no end, or not open.
    :param opens_at: aware, UTC: the next opening; of open hours, the one after they close. None: none within
        two weeks, or unknown.
    :param is_banned: the law of a place forbids the message at any hour.
    :param needs: the consent that the laws of its places want; without it the message is forbidden at any hour.
    :param rule: for a person and an auditor: what it was judged by, and of which version.
    :param version: of the calling hours.
    :param caps: so many messages to one number within so long a time; those of all its places.
    """

    is_open: bool
    closes_at: datetime | None
    opens_at: datetime | None
    is_banned: bool
    rule: str
    caps: tuple[tuple[int, timedelta], ...] = ()
    needs: tuple[Need, ...] = ()
    regions: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()
    version: str = ""

    def is_open_at(self, at: datetime) -> bool:
        """Whether somebody may be called at a later moment; when it closed, nothing is known of what follows."""
        return self.is_open and (self.closes_at is None or at < self.closes_at)

    def rule_at(self, at: datetime) -> str:
        """The rule at a later moment."""
        return self.rule.replace("open:", "ended:", 1) if self.is_open and not self.is_open_at(at) else self.rule


@row_value()
class Verdict:
    """Why a row is not to be sent in this run; the next run screens the row anew.

    :param reason: one of a few, fit for counting, that a person understands.
    :param key: of the contact, where the row made no message.
    :param rule: of the law, that decided; None: the law did not.
    :param foreign_id: of the message that the row will make once it is corrected; None: it makes none of its own.
    :param number_digest: of the number of a row that makes no message; None: it cannot be read.
    :param opens_at: aware: when a held row may be sent; None: nobody waits for it.
    :param places: whose calling hours it waits for: ``US-CA``.
    """

    state: State
    reason: str
    key: str | None = field(default=None, repr=False)
    opens_at: datetime | None = None
    places: tuple[str, ...] = ()
    rule: str | None = None
    foreign_id: str | None = None
    number_digest: str | None = None


@row_value()
class Candidate:
    """A message, and what its row, the run's suppression list and the law say of its person.

    :param ruling: of the law of the person's places; None: calling hours are not kept.
    :param no_opt_in: the reason to give if the row lacks the opt-in that the task asks for; None: it does not.
    :param is_listed: the number is on the run's suppression list.
    :param consent: the kinds that the person gave; looked up only where a law wants one.
    """

    message: Message
    ruling: Ruling | None = None
    no_opt_in: str | None = None
    is_listed: bool = False
    consent: Kinds = NO_CONSENT

    @property
    def rule(self) -> str | None:
        """What it was screened by, for an auditor; None: by no law."""
        if self.ruling is None:
            return None
        if not self.ruling.needs:
            return self.ruling.rule
        return f"{self.ruling.rule}; consent: {', '.join(sorted(self.consent))}"


STATE_BAN: Final = "state_ban"  # begins the reason of a row whose state bans the message
NO_LEGAL_CONSENT: Final = "no consent"  # and of a row without the consent that the law of its place wants

Cap = tuple[int, timedelta]
"""So many messages to one number within so long a time, over all campaigns."""


class Attempt(Protocol):
    """An earlier message to a number, in any campaign."""

    @property
    def claimed_at(self) -> datetime: ...

    @property
    def content_digest(self) -> str: ...

    @property
    def campaign_id(self) -> int: ...


@dataclass(slots=True, kw_only=True)
class Facts:
    """What is known beside the rows when messages are screened; by default, nothing.

    :param at: aware.
    :param suppressed: number digests of the ledger's suppression list.
    :param owners: whose a number is in the campaign: number digest to foreign_id. Screening adds to it.
    :param attempts: by number digest, as far back as a cap looks.
    :param caps: of the task; those of the law are in each ruling.
    :param repeat_window: not the same content to the same number from another campaign within this time; None: it may.
    :param left: sends that the campaign's limit or budget leaves; None: nothing limits it. Screening takes from it.
    :param over: the reason for a message that is over them.
    """

    at: datetime
    suppressed: Collection[str] = frozenset()
    owners: dict[str, str] = field(default_factory=dict)
    attempts: Mapping[str, Sequence[Attempt]] = field(default_factory=dict)
    campaign_id: int = 0
    caps: tuple[Cap, ...] = ()
    repeat_window: timedelta | None = None
    left: int | None = None
    over: str = ""


def screen(candidate: Candidate, facts: Facts, *, is_repeat: bool = False) -> Verdict | None:
    """The verdict of the first rule that stops the message; None: it may be sent now.

    The order of the rules is that of docs/screening.md. Consent and lists come first: no later change makes up for
    them. Hours come last of the rules about a person: a message that they hold stands in the way of no other one.

    :param is_repeat: the very same request was sent before, and counts as an attempt and a send already.
    """
    message, ruling = candidate.message, candidate.ruling
    if candidate.no_opt_in is not None:
        return Verdict(State.SUPPRESSED, candidate.no_opt_in)
    if candidate.is_listed:
        return Verdict(State.SUPPRESSED, "on the suppression list")
    if ruling is not None and ruling.is_banned:
        return Verdict(State.SUPPRESSED, f"{STATE_BAN}: {ruling.rule}", rule=ruling.rule)
    if ruling is not None and ruling.needs and (need := unmet(ruling.needs, candidate.consent)):
        reason = f"{NO_LEGAL_CONSENT}: {need}; calling hours {ruling.version}"
        return Verdict(State.SUPPRESSED, reason, rule=ruling.rule)
    if message.number_digest in facts.suppressed:
        return Verdict(State.SUPPRESSED, "on the ledger's suppression list")
    if facts.owners.setdefault(message.number_digest, message.foreign_id) != message.foreign_id:
        return Verdict(State.DUPLICATE, "another key has the same number")
    if not is_repeat and (over := _cap(candidate, facts)):
        return Verdict(State.CAPPED, over)
    if ruling is not None and not ruling.is_open_at(facts.at):
        rule = ruling.rule_at(facts.at)
        return Verdict(State.HELD, f"calling hours: {rule}", opens_at=ruling.opens_at, places=ruling.regions, rule=rule)
    if facts.left is not None and not is_repeat:
        if facts.left < 1:
            return Verdict(State.HELD, facts.over)
        facts.left -= 1
    return None


def longest_window(candidates: Iterable[Candidate], facts: Facts) -> timedelta | None:
    """How far back attempts matter for some messages; None: nothing caps them."""
    laws = (candidate.ruling.caps for candidate in candidates if candidate.ruling is not None)
    windows = {window for caps in (facts.caps, *laws) for _count, window in caps}
    return max(windows | ({facts.repeat_window} if facts.repeat_window is not None else set()), default=None)


def _cap(candidate: Candidate, facts: Facts) -> str | None:
    """Why the number gets no further message for now; None: it may."""
    attempts = facts.attempts.get(candidate.message.number_digest)
    if not attempts:
        return None
    for count, window in facts.caps + (candidate.ruling.caps if candidate.ruling else ()):
        if sum(attempt.claimed_at > facts.at - window for attempt in attempts) >= count:
            return f"{count} attempts on the number within {_text(window)}"
    if facts.repeat_window is not None and any(
        attempt.content_digest == candidate.message.content_digest
        and attempt.campaign_id != facts.campaign_id
        and attempt.claimed_at > facts.at - facts.repeat_window
        for attempt in attempts
    ):
        return f"the same content went to the number within {_text(facts.repeat_window)}, in another campaign"
    return None


def _text(window: timedelta) -> str:
    hours = window.total_seconds() / 3600
    return f"{hours / 24:g} days" if hours >= 48 else f"{hours:g} hours"
