"""From rows to messages and verdicts: screening and composing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from airflow_provider_dropcowboy.api.messages import Channel, Message
from airflow_provider_dropcowboy.campaign.compose import Composer
from airflow_provider_dropcowboy.campaign.identity import Identity
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.seen import Seen
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.contacts.columns import find_column
from airflow_provider_dropcowboy.contacts.contact import Contact, Unusable
from airflow_provider_dropcowboy.contacts.mapping import ContactReader
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.screening.consent import Consent, Kinds, has_consent, read_kinds, unmet
from airflow_provider_dropcowboy.screening.verdict import Verdict
from airflow_provider_dropcowboy.states import State

STATE_BAN: Final = "state_ban"
"""Begins the reason of a row whose state bans the message."""
NO_CONSENT: Final = "no consent"
"""Begins the reason of a row without the consent that the law of its place wants."""
_SUPPRESSED: Final = "!"  # begins the names of suppressed numbers
Rows = Iterable[Mapping[str, object]]


@dataclass(slots=True)
class Batch:
    """Rows that were judged together: those to ask for, and those not."""

    messages: list[Message] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)


class Judge:
    """Judges the rows of a source once, in their order. Used by one thread at a time."""

    def __init__(self, plan: Plan, identity: Identity, *, seen: Seen) -> None:
        self._plan = plan
        self._reader = ContactReader(plan.columns)
        self._composer = Composer(plan.template, identity, caps=plan.caps)
        self._identity = identity
        self._seen = seen
        self._has_list = False

    def read_suppressed(self, numbers: SuppressionList) -> None:
        """Keep the list's numbers, as digests on disk. Before any row.

        :raises ConfigurationError: the list cannot be read as one of numbers; nobody may be contacted.
        """
        for phone in numbers:
            self._seen.add(_SUPPRESSED + self._identity.number_digest(phone))
        self._has_list = numbers.numbers > 0

    def judge(self, rows: Rows) -> Batch:
        """The rows' messages and verdicts; a row of another partition has neither.

        :raises ConfigurationError: the source lacks a column.
        """
        batch = Batch()
        for row in rows:
            item = self._judge(row)
            if isinstance(item, Message):
                batch.messages.append(item)
            elif item is not None:
                batch.verdicts.append(item)
        return batch

    def _judge(self, row: Mapping[str, object]) -> Message | Verdict | None:
        contact = self._reader.read(row)
        partition = self._plan.partition
        if partition is not None and not partition.has(contact.key):
            return None
        if isinstance(contact, Unusable):
            return Verdict(State.INVALID, contact.reason, contact.key)
        message = self._composer.compose(contact)
        if isinstance(message, Unusable):
            return Verdict(State.INVALID, message.reason, message.key)
        if not self._seen.add(message.foreign_id):
            return Verdict(State.DUPLICATE, "the same key came before", contact.key)
        return self._screen(contact, message)

    def _screen(self, contact: Contact, message: Message) -> Message:
        """The message, stopped by the first rule that applies; the ledger may know that it was asked for before."""
        if not self._has_consent(contact.row):
            return replace(message, stop=(State.SUPPRESSED, f"no consent in {self._plan.opt_in_column}"))
        if self._has_list and self._seen.has(_SUPPRESSED + message.number_digest):
            return replace(message, stop=(State.SUPPRESSED, "on the suppression list"))
        hours = self._plan.hours
        if hours is None:
            return message
        ruling = hours.judge(contact.phone.e164, postal_code=contact.postal_code, at=utcnow())
        if ruling.is_banned:
            return replace(message, stop=(State.SUPPRESSED, f"{STATE_BAN}: {ruling.rule}"))
        rule = ruling.rule
        if ruling.needs:
            given = self._consent_of(contact.row)
            if need := unmet(ruling.needs, given):
                return replace(message, stop=(State.SUPPRESSED, f"{NO_CONSENT}: {need}; calling hours {hours.version}"))
            rule += f"; consent: {', '.join(sorted(given))}"
        if not ruling.is_open:
            return replace(message, stop=(State.HELD, f"calling hours: {ruling.rule}"), opens_at=ruling.opens_at)
        return replace(message, closes_at=ruling.closes_at, rule=rule, caps=message.caps + ruling.caps)

    def _has_consent(self, row: Mapping[str, object]) -> bool:
        column = self._plan.opt_in_column
        return column is None or has_consent(_cell(row, column))

    def _consent_of(self, row: Mapping[str, object]) -> Kinds:
        """The kinds that the row's person gave. A yes in ``opt_in_column`` is express; no text goes without one."""
        is_express = self._plan.opt_in_column is not None or self._plan.channel is Channel.SMS
        column = self._plan.consent_column
        named = frozenset[Consent]() if column is None else read_kinds(_cell(row, column))
        return named | {Consent.EXPRESS} if is_express else named


def _cell(row: Mapping[str, object], column: str) -> object:
    return row[column] if column in row else row[find_column(column, row)]
