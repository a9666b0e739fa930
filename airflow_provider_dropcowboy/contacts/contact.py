"""What a row of the source becomes: someone to reach, or a row that cannot be used."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from airflow_provider_dropcowboy.phone import Phone


@dataclass(frozen=True, slots=True)
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
