"""Reading and judging the source: who is to be in the list."""

from collections.abc import Iterable, Iterator
from itertools import islice
from operator import itemgetter
from typing import Final, TypeVar

from airflow_provider_dropcowboy.contacts.contact import Unusable
from airflow_provider_dropcowboy.contacts.key import other_notations, same_person, same_value
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.digest import DIGEST_CHARACTERS, digest, number_digest
from airflow_provider_dropcowboy.ledger.suppressed import suppressed_among
from airflow_provider_dropcowboy.lists.fields import Fields
from airflow_provider_dropcowboy.lists.people import Person, Rows, read_people, values_with
from airflow_provider_dropcowboy.lists.plan import ListPlan
from airflow_provider_dropcowboy.lists.stop import Stop
from airflow_provider_dropcowboy.lists.summary import Tally
from airflow_provider_dropcowboy.lists.wanted import Standing, Wanted, WantedContact
from airflow_provider_dropcowboy.phone import Phone

BATCH_ROWS: Final = 2_000

T = TypeVar("T")


class Reading:
    """Reads the source and judges its rows, a batch at a time; those that are to be in the list go into ``wanted``.

    A number on a suppression list, the ledger's or the user's, is left out; a contact without any other is suppressed.
    Of rows with one key, the first wins.

    :param suppressed: numbers that are left out; read whole before the first row.
    :ivar tally: of the rows so far.
    :ivar is_over: every row was read.
    """

    def __init__(
        self,
        plan: ListPlan,
        ledger: Ledger,
        *,
        rows: Rows,
        suppressed: SuppressionList | None,
        wanted: Wanted,
        stop: Stop,
    ) -> None:
        self._plan = plan
        self._ledger = ledger
        self._wanted = wanted
        self._stop = stop
        self._read = self._read_on(rows, suppressed)
        self.tally = Tally()
        self.is_over = False

    def finish(self) -> None:
        """Read all that is left.

        :raises ConfigurationError: the source lacks a column, or cannot be read.
        """
        for _ in self._read:
            pass

    def chunks(self, chunk_rows: int) -> Iterator[list[WantedContact]]:
        """The wanted contacts, a chunk as soon as it is read; for a list that is empty."""
        chunks = self._wanted.chunks([Standing.ADDED], chunk_rows=chunk_rows)
        given = 0
        for _ in self._read:
            while self._wanted.count - given >= chunk_rows:
                chunk = next(chunks)
                given += len(chunk)
                yield chunk
        yield from chunks

    def _read_on(self, rows: Rows, suppressed: SuppressionList | None) -> Iterator[None]:
        """Once a batch."""
        plan, tally, wanted = self._plan, self.tally, self._wanted
        for phone in suppressed or ():
            self._stop.check()
            wanted.suppress(number_digest(self._ledger.key, phone))
        tally.unreadable_suppressions = suppressed.unreadable if suppressed else 0
        kept = suppressed.numbers if suppressed else 0
        people = read_people(rows, plan.fields, key_column=plan.key_column, region=plan.region)
        for batch in _batches(people, BATCH_ROWS):
            self._stop.check()
            usable: list[Person] = []
            for person in batch:
                if isinstance(person, Unusable):
                    tally.invalid += 1
                    tally.reasons[person.reason] += 1
                else:
                    usable.append(person)
            contacts = list(_unsuppressed(plan.fields, self._ledger, usable, wanted=wanted if kept else None))
            left_out = wanted.add(contacts)
            tally.suppressed += len(usable) - len(contacts)
            tally.duplicate += left_out
            tally.wanted += len(contacts) - left_out
            yield
        self.is_over = True


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
            written = [(name, value) for name, value in zip(fields.names, values, strict=True) if value is not None]
            # neither the order of the fields nor the notation of a value is a change; several phones have an order
            same = sorted(((name, same_value(value)) for name, value in written), key=itemgetter(0))
            yield WantedContact(
                key_digest=_key_digest(ledger.key, same_person(person.key)),
                other_keys=tuple(_key_digest(ledger.key, text) for text in other_notations(person.key)),
                content_digest=_content_digest(ledger.key, same),
                old_content=None if same == written else _content_digest(ledger.key, written),
                contact_key=person.key,
                values=values,
            )


def _key_digest(key: bytes, text: str) -> str:
    return digest(key, "list contact", text)[:DIGEST_CHARACTERS]


def _content_digest(key: bytes, values: list[tuple[str, str]]) -> str:
    """Differs when what the list holds of the contact would differ."""
    return digest(key, "list content", *(f"{name}={value}" for name, value in values))[:DIGEST_CHARACTERS]


def _batches(items: Iterable[T], size: int) -> Iterator[list[T]]:
    rest = iter(items)
    while batch := list(islice(rest, size)):
        yield batch
