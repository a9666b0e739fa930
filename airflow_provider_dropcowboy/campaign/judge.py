"""From rows to messages and verdicts: reading the source, screening and composing."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Final

from airflow_provider_dropcowboy.campaign.messages import Identity, framed_content
from airflow_provider_dropcowboy.campaign.plan import Plan, Rows
from airflow_provider_dropcowboy.campaign.seen import Seen
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.contacts.contact import Contact, ContactReader, TextError, Unusable, find_column
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.ledger.sends import Found
from airflow_provider_dropcowboy.screening.screen import (
    NO_CONSENT,
    Candidate,
    Consent,
    Kinds,
    Message,
    Verdict,
    has_consent,
    read_kinds,
)
from airflow_provider_dropcowboy.states import State

LOOK_ROWS: Final = 2_000
"""Rows of a known campaign that are looked up in the ledger at once, before they are judged."""


@dataclass(slots=True)
class Batch:
    """Rows that were judged together: those with a message to screen, and those without.

    :ivar elsewhere: rows of another partition.
    """

    candidates: list[Candidate] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)
    elsewhere: int = 0


@dataclass(frozen=True, slots=True)
class Named:
    """A row, and by which names the ledger may know its message.

    :param names: the name that it has now is the first; empty: only ``judge`` can tell.
    """

    row: Mapping[str, object] = field(repr=False)
    key: str | None = field(repr=False)
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SentBefore:
    """A row whose message another run sent; nothing of it is judged."""

    row: Mapping[str, object] = field(repr=False)
    key: str = field(repr=False)
    foreign_id: str
    found: Found


class Judge:
    """Judges the rows of a source once, in their order. Used by one thread at a time.

    :param has_sends: there may be earlier sends, whose content is compared; only a dry run without a ledger has none.
    """

    def __init__(self, plan: Plan, identity: Identity, *, seen: Seen, has_sends: bool = True) -> None:
        self._plan = plan
        self._reader = ContactReader(plan.columns)
        self._same = framed_content(plan.template.same()) if has_sends else None
        self._identity = identity
        self._seen = seen

    def read_suppressed(self, numbers: SuppressionList) -> None:
        """Keep the list's numbers, as digests on disk. Before any row.

        :raises ConfigurationError: the list cannot be read as one of numbers; nobody may be contacted.
        """
        digests = map(self._identity.number_digest, numbers)
        while some := list(islice(digests, LOOK_ROWS)):
            self._seen.suppress(some)

    def name(self, rows: Rows) -> list[Named]:
        """The rows of this partition by their names; it costs a tenth of judging them.

        :raises ConfigurationError: the source lacks a column.
        """
        partition = self._plan.partition
        found: list[Named] = []
        for row in rows:
            key = self._reader.read_key(row)
            if key is None:
                found.append(Named(row, None, ()))
            elif partition is None or partition.has(key):
                found.append(Named(row, key, self._identity.names(key)))
        return found

    def set_apart(
        self, named: Sequence[Named], sends: Mapping[str, Found], *, run_id: int | None
    ) -> tuple[list[SentBefore], list[Verdict], list[Mapping[str, object]]]:
        """The rows that were sent before, the others with their key among them, and the rows that are to be judged.

        :param sends: that the ledger has of the rows' names.
        :param run_id: of this run, whose own sends are judged; None: a dry run has none.
        """
        sent: list[SentBefore] = []
        rest: list[Mapping[str, object]] = []
        for each in named:
            # another spelling of the account first, as a claim does
            found = [sends[name] for name in (*each.names[1:], *each.names[:1]) if name in sends]
            if each.key is not None and found and all(send.is_sent(run_id=run_id) for send in found):
                sent.append(SentBefore(each.row, each.key, each.names[0], found[0]))
                self._meet_earlier(each.names[1:])
            else:
                rest.append(each.row)
        new = self._seen.add([each.foreign_id for each in sent])
        once: list[SentBefore] = []
        repeated: list[Verdict] = []
        for before in sent:
            if before.foreign_id in new:
                new.remove(before.foreign_id)
                once.append(before)
            else:
                repeated.append(_met_before(before.key))
        return once, repeated, rest

    def contact(self, row: Mapping[str, object]) -> Contact | None:
        """Whom the row names; None: nobody who can be contacted."""
        contact = self._reader.read(row)
        return contact if isinstance(contact, Contact) else None

    def judge(self, rows: Rows) -> Batch:
        """The rows' candidates and verdicts; a row of another partition has neither.

        :raises ConfigurationError: the source lacks a column.
        """
        batch = Batch()
        composed: list[tuple[Contact, Message]] = []
        for row in rows:
            contact = self._contact(row)
            if contact is None:
                batch.elsewhere += 1
                continue
            message = contact if isinstance(contact, Unusable) else self._compose(contact)
            if isinstance(message, Unusable):
                batch.verdicts.append(self._invalid(message, contact))
            elif isinstance(contact, Contact):
                composed.append((contact, message))
        if not composed:  # rows of another partition, most of them
            return batch
        new = self._seen.add([message.foreign_id for _contact, message in composed])
        suppressed = self._seen.suppressed([message.number_digest for _contact, message in composed])
        at = utcnow()
        for contact, message in composed:
            if message.foreign_id in new:
                new.discard(message.foreign_id)
                self._meet_earlier(message.earlier_ids)
                batch.candidates.append(self._candidate(contact, message, suppressed, at=at))
            else:
                batch.verdicts.append(_met_before(contact.key))
        return batch

    def _invalid(self, row: Unusable, contact: Contact | Unusable) -> Verdict:
        """Of a row that makes no message, by the name that its message will have once the row is corrected."""
        digest = self._identity.number_digest(contact.phone) if isinstance(contact, Contact) else None
        name = self._identity.foreign_id(row.key) if row.key is not None else None
        if name is not None and not self._seen.add_invalid(name):
            name = None
        return Verdict(State.INVALID, row.reason, row.key, foreign_id=name, number_digest=digest)

    def _contact(self, row: Mapping[str, object]) -> Contact | Unusable | None:
        """None: the row is of another partition."""
        partition = self._plan.partition
        if partition is None:
            return self._reader.read(row)
        # most rows are of another one: their numbers are not read where a column holds the keys
        if self._plan.columns.key_column and not partition.has(self._reader.read_key(row)):
            return None
        contact = self._reader.read(row)
        return contact if partition.has(contact.key) else None

    def _meet_earlier(self, names: Sequence[str]) -> None:
        """An earlier wave may have known the message by another name."""
        if self._plan.earlier_runs and names:
            self._seen.add(names)

    def _candidate(self, contact: Contact, message: Message, suppressed: Collection[str], *, at: datetime) -> Candidate:
        """The message with what is known of its person; what follows from that is screening's."""
        hours, row = self._plan.hours, contact.row
        ruling = None
        if hours is not None:
            ruling = hours.judge(contact.phone.e164, postal_code=contact.postal_code, at=at)
        return Candidate(
            message,
            ruling,
            None if self._has_opted_in(row) else f"no consent in {self._plan.opt_in_column}",
            message.number_digest in suppressed,
            self._consent_of(row) if ruling and ruling.needs else NO_CONSENT,
        )

    def _has_opted_in(self, row: Mapping[str, object]) -> bool:
        column = self._plan.opt_in_column
        return column is None or has_consent(_cell(row, column))

    def _consent_of(self, row: Mapping[str, object]) -> Kinds:
        """The kinds that the row's person gave."""
        column = self._plan.consent_column
        named = frozenset[Consent]() if column is None else read_kinds(_cell(row, column))
        return named | {Consent.EXPRESS} if self._plan.has_express_consent else named

    def _compose(self, contact: Contact) -> Message | Unusable:
        """The contact's message, with the names it has in every run; or why its row cannot be used."""
        identity = self._identity
        try:
            content = self._plan.template.fill_in(contact)
        except TextError as error:
            return Unusable(contact.key, str(error))
        content_digest = (
            ""
            if self._same is None
            else identity.content_digest(
                self._same, text=content.text, postal_code=contact.postal_code, contact_id=content.contact_id
            )
        )
        return Message(
            foreign_id=identity.foreign_id(contact.key),
            earlier_ids=identity.earlier_ids(contact.key),
            contact_key=contact.key,
            phone=contact.phone,
            content=content,
            number_digest=identity.number_digest(contact.phone),
            content_digest=content_digest,
            postal_code=contact.postal_code,
        )


def _met_before(key: str) -> Verdict:
    return Verdict(State.DUPLICATE, "the same key came before", key)


def _cell(row: Mapping[str, object], column: str) -> object:
    return row[column] if column in row else row[find_column(column, row)]
