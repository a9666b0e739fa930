"""From rows to messages and verdicts: reading, screening and composing, a batch at a time."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from airflow_provider_dropcowboy.api.messages import Message
from airflow_provider_dropcowboy.campaign.compose import Composer
from airflow_provider_dropcowboy.campaign.identity import Identity
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.seen import Seen
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.contacts.columns import find_column
from airflow_provider_dropcowboy.contacts.contact import Contact, Unusable
from airflow_provider_dropcowboy.contacts.mapping import read_contacts
from airflow_provider_dropcowboy.phone import Phone, PhoneError
from airflow_provider_dropcowboy.screening.consent import has_consent
from airflow_provider_dropcowboy.screening.verdict import Verdict
from airflow_provider_dropcowboy.states import State

log = logging.getLogger(__name__)

_SUPPRESSED: Final = "!"  # begins the names of suppressed numbers
Rows = Iterable[Mapping[str, object]]


@dataclass(slots=True)
class Batch:
    """Rows that were judged together: those to ask for, and those not."""

    messages: list[Message] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)


class Judge:
    """Judges the rows of a source once, in their order. Used by one thread at a time."""

    def __init__(
        self, plan: Plan, identity: Identity, *, rows: Rows, seen: Seen, suppressed: Rows | None = None
    ) -> None:
        self._plan = plan
        self._composer = Composer(plan.template, identity, caps=plan.caps)
        self._identity = identity
        self._seen = seen
        self._judged = self._judge(rows, suppressed)

    def next_batch(self, size: int) -> Batch | None:
        """The next ``size`` rows; None: there are no more.

        :raises ConfigurationError: the source lacks a column, or cannot be read.
        """
        judged = list(islice(self._judged, size))
        if not judged:
            return None
        batch = Batch()
        for item in judged:
            if isinstance(item, Verdict):
                batch.verdicts.append(item)
            else:
                batch.messages.append(item)
        return batch

    def _judge(self, rows: Rows, suppressed: Rows | None) -> Iterator[Message | Verdict]:
        partition = self._plan.partition
        has_list = self._read_suppressed(suppressed) > 0
        for contact in read_contacts(rows, self._plan.columns):
            if partition is not None and not partition.has(contact.key):
                continue
            if isinstance(contact, Unusable):
                yield Verdict(State.INVALID, contact.reason, contact.key)
                continue
            message = self._composer.compose(contact)
            if isinstance(message, Unusable):
                yield Verdict(State.INVALID, message.reason, message.key)
            elif not self._seen.add(message.foreign_id):
                yield Verdict(State.DUPLICATE, "the same key came before", contact.key)
            else:
                yield self._screen(contact, message, has_list=has_list)

    def _screen(self, contact: Contact, message: Message, *, has_list: bool) -> Message:
        """The message, stopped by the first rule that applies; the ledger may know that it was asked for before."""
        if not self._has_consent(contact.row):
            return replace(message, stop=(State.SUPPRESSED, f"no consent in {self._plan.opt_in_column}"))
        if has_list and self._seen.has(_SUPPRESSED + message.number_digest):
            return replace(message, stop=(State.SUPPRESSED, "on the suppression list"))
        hours = self._plan.hours
        if hours is None:
            return message
        ruling = hours.judge(contact.phone.e164, postal_code=contact.postal_code, at=utcnow())
        if ruling.is_banned:
            return replace(message, stop=(State.SUPPRESSED, f"state_ban: {ruling.rule}"))
        if not ruling.is_open:
            return replace(message, stop=(State.HELD, f"calling hours: {ruling.rule}"), opens_at=ruling.opens_at)
        return replace(message, closes_at=ruling.closes_at, rule=ruling.rule, caps=message.caps + ruling.caps)

    def _read_suppressed(self, rows: Rows | None) -> int:
        """How many numbers of the list are kept, as digests on disk; what is no number there suppresses nobody."""
        kept = unusable = 0
        for row in rows or ():
            try:
                phone = Phone.parse(next(iter(row.values()), None), region=self._plan.columns.region)
            except PhoneError:
                unusable += 1
                continue
            kept += self._seen.add(_SUPPRESSED + self._identity.number_digest(phone))
        if rows is not None:
            log.info("suppression list: %d numbers, %d entries that are none", kept, unusable)
        return kept

    def _has_consent(self, row: Mapping[str, object]) -> bool:
        column = self._plan.opt_in_column
        if column is None:
            return True
        return has_consent(row[column] if column in row else row[find_column(column, row)])
