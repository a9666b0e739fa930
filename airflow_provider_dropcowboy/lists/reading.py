"""Reading and judging the source: who is to be in the list."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

from airflow_provider_dropcowboy.contacts.contact import Unusable
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.digest import digest, number_digest
from airflow_provider_dropcowboy.ledger.schema import DIGEST_CHARACTERS
from airflow_provider_dropcowboy.ledger.suppressed import suppressed_among
from airflow_provider_dropcowboy.lists.fields import Fields
from airflow_provider_dropcowboy.lists.people import Person, Rows, read_people, values_with
from airflow_provider_dropcowboy.lists.plan import ListPlan
from airflow_provider_dropcowboy.lists.stop import Stop
from airflow_provider_dropcowboy.lists.summary import Tally
from airflow_provider_dropcowboy.lists.wanted import Wanted, WantedContact
from airflow_provider_dropcowboy.phone import Phone

BATCH_ROWS: Final = 2_000

T = TypeVar("T")


def read_wanted(plan: ListPlan, ledger: Ledger, *, rows: Rows, wanted: Wanted, stop: Stop) -> Tally:
    """Every row of the source is judged, and those that are to be in the list are in ``wanted``.

    A number on the suppression list is left out; a contact without any other is suppressed. Of rows with one key, the
    first wins.

    :raises ConfigurationError: the source lacks a column, or cannot be read.
    """
    tally = Tally()
    people = read_people(rows, plan.fields, key_column=plan.key_column, region=plan.region)
    for batch in _batches(people, BATCH_ROWS):
        stop.check()
        usable: list[Person] = []
        for person in batch:
            if isinstance(person, Unusable):
                tally.invalid += 1
                tally.reasons[person.reason] += 1
            else:
                usable.append(person)
        contacts = list(_unsuppressed(plan.fields, ledger, usable))
        left_out = wanted.add(contacts)
        tally.suppressed += len(usable) - len(contacts)
        tally.duplicate += left_out
        tally.wanted += len(contacts) - left_out
    return tally


def _unsuppressed(fields: Fields, ledger: Ledger, people: list[Person]) -> Iterator[WantedContact]:
    digests: dict[Phone, str] = {
        phone: number_digest(ledger.key, phone) for person in people for phone in person.phones
    }
    with ledger.reading() as connection:
        suppressed = suppressed_among(connection, list(digests.values()))
    for person in people:
        phones = [phone for phone in person.phones if digests[phone] not in suppressed]
        if phones:
            values = values_with(fields, person, phones)
            yield WantedContact(
                key_digest=digest(ledger.key, "list contact", person.key)[:DIGEST_CHARACTERS],
                content_digest=_content_digest(ledger.key, fields, values),
                contact_key=person.key,
                values=values,
            )


def _content_digest(key: bytes, fields: Fields, values: list[str | None]) -> str:
    """Differs when what the list holds of the contact would differ."""
    parts = (f"{name}={value}" for name, value in zip(fields.names, values, strict=True) if value is not None)
    return digest(key, "list content", *parts)[:DIGEST_CHARACTERS]


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
