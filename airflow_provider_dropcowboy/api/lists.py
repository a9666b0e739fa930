"""Contact lists at the vendor, and the calls that change them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from airflow_provider_dropcowboy.api.replies import Call
from airflow_provider_dropcowboy.errors import AmbiguousError, ConfigurationError

MAX_CONTACTS: Final = 10_000  # API v1, POST /list/{list_id}/contacts
CONTACT_FIELDS: Final = frozenset(
    {
        "record_id", "first_name", "last_name", "company", "email", "phone", "address1", "address2", "city", "state",
        "postal", "country", "custom1", "custom2", "custom3", "custom4", "custom5",
    }
)  # fmt: skip
"""API v1, contact fields. A field may repeat: two phones are ``phone`` twice."""

Cell = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class ContactList:
    """A contact list as the vendor describes it.

    :param contact_count: None where the route does not tell it (after creating).
    """

    list_id: str
    list_name: str | None = None
    created_at: datetime | None = None
    contact_count: int | None = None


@dataclass(frozen=True, slots=True)
class RejectedRow:
    """A row that was not taken into the list.

    :param index: from 0, in the values that were given.
    :param reason: the vendor's, without numbers and quoted values.
    """

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class AppendResult:
    """What became of the rows of an append."""

    accepted_count: int
    rejected: tuple[RejectedRow, ...] = ()

    def check_rows(self, rows: int) -> None:
        """Nothing, if the answer accounts for each row once.

        :raises AmbiguousError: it does not.
        """
        indexes = {row.index for row in self.rejected}
        if self.accepted_count + len(indexes) != rows or any(index >= rows for index in indexes):
            raise AmbiguousError(
                f"Of {rows} rows the answer accepts {self.accepted_count} and rejects {len(indexes)}; "
                "which rows are in the list is not known."
            )


class ListRoutes(Protocol):
    """The calls of a version of the API that keeps contact lists."""

    def create_list(self, list_name: str) -> Call[ContactList]:
        """There is a new list; two lists may have one name."""
        ...

    def get_list(self, list_id: str) -> Call[ContactList]:
        """The list, with its ``contact_count``."""
        ...

    def rename_list(self, list_id: str, list_name: str) -> Call[None]:
        """The list has another name."""
        ...

    def delete_list(self, list_id: str) -> Call[None]:
        """The list is gone, for good."""
        ...

    def append_contacts(
        self, list_id: str, fields: Sequence[str], *, values: Sequence[Sequence[Cell]], region: str = "US"
    ) -> Call[AppendResult]:
        """Up to ``MAX_CONTACTS`` rows are in the list, but for those that the result names."""
        ...


def check_fields(fields: Sequence[str]) -> None:
    """Nothing, if the vendor knows these fields.

    :raises ConfigurationError: it does not; the text names those it knows.
    """
    if isinstance(fields, str):
        raise ConfigurationError(f"fields is the text {fields!r}. No contact was sent. Write a list: [{fields!r}].")
    unknown = sorted(set(fields) - CONTACT_FIELDS)
    if unknown or not fields:
        named = ", ".join(unknown) or "none given"
        raise ConfigurationError(
            f"Drop Cowboy does not know these contact fields: {named}. No contact was sent. "
            f"Use {', '.join(sorted(CONTACT_FIELDS))}."
        )
