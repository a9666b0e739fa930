"""Which of the vendor's contact fields take which columns of the source."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from airflow_provider_dropcowboy.api.lists import check_fields
from airflow_provider_dropcowboy.errors import ConfigurationError

PHONE: Final = "phone"
POSTAL: Final = "postal"

FieldMapping = Mapping[str, str | Sequence[str]]


@dataclass(frozen=True, slots=True)
class Fields:
    """The vendor's field of each value of a row, and the column it is taken from.

    :param names: API v1, contact fields; one may repeat, such as ``phone``.
    :param columns: as the user names them, one for each name.
    """

    names: tuple[str, ...]
    columns: tuple[str, ...]

    @classmethod
    def parse(cls, mapping: FieldMapping) -> Self:
        """The mapping a user wrote: the vendor's field to a column, or to a list of columns.

        :raises ConfigurationError: a field that the vendor does not know, no ``phone``, or no column.
        """
        written: object = mapping  # a DAG's arguments come unchecked
        if not isinstance(written, Mapping):
            raise _wrong(f"is a {type(written).__name__}")
        names: list[str] = []
        columns: list[str] = []
        for name, given in written.items():
            several = given if isinstance(given, list | tuple) else [given]
            if not several or not all(isinstance(column, str) and column for column in several):
                raise _wrong(f"names no column for {name}")
            for column in several:
                names.append(name)
                columns.append(column)
        check_fields(names)
        if PHONE not in names:
            raise _wrong(f"has no {PHONE}: a contact without a number cannot be reached")
        return cls(tuple(names), tuple(columns))

    def places_of(self, name: str) -> tuple[int, ...]:
        """Where a field stands in a row of values."""
        return tuple(place for place, found in enumerate(self.names) if found == name)


def _wrong(what: str) -> ConfigurationError:
    return ConfigurationError(
        f'fields {what}. Nothing was sent. Write them like {{"record_id": "id", "phone": ["mobile", "home"]}}.'
    )
