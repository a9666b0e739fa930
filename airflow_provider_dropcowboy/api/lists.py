"""Contact lists at the vendor: what they are, and what one append may hold."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import isfinite
from typing import Final

from airflow_provider_dropcowboy.errors import AmbiguousError, ConfigurationError

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
    """A row that the list did not accept.

    :param index: from 0, in the values that were given.
    :param reason: the vendor's, without numbers and quoted values.
    """

    index: int
    reason: str


@dataclass(frozen=True, slots=True)
class AppendResult:
    """What became of the rows of an append.

    :param contact_ids: the vendor's IDs of accepted rows, by their index from 0; API v1 names none.
    """

    accepted_count: int
    rejected: tuple[RejectedRow, ...] = ()
    contact_ids: Mapping[int, str] = field(default_factory=dict)

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


@dataclass(frozen=True, slots=True, kw_only=True)
class ListRules:
    """What one version of the API can do with contact lists.

    :param max_rows: of one append.
    :param fields: of a contact, in the words that hold for every version.
    :param only_adds: it can add contacts to a list that is there, one number each, and nothing else: what to do in
        place of all else; whole sentences. None: it can do everything.
    """

    max_rows: int
    fields: frozenset[str] = CONTACT_FIELDS
    only_adds: str | None = None

    def check(self, fields: Sequence[str]) -> None:
        """Nothing, if a contact of these fields can be added.

        :raises ConfigurationError: the text names the fields that this version knows.
        """
        check_fields(fields, known=self.fields)
        if self.only_adds is not None and list(fields).count("phone") != 1:
            raise ConfigurationError(
                "A contact of API v2 has one number. No contact was sent. Name exactly one column for phone."
            )

    def check_rows(self, fields: Sequence[str], values: Sequence[Sequence[Cell]]) -> None:
        """Nothing, if one append can hold these rows.

        :raises ConfigurationError: too many, or a row that is not one value a field; nothing was sent.
        """
        if not 0 < len(values) <= self.max_rows:
            raise ConfigurationError(
                f"One append takes 1 to {self.max_rows:,} contacts, not {len(values):,}. None was sent."
            )
        for index, row in enumerate(values):
            if type(row) is not list or len(row) != len(fields) or not {*map(type, row)} <= _PLAIN:
                _check_row(index, row, fields)


def check_fields(fields: Sequence[str], *, known: Collection[str] = CONTACT_FIELDS) -> None:
    """Nothing, if the vendor knows these fields.

    :raises ConfigurationError: it does not; the text names those it knows.
    """
    if isinstance(fields, str):
        raise ConfigurationError(f"fields is the text {fields!r}. No contact was sent. Write a list: [{fields!r}].")
    unknown = sorted(set(fields) - set(known))
    if unknown or not fields:
        named = ", ".join(unknown) or "none given"
        raise ConfigurationError(
            f"Drop Cowboy does not know these contact fields: {named}. No contact was sent. "
            f"Use {', '.join(sorted(known))}."
        )


_PLAIN: Final = frozenset({str, int, type(None)})
"""Types of cells that need no closer look."""


def _check_row(index: int, row: Sequence[Cell], fields: Sequence[str]) -> None:
    kind: object = row  # a warehouse's rows come untyped
    if isinstance(kind, str | bytes | Mapping) or not isinstance(kind, Sequence):
        # a dict's items are its keys, a text's its letters: they would be stored as a contact, for good
        raise ConfigurationError(
            f"Row {index} is a {type(row).__name__}. No contact was sent. Give each row as a list of values in the "
            "order of fields; of a dict: [row[name] for name in columns]."
        )
    if len(row) != len(fields):
        raise ConfigurationError(
            f"Row {index} has {len(row)} values for {len(fields)} fields. No contact was sent. "
            "Give every row one value a field; None where there is none."
        )
    for name, cell in zip(fields, row, strict=True):
        value: object = cell
        # a Decimal or NaN would fail when the body is written: too late, if other appends went before
        if not (value is None or isinstance(value, str | int) or (isinstance(value, float) and isfinite(value))):
            raise ConfigurationError(
                f"Row {index} holds a {type(cell).__name__} in {name} that JSON has no word for. No contact was sent. "
                "Give text, numbers or None; dates and decimals as text."
            )
