"""Reading and judging the source: from its rows to the contacts of a list, with their values and numbers."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from itertools import chain, islice
from operator import itemgetter
from typing import Final

from airflow_provider_dropcowboy.contacts.contact import TextError, Unusable, as_text, find_column, is_unicode
from airflow_provider_dropcowboy.contacts.key import (
    ContactKeyError,
    canonical_key,
    other_notations,
    read_postal_code,
    same_person,
    same_value,
)
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.ledger.digest import DIGEST_CHARACTERS, framed, number_digest
from airflow_provider_dropcowboy.ledger.suppressions import find_suppressed
from airflow_provider_dropcowboy.lists.arguments import PHONE, POSTAL, Fields, ListArguments
from airflow_provider_dropcowboy.lists.vendor import Vendor
from airflow_provider_dropcowboy.lists.wanted import Standing, Wanted, WantedContact
from airflow_provider_dropcowboy.phone import Phone, PhoneError, is_region
from airflow_provider_dropcowboy.secret import hmac_sha256

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
    values: Sequence[str | None] = field(repr=False)

    def values_with(self, phones: Iterable[Phone], *, places: Iterable[int]) -> list[str | None]:
        """The row of values with these numbers, in their order, at the places of phones."""
        values = list(self.values)
        for place, phone in zip(places, phones, strict=False):
            values[place] = phone.e164
        return values


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
        self._phones: list[str] = []
        self._others: list[tuple[int, str]] = []
        self._key: str | None = None
        self._postal = fields.places_of(POSTAL)

    def read(self, row: Row) -> Person | Unusable:
        """The row's person; or why it cannot be used.

        :raises ConfigurationError: the first row lacks a column.
        """
        if not self._phones:
            self._find(row)
        name = None
        values: list[str | None] = [None] * len(self._fields.names)
        try:
            if self._key:
                name = canonical_key(row.get(self._key))
            phones = self._phones_of(row)
            for place, column in self._others:
                values[place] = self._value(row.get(column), place)
        except ContactKeyError as error:
            return Unusable(None, f"key: {error}")
        except PhoneError as error:
            return Unusable(name, f"phone: {error}")
        except TextError as error:
            return Unusable(name, str(error))
        return Person(name or phones[0].e164, phones, values)

    def _find(self, first: Row) -> None:
        columns = [find_column(column, first) for column in self._fields.columns]
        self._key = self._key_column and find_column(self._key_column, first)
        phones = self._fields.places_of(PHONE)
        self._others = [(place, column) for place, column in enumerate(columns) if place not in phones]
        self._phones = [columns[place] for place in phones]

    def _value(self, cell: object, place: int) -> str | None:
        """A cell as a field's text, the same whichever way the source hands it over; None: nothing there."""
        if place in self._postal and (code := read_postal_code(cell, region=self._region)):
            return code
        try:
            text = cell.strip() if type(cell) is str else _as_text(cell)
        except TextError as error:
            raise TextError(f"{self._fields.names[place]}: {error}") from None
        if not is_unicode(text):
            raise TextError(f"{self._fields.names[place]}: characters that are not Unicode text")
        return text or None

    def _phones_of(self, row: Row) -> tuple[Phone, ...]:
        """The valid numbers, each once.

        :raises PhoneError: there is none; the reason of the first that is not empty.
        """
        if len(self._phones) == 1:
            return (Phone.parse(row.get(self._phones[0]), region=self._region),)
        found: dict[Phone, None] = {}
        reasons: list[str] = []
        for column in self._phones:
            try:
                found[Phone.parse(row.get(column), region=self._region)] = None
            except PhoneError as error:
                reasons.append(str(error))
        if not found:
            raise PhoneError(next((reason for reason in reasons if reason != "empty"), "empty"))
        return tuple(found)


def _as_text(cell: object) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return "true" if cell else "false"
        case Decimal() if cell.is_nan():
            return ""
        case float() | date() | time() if cell != cell:  # NaN, and pandas.NaT, which is a date
            return ""
        case _:
            return as_text(cell)


class Reading:
    """Reads the source and judges its rows, a batch at a time; those that are to be in the list go into ``wanted``.

    A number on a suppression list, the ledger's or the user's, is left out; a contact without any other is suppressed.
    Of rows with one key, the first wins.

    :param suppressed: numbers that are left out; read whole before the first row.
    :ivar counts: of the rows so far: invalid, suppressed, duplicate, or wanted.
    :ivar reasons: of the invalid ones.
    :ivar unreadable_suppressions: entries of the suppression list that were let pass although they are no numbers.
    :ivar is_over: every row was read.
    """

    def __init__(
        self,
        arguments: ListArguments,
        vendor: Vendor,
        *,
        rows: Rows,
        suppressed: SuppressionList | None,
        wanted: Wanted,
    ) -> None:
        self._fields = arguments.fields
        self._phone_places = arguments.fields.places_of(PHONE)
        # neither the order of the fields nor the notation of a value is a change; several phones have an order
        in_order = sorted(enumerate(arguments.fields.names), key=itemgetter(1))
        self._in_order = [(f"{name}=", place) for place, name in in_order]
        self._reader = PeopleReader(arguments.fields, key_column=arguments.key_column, region=arguments.region)
        self._ledger = vendor.hold.ledger
        self._wanted = wanted
        self._stop = vendor.stop
        self._read = self._read_on(rows, suppressed)
        wanted.define_older_content(self._older_content)
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.unreadable_suppressions = 0
        self.is_over = False
        self._given = 0

    def read_on(self) -> bool:
        """Read a batch more; whether there may be another.

        :raises ConfigurationError: the source lacks a column, or cannot be read.
        """
        return next(self._read, False)

    def finish(self) -> None:
        """Read all that is left.

        :raises ConfigurationError: as :meth:`read_on`.
        """
        while self.read_on():
            pass

    def chunks(self, chunk_rows: int) -> Iterator[list[WantedContact]]:
        """The wanted contacts, a chunk as soon as it is read; for a list that is empty."""
        chunks = self._wanted.chunks([Standing.ADDED], chunk_rows=chunk_rows)
        while not self.is_over:
            if self.has_chunk(chunk_rows):
                chunk = next(chunks)
                self._given += len(chunk)
                yield chunk
            else:
                self.read_on()
        yield from chunks

    def has_chunk(self, chunk_rows: int) -> bool:
        """Whether the next chunk can be given without reading on."""
        return self.is_over or self._wanted.count - self._given >= chunk_rows

    def _read_on(self, rows: Rows, suppressed: SuppressionList | None) -> Iterator[bool]:
        """True, once a batch."""
        for phone in suppressed or ():
            self._stop.check()
            self._wanted.suppress(number_digest(self._ledger.key, phone))
        self.unreadable_suppressions = suppressed.unreadable if suppressed else 0
        rest = iter(rows)
        while batch := list(islice(rest, BATCH_ROWS)):
            self._stop.check()
            self._judge(batch)
            yield True
        self.is_over = True

    def _judge(self, batch: list[Row]) -> None:
        usable: list[Person] = []
        for person in map(self._reader.read, batch):
            if isinstance(person, Unusable):
                self.reasons[person.reason] += 1
            else:
                usable.append(person)
        contacts = list(self._unsuppressed(usable))
        left_out = self._wanted.add(contacts)
        self.counts["invalid"] += len(batch) - len(usable)
        self.counts["suppressed"] += len(usable) - len(contacts)
        self.counts["duplicate"] += left_out
        self.counts["wanted"] += len(contacts) - left_out

    def _unsuppressed(self, people: list[Person]) -> Iterator[WantedContact]:
        key = self._ledger.key
        numbers = [[number_digest(key, phone) for phone in person.phones] for person in people]
        digests = list(chain.from_iterable(numbers))
        suppressed = self._wanted.suppressed_among(digests) | find_suppressed(self._ledger, digests)
        for person, named in zip(people, numbers, strict=True):
            phones: Iterable[Phone] = person.phones
            if not suppressed.isdisjoint(named):
                kept = [phone for phone, number in zip(phones, named, strict=True) if number not in suppressed]
                if not kept:
                    continue
                phones = kept
            values = person.values_with(phones, places=self._phone_places)
            texts = [name + same_value(value) for name, place in self._in_order if (value := values[place]) is not None]
            yield WantedContact(
                key_digest=_key_digest(key, same_person(person.key)),
                other_keys=tuple(_key_digest(key, text) for text in other_notations(person.key)),
                content_digest=_content_digest(key, texts),
                contact_key=person.key,
                values=values,
            )

    def _older_content(self, values: Sequence[str | None]) -> str:
        named = zip(self._fields.names, values, strict=True)
        return _content_digest(self._ledger.key, [f"{name}={value}" for name, value in named if value is not None])


def _key_digest(key: bytes, text: str) -> str:
    return hmac_sha256(key, _KEY + framed(text))[:DIGEST_CHARACTERS]


def _content_digest(key: bytes, texts: list[str]) -> str:
    """Differs when what the list holds of the contact would differ.

    :param texts: a field's name, an equals sign and its value.
    """
    return hmac_sha256(key, _CONTENT + framed(*texts))[:DIGEST_CHARACTERS]


_KEY: Final = framed("list contact")
_CONTENT: Final = framed("list content")
