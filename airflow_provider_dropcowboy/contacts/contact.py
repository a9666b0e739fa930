"""From a row of the source to someone to reach, or a row that cannot be used."""

import re
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Final

from airflow_provider_dropcowboy.contacts.key import ContactKeyError, canonical_key
from airflow_provider_dropcowboy.contacts.postal_code import read_postal_code
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
    """The row's own spelling of a column: exactly as named, else the one that differs in upper and lower case alone.

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
