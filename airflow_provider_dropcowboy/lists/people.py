"""Reading and judging the source: from its rows to the contacts of a list, with their values and numbers."""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from itertools import islice
from math import isnan
from operator import itemgetter
from typing import Final

from airflow_provider_dropcowboy.contacts.columns import find_column
from airflow_provider_dropcowboy.contacts.contact import Unusable
from airflow_provider_dropcowboy.contacts.key import (
    ContactKeyError,
    canonical_key,
    other_notations,
    same_person,
    same_value,
)
from airflow_provider_dropcowboy.contacts.postal_code import read_postal_code
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.contacts.text import TextError, as_text, is_unicode
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.digest import DIGEST_CHARACTERS, digest, number_digest
from airflow_provider_dropcowboy.ledger.suppressed import find_suppressed
from airflow_provider_dropcowboy.lists.arguments import PHONE, POSTAL, Fields, ListArguments
from airflow_provider_dropcowboy.lists.vendor import Stop
from airflow_provider_dropcowboy.lists.wanted import Standing, Wanted, WantedContact
from airflow_provider_dropcowboy.phone import Phone, PhoneError, is_region

Row = Mapping[str, object]
Rows = Iterable[Row]

BATCH_ROWS: Final = 2_000


@dataclass(frozen=True, slots=True)
class Person:
    """A contact of the list to be.

    :param key: canonical text; the first number where there is no key column.
    :param phones: valid, each once, at least one.
    :param values: one a field, as text; those of the phones are still None.
    """

    key: str = field(repr=False)
    phones: tuple[Phone, ...]
    values: tuple[str | None, ...] = field(repr=False)


class PeopleReader:
    """Reads one row after the other of one source.

    A row is usable with one valid number; its others that are not valid are left out.

    :raises ConfigurationError: ``region`` is unknown.
    """

    def __init__(self, fields: Fields, *, key_column: str | None, region: str) -> None:
        if not is_region(region):
            raise ConfigurationError(
                f"region={region!r} is not a country with phone numbers. Nothing was sent. "
                "Write its ISO 3166 code, like US."
            )
        self._fields = fields
        self._key_column = key_column
        self._region = region
        self._columns: tuple[str, ...] = ()
        self._key: str | None = None
        self._phones = fields.places_of(PHONE)
        self._postal = frozenset(fields.places_of(POSTAL))

    def read(self, row: Row) -> Person | Unusable:
        """The row's person; or why it cannot be used.

        :raises ConfigurationError: the first row lacks a column.
        """
        if not self._columns:
            self._columns = tuple(find_column(column, row) for column in self._fields.columns)
            self._key = self._key_column and find_column(self._key_column, row)
        name = None
        try:
            if self._key:
                name = canonical_key(row.get(self._key))
            phones = self._phones_of(row)
            values = tuple(
                None if place in self._phones else self._value(row.get(column), place)
                for place, column in enumerate(self._columns)
            )
        except ContactKeyError as error:
            return Unusable(None, f"key: {error}")
        except PhoneError as error:
            return Unusable(name, f"phone: {error}")
        except TextError as error:
            return Unusable(name, str(error))
        return Person(name or phones[0].e164, phones, values)

    def _value(self, cell: object, place: int) -> str | None:
        """A cell as a field's text, the same whichever way the source hands it over; None: nothing there."""
        if place in self._postal and (code := read_postal_code(cell, region=self._region)):
            return code
        try:
            if isinstance(cell, bool):
                return "true" if cell else "false"
            if _is_missing(cell):
                return None
            text = as_text(cell)
            if not is_unicode(text):
                raise TextError("characters that are not Unicode text")
            return text or None
        except TextError as error:
            raise TextError(f"{self._fields.names[place]}: {error}") from None

    def _phones_of(self, row: Row) -> tuple[Phone, ...]:
        """The valid numbers, each once.

        :raises PhoneError: there is none; the reason of the first that is not empty.
        """
        found: dict[Phone, None] = {}
        reasons: list[str] = []
        for place in self._phones:
            try:
                found[Phone.parse(row.get(self._columns[place]), region=self._region)] = None
            except PhoneError as error:
                reasons.append(str(error))
        if not found:
            raise PhoneError(next((reason for reason in reasons if reason != "empty"), "empty"))
        return tuple(found)


def _is_missing(cell: object) -> bool:
    match cell:
        case None:
            return True
        case float():
            return isnan(cell)
        case Decimal():
            return cell.is_nan()
        case date() | time():
            return cell != cell  # pandas.NaT is a date that is not itself
        case _:
            return False


@dataclass(slots=True)
class Tally:
    """Rows that were read, and those of them that are not to be in the list.

    :ivar wanted: rows that are.
    :ivar unreadable_suppressions: entries of the suppression list that were let pass although they are no numbers.
    """

    invalid: int = 0
    suppressed: int = 0
    duplicate: int = 0
    wanted: int = 0
    unreadable_suppressions: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def read(self) -> int:
        """All rows so far."""
        return self.invalid + self.suppressed + self.duplicate + self.wanted


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
        arguments: ListArguments,
        ledger: Ledger,
        *,
        rows: Rows,
        suppressed: SuppressionList | None,
        wanted: Wanted,
        stop: Stop,
    ) -> None:
        self._fields = arguments.fields
        self._reader = PeopleReader(arguments.fields, key_column=arguments.key_column, region=arguments.region)
        self._ledger = ledger
        self._wanted = wanted
        self._stop = stop
        self._read = self._read_on(rows, suppressed)
        wanted.define_older_content(self._older_content)
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
        for phone in suppressed or ():
            self._stop.check()
            self._wanted.suppress(number_digest(self._ledger.key, phone))
        self.tally.unreadable_suppressions = suppressed.unreadable if suppressed else 0
        rest = iter(rows)
        while batch := list(islice(rest, BATCH_ROWS)):
            self._stop.check()
            self._judge(batch)
            yield
        self.is_over = True

    def _judge(self, batch: list[Row]) -> None:
        tally = self.tally
        usable: list[Person] = []
        for person in map(self._reader.read, batch):
            if isinstance(person, Unusable):
                tally.invalid += 1
                tally.reasons[person.reason] += 1
            else:
                usable.append(person)
        contacts = list(self._unsuppressed(usable))
        left_out = self._wanted.add(contacts)
        tally.suppressed += len(usable) - len(contacts)
        tally.duplicate += left_out
        tally.wanted += len(contacts) - left_out

    def _unsuppressed(self, people: list[Person]) -> Iterator[WantedContact]:
        key = self._ledger.key
        digests = {phone: number_digest(key, phone) for person in people for phone in person.phones}
        suppressed = self._wanted.suppressed_among(digests.values())
        suppressed |= find_suppressed(self._ledger, list(digests.values()))
        for person in people:
            phones = [phone for phone in person.phones if digests[phone] not in suppressed]
            if phones:
                values = values_with(self._fields, person, phones)
                # neither the order of the fields nor the notation of a value is a change; several phones have an order
                same = sorted(((name, same_value(value)) for name, value in self._written(values)), key=itemgetter(0))
                yield WantedContact(
                    key_digest=_key_digest(key, same_person(person.key)),
                    other_keys=tuple(_key_digest(key, text) for text in other_notations(person.key)),
                    content_digest=_content_digest(key, same),
                    contact_key=person.key,
                    values=values,
                )

    def _written(self, values: list[str | None]) -> list[tuple[str, str]]:
        """The fields that have a value."""
        return [(name, value) for name, value in zip(self._fields.names, values, strict=True) if value is not None]

    def _older_content(self, cells: str) -> str:
        return _content_digest(self._ledger.key, self._written(json.loads(cells)))


def values_with(fields: Fields, person: Person, phones: Iterable[Phone]) -> list[str | None]:
    """The person's row of values with these numbers, in their order."""
    values = list(person.values)
    for place, phone in zip(fields.places_of(PHONE), phones, strict=False):
        values[place] = phone.e164
    return values


def _key_digest(key: bytes, text: str) -> str:
    return digest(key, "list contact", text)[:DIGEST_CHARACTERS]


def _content_digest(key: bytes, values: list[tuple[str, str]]) -> str:
    """Differs when what the list holds of the contact would differ."""
    return digest(key, "list content", *(f"{name}={value}" for name, value in values))[:DIGEST_CHARACTERS]
