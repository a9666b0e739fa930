"""Whether a message may be sent now: all rules in their one order, on whatever is known so far."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

from airflow_provider_dropcowboy.screening.consent import unmet
from airflow_provider_dropcowboy.screening.message import Candidate, Verdict
from airflow_provider_dropcowboy.states import State

STATE_BAN: Final = "state_ban"
"""Begins the reason of a row whose state bans the message."""
NO_LEGAL_CONSENT: Final = "no consent"
"""Begins the reason of a row without the consent that the law of its place wants."""

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
        no_consent = f"{NO_LEGAL_CONSENT}: {need}; calling hours {ruling.version}"
        return Verdict(State.SUPPRESSED, no_consent, rule=ruling.rule)
    if message.number_digest in facts.suppressed:
        return Verdict(State.SUPPRESSED, "on the ledger's suppression list")
    if facts.owners.setdefault(message.number_digest, message.foreign_id) != message.foreign_id:
        return Verdict(State.DUPLICATE, "another key has the same number")
    if not is_repeat and (reason := _cap(candidate, facts)):
        return Verdict(State.CAPPED, reason)
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
