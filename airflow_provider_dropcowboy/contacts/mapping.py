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
        # the list of regions is phonenumbers', too heavy for the parse of a DAG; read_contacts asks it
        if not _REGION.fullmatch(self.region):
            raise ConfigurationError(f"region={self.region!r} is no country. Write it in two capital letters, like US.")


def read_contacts(rows: Iterable[Mapping[str, object]], columns: ContactColumns) -> Iterator[Contact | Unusable]:
    """One contact, or one unusable row with its reason, for each row and in its order.

    :raises ConfigurationError: a column is missing from the first row, or ``region`` is unknown; before any contact.
    """
    region = columns.region
    if not is_region(region):
        raise ConfigurationError(
            f"region={region!r} is no country that has phone numbers. Write its ISO 3166 code, like US."
        )
    rows = iter(rows)
    first = next(rows, None)
    if first is None:
        return
    phone_column = find_column(columns.phone_column, first)
    key_column = columns.key_column and find_column(columns.key_column, first)
    postal_code_column = columns.postal_code_column and find_column(columns.postal_code_column, first)

    def read(row: Mapping[str, object]) -> Contact | Unusable:
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

    yield read(first)
    yield from map(read, rows)
