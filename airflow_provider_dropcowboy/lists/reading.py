"""Reading and judging the source: who is to be in the list."""

import logging
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
from airflow_provider_dropcowboy.phone import Phone, PhoneError

BATCH_ROWS: Final = 2_000

T = TypeVar("T")
log = logging.getLogger(__name__)


def read_wanted(
    plan: ListPlan, ledger: Ledger, *, rows: Rows, suppressed: Rows | None, wanted: Wanted, stop: Stop
) -> Tally:
    """Every row of the source is judged, and those that are to be in the list are in ``wanted``.

    A number on a suppression list, the ledger's or the user's, is left out; a contact without any other is suppressed.
    Of rows with one key, the first wins.

    :param suppressed: rows whose first column is a number that is left out; read whole before the first row.
    :raises ConfigurationError: the source lacks a column, or cannot be read.
    """
    tally = Tally()
    has_list = _read_suppressed(plan, ledger, rows=suppressed, wanted=wanted, stop=stop) > 0
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
        contacts = list(_unsuppressed(plan.fields, ledger, usable, wanted=wanted if has_list else None))
        left_out = wanted.add(contacts)
        tally.suppressed += len(usable) - len(contacts)
        tally.duplicate += left_out
        tally.wanted += len(contacts) - left_out
    return tally


def _read_suppressed(plan: ListPlan, ledger: Ledger, *, rows: Rows | None, wanted: Wanted, stop: Stop) -> int:
    """How many numbers of the user's list are kept; what is no number there suppresses nobody."""
    kept = unusable = 0
    for row in rows or ():
        stop.check()
        try:
            phone = Phone.parse(next(iter(row.values()), None), region=plan.region)
        except PhoneError:
            unusable += 1
            continue
        kept += wanted.suppress(number_digest(ledger.key, phone))
    if rows is not None:
        log.info("suppression list: %d numbers, %d entries that are none", kept, unusable)
    return kept


def _unsuppressed(
    fields: Fields, ledger: Ledger, people: list[Person], *, wanted: Wanted | None
) -> Iterator[WantedContact]:
    digests: dict[Phone, str] = {
        phone: number_digest(ledger.key, phone) for person in people for phone in person.phones
    }
    with ledger.reading() as connection:
        suppressed = set(suppressed_among(connection, list(digests.values())))
    if wanted is not None:
        suppressed |= {number for number in digests.values() if wanted.is_suppressed(number)}
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
