"""From a row to a contact: which columns hold what, and what makes a row unusable."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from airflow_provider_dropcowboy.contacts.columns import find_column
from airflow_provider_dropcowboy.contacts.contact import Contact, Unusable
from airflow_provider_dropcowboy.contacts.key import ContactKeyError, canonical_key
from airflow_provider_dropcowboy.contacts.postal_code import read_postal_code
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.phone import Phone, PhoneError, is_region

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
