"""What a row of the source says: a contact, the texts with its columns, or why the row cannot be used."""

import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date, time
from decimal import Decimal
from itertools import chain, islice
from math import isfinite
from numbers import Integral
from string import Formatter
from typing import Final, Self
from uuid import UUID

from airflow_provider_dropcowboy.contacts.key import ContactKeyError, canonical_key, read_postal_code
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.phone import Phone, PhoneError, is_region
from airflow_provider_dropcowboy.row_value import row_value


@row_value()
class Contact:
    """A person to reach, as one row says.

    :param key: canonical text (see ``key.canonical_key``); the E.164 number where there is no key column, hence no part
        of the repr.
    :param postal_code: as the vendor takes it (``02101``, ``90210-0001``), or None.
    :param row: the whole row, for templates and for columns that screening reads.
    """

    key: str = field(repr=False)
    phone: Phone
    postal_code: str | None = field(repr=False)
    row: Mapping[str, object] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Unusable:
    """A row that is ``invalid``.

    :param key: the contact key, or None when the row has none.
    :param reason: one of a few, fit for counting; it names a column's role and holds none of its values.
    """

    key: str | None = field(repr=False)
    reason: str


LOOK_AHEAD_ROWS: Final = 1_000


def find_column(name: str, row: Mapping[str, object]) -> str:
    """The row's own spelling of a column: exactly as named, else the column that differs only in upper and lower case.

    Snowflake and Oracle return ``PHONE`` for what the query calls ``phone``.

    :raises ConfigurationError: no such column, with the names there are; or two that differ in case alone.
    """
    if name in row:
        return name
    folded = name.casefold()
    alike = [column for column in row if column.casefold() == folded]
    if len(alike) == 1:
        return alike[0]
    there_are = ", ".join(alike or row) or "none"
    if alike:
        raise ConfigurationError(
            f"Column {name!r} could be any of {there_are}. Write it exactly as the source spells the one you mean."
        )
    raise ConfigurationError(
        f"The source has no column {name!r}; there are: {there_are}. Name one of these, or add it to the query or file."
    )


def with_all_columns(rows: Iterable[Mapping[str, object]]) -> Generator[Mapping[str, object], None, None]:
    """The same rows, each with every column that the first thousand have among them; what a row lacks is None.

    JSON leaves out what is NULL: without this, a first row without a name would read as a source without that column.
    """
    rest = iter(rows)
    first = list(islice(rest, LOOK_AHEAD_ROWS))
    columns = dict.fromkeys(column for row in first for column in row)
    for row in chain(first, rest):
        yield row if row.keys() >= columns.keys() else {**columns, **row}


_REGION: Final = re.compile(r"[A-Z]{2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactColumns:
    """Which columns of the source say who someone is.

    :param key_column: names a person for good; without one, the E.164 number is the contact key.
    :param region: ISO 3166 alpha-2 of the numbers that carry no country code.
    """

    key_column: str | None = None
    phone_column: str = "phone"
    postal_code_column: str | None = None
    region: str = "US"

    def __post_init__(self) -> None:
        if not self.phone_column or "" in (self.key_column, self.postal_code_column):
            raise ConfigurationError("A column name is empty. Name the column, or leave the argument out.")
        # the list of regions is phonenumbers', too heavy for the parse of a DAG; ContactReader asks it
        if not _REGION.fullmatch(self.region):
            raise ConfigurationError(
                f"region={self.region!r} is not a country. Write it in two capital letters, like US."
            )


class ContactReader:
    """Reads one row after the other of one source.

    :raises ConfigurationError: ``region`` is unknown.
    """

    def __init__(self, columns: ContactColumns) -> None:
        if not is_region(columns.region):
            raise ConfigurationError(
                f"region={columns.region!r} is not a country with phone numbers. Write its ISO 3166 code, like US."
            )
        self._columns = columns
        self._found: tuple[str, str | None, str | None] | None = None

    def read(self, row: Mapping[str, object]) -> Contact | Unusable:
        """The row's contact; or why it cannot be used.

        :raises ConfigurationError: the first row lacks a column.
        """
        phone_column, key_column, postal_code_column = self._found or self._find(row)
        region = self._columns.region
        key = None
        try:
            if key_column:
                key = canonical_key(row.get(key_column))
            phone = Phone.parse(row.get(phone_column), region=region)
        except ContactKeyError as error:
            return Unusable(None, f"key: {error}")
        except PhoneError as error:
            return Unusable(key, f"phone: {error}")
        postal_code = read_postal_code(row.get(postal_code_column), region=region) if postal_code_column else None
        return Contact(key or phone.e164, phone, postal_code, row)

    def read_key(self, row: Mapping[str, object]) -> str | None:
        """The contact key of the row, as ``read`` finds it; None: it has none that can be used.

        Where a column holds the keys, the number is not read.

        :raises ConfigurationError: the first row lacks a column.
        """
        phone_column, key_column, _postal_code_column = self._found or self._find(row)
        try:
            if key_column:
                return canonical_key(row.get(key_column))
            return Phone.parse(row.get(phone_column), region=self._columns.region).e164
        except (ContactKeyError, PhoneError):
            return None

    def _find(self, first: Mapping[str, object]) -> tuple[str, str | None, str | None]:
        columns = self._columns
        self._found = (
            find_column(columns.phone_column, first),
            columns.key_column and find_column(columns.key_column, first),
            columns.postal_code_column and find_column(columns.postal_code_column, first),
        )
        return self._found


def read_contacts(rows: Iterable[Mapping[str, object]], columns: ContactColumns) -> Iterator[Contact | Unusable]:
    """One contact, or one unusable row with its reason, for each row and in its order.

    :raises ConfigurationError: as :class:`ContactReader`; before any contact.
    """
    yield from map(ContactReader(columns).read, rows)


class TextError(ValueError):
    """A row whose text cannot be filled in; the message names the column and none of its values."""


@dataclass(frozen=True, slots=True)
class Template:
    """A text whose ``{column}`` fields take the values of a row.

    :param literals: the text between the fields; one more than there are columns.
    :param columns: the column of each field, in the order of the text; one may come twice.
    """

    literals: tuple[str, ...]
    columns: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """The template a user wrote: ``{column}`` is a field, ``{{`` and ``}}`` are braces.

        :raises ConfigurationError: anything else in braces, such as ``{}``, ``{a.b}``, ``{a!r}``, ``{a:>9}``.
        """
        literals = [""]
        columns: list[str] = []
        try:
            for literal, column, spec, conversion in Formatter().parse(text):
                literals[-1] += literal
                if column is None:
                    continue
                if spec or conversion or not _COLUMN.fullmatch(column):
                    raise ValueError("only {column} is a field")
                columns.append(column)
                literals.append("")
        except ValueError as error:
            raise ConfigurationError(
                f"A text cannot be read as a template: {error}. "
                "Write fields as {column}, a brace itself twice, and format values in the query."
            ) from None
        return cls(tuple(literals), tuple(columns))

    def render(self, row: Mapping[str, object]) -> str:
        """The text for one row.

        Values are stripped of the blanks around them. A whole number read as float is written without ``.0``, a Decimal
        as it is, a date or time in ISO 8601. An empty text is a value (write ``COALESCE(name, '')`` to allow for
        nothing there); NULL is none. Braces inside a value stay what they are.

        :raises ConfigurationError: the row has no such column.
        :raises TextError: a value is NULL, or of a kind that no text should hold, such as bytes or a truth value.
        """
        if not self.columns:
            return self.literals[0]
        parts = [self.literals[0]]
        for column, literal in zip(self.columns, self.literals[1:], strict=True):
            value = row[column] if column in row else row[find_column(column, row)]
            try:
                parts += (value.strip() if type(value) is str else as_text(value), literal)
            except TextError as error:
                raise TextError(f"{error} for {{{column}}}") from None
        text = "".join(parts)
        if not is_unicode(text):
            raise TextError("a column holds characters that are not Unicode text")
        return text


_COLUMN: Final = re.compile(r"[^.\[\]{}]+")
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def is_unicode(text: str) -> bool:
    """Whether a request can hold the text; JSON can hold half a character."""
    return text.isascii() or _SURROGATE.search(text) is None


def as_text(value: object) -> str:
    """A cell as text, the same whichever way the source hands it over: see :meth:`Template.render`.

    :raises TextError: NULL, or of a kind that no text should hold.
    """
    match value:
        case str():
            return value.strip()
        case None:
            raise TextError("no value")
        case bool():
            pass
        case int() | UUID():
            return str(value)
        case float() if isfinite(value):
            return str(int(value)) if value.is_integer() else str(float(value))
        case Decimal() if value.is_finite():
            return format(value, "f")
        case float() | Decimal():
            raise TextError("no finite value")
        case date() | time() if value == value:  # pandas.NaT is a date that is not itself
            return str(value)
        case Integral():
            return str(value)
        case _:
            pass
    raise TextError(f"a value of type {type(value).__name__}")
