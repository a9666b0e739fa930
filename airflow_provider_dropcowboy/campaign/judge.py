"""From rows to messages and verdicts: reading, screening and composing, a batch at a time."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from airflow_provider_dropcowboy.api.messages import Message
from airflow_provider_dropcowboy.campaign.compose import Composer
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.seen import Seen
from airflow_provider_dropcowboy.contacts.columns import find_column
from airflow_provider_dropcowboy.contacts.contact import Unusable
from airflow_provider_dropcowboy.contacts.mapping import read_contacts
from airflow_provider_dropcowboy.screening.consent import has_consent
from airflow_provider_dropcowboy.screening.verdict import Verdict
from airflow_provider_dropcowboy.states import State

Rows = Iterable[Mapping[str, object]]


@dataclass(slots=True)
class Batch:
    """Rows that were judged together: those to ask for, and those not."""

    messages: list[Message] = field(default_factory=list)
    verdicts: list[Verdict] = field(default_factory=list)


class Judge:
    """Judges the rows of a source once, in their order. Used by one thread at a time."""

    def __init__(self, plan: Plan, *, composer: Composer, rows: Rows, seen: Seen) -> None:
        self._plan = plan
        self._composer = composer
        self._seen = seen
        self._judged = self._judge(rows)

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

    def _judge(self, rows: Rows) -> Iterator[Message | Verdict]:
        partition = self._plan.partition
        for contact in read_contacts(rows, self._plan.columns):
            if partition is not None and not partition.has(contact.key):
                continue
            if isinstance(contact, Unusable):
                yield Verdict(State.INVALID, contact.reason, contact.key)
            elif not self._has_consent(contact.row):
                yield Verdict(State.SUPPRESSED, f"no consent in {self._plan.opt_in_column}", contact.key)
            else:
                message = self._composer.compose(contact)
                if isinstance(message, Unusable):
                    yield Verdict(State.INVALID, message.reason, message.key)
                elif not self._seen.add(message.foreign_id):
                    yield Verdict(State.DUPLICATE, "the same key came before", contact.key)
                else:
                    yield message

    def _has_consent(self, row: Mapping[str, object]) -> bool:
        column = self._plan.opt_in_column
        if column is None:
            return True
        return has_consent(row[column] if column in row else row[find_column(column, row)])
