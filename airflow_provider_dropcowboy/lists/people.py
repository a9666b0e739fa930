"""From rows of the source to the contacts of a list: which values, which numbers, and who cannot be used."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from math import isfinite, isnan
from numbers import Integral
from typing import Final
from uuid import UUID

from airflow_provider_dropcowboy.contacts.columns import find_column
from airflow_provider_dropcowboy.contacts.contact import Unusable
from airflow_provider_dropcowboy.contacts.key import ContactKeyError, canonical_key
from airflow_provider_dropcowboy.contacts.postal_code import read_postal_code
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.lists.fields import PHONE, POSTAL, Fields
from airflow_provider_dropcowboy.phone import Phone, PhoneError, is_region

Rows = Iterable[Mapping[str, object]]

_SURROGATES: Final = range(0xD800, 0xE000)


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


class _CellError(ValueError):
    """A value that no field can hold; the message does not repeat it."""


def read_people(rows: Rows, fields: Fields, *, key_column: str | None, region: str) -> Iterator[Person | Unusable]:
    """One person, or one unusable row with its reason, for each row and in its order.

    A row is usable with one valid number; its others that are not valid are left out.

    :raises ConfigurationError: a column is missing from the first row, or ``region`` is unknown; before any person.
    """
    if not is_region(region):
        raise ConfigurationError(
            f"region={region!r} is no country that has phone numbers. Nothing was sent. "
            "Write its ISO 3166 code, like US."
        )
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        return
    columns = [find_column(column, first) for column in fields.columns]
    key = key_column and find_column(key_column, first)
    phone_places = frozenset(fields.places_of(PHONE))
    postal_places = frozenset(fields.places_of(POSTAL))
    phone_columns = [columns[place] for place in sorted(phone_places)]

    def value(row: Mapping[str, object], place: int) -> str | None:
        if place in phone_places:
            return None
        cell = row.get(columns[place])
        if place in postal_places and (code := read_postal_code(cell, region=region)):
            return code
        try:
            return _as_text(cell)
        except _CellError as error:
            raise _CellError(f"{fields.names[place]}: {error}") from None

    def read(row: Mapping[str, object]) -> Person | Unusable:
        name = None
        try:
            if key:
                name = canonical_key(row.get(key))
            phones = _phones([row.get(column) for column in phone_columns], region=region)
            values = tuple(value(row, place) for place in range(len(columns)))
        except ContactKeyError as error:
            return Unusable(None, f"key: {error}")
        except PhoneError as error:
            return Unusable(name, f"phone: {error}")
        except _CellError as error:
            return Unusable(name, str(error))
        return Person(name or phones[0].e164, phones, values)

    yield read(first)
    yield from map(read, rows)


def values_with(fields: Fields, person: Person, phones: Iterable[Phone]) -> list[str | None]:
    """The person's row of values with these numbers, in their order."""
    values = list(person.values)
    for place, phone in zip(fields.places_of(PHONE), phones, strict=False):
        values[place] = phone.e164
    return values


def _phones(cells: list[object], *, region: str) -> tuple[Phone, ...]:
    """The valid numbers, each once.

    :raises PhoneError: there is none; the reason of the first that is not empty.
    """
    found: dict[Phone, None] = {}
    reasons: list[str] = []
    for cell in cells:
        try:
            found[Phone.parse(cell, region=region)] = None
        except PhoneError as error:
            reasons.append(str(error))
    if not found:
        raise PhoneError(next((reason for reason in reasons if reason != "empty"), "empty"))
    return tuple(found)


def _as_text(cell: object) -> str | None:
    """A cell as a field's text, the same whichever way the source hands it over; None: nothing there."""
    match cell:
        case None:
            return None
        case str():
            text = cell.strip()
            if not text.isascii() and any(ord(char) in _SURROGATES for char in text):
                raise _CellError("characters that are not Unicode text")
            return text or None
        case bool():
            return "true" if cell else "false"
        case float() if isnan(cell):
            return None
        case Decimal() if cell.is_nan():
            return None
        case float() if isfinite(cell):
            return str(int(cell)) if cell.is_integer() else str(float(cell))
        case Decimal() if cell.is_finite():
            return format(cell, "f")
        case date() | time():
            return str(cell) if cell == cell else None  # pandas.NaT is a date that is not itself
        case Integral() | UUID():
            return str(cell)
        case _:
            raise _CellError(f"a value of type {type(cell).__name__}")
