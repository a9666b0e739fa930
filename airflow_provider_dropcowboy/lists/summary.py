"""What a sync came to, in counts."""

from collections import Counter
from dataclasses import dataclass, field

from airflow_provider_dropcowboy.lists.wanted import Standing


@dataclass(slots=True)
class Tally:
    """Rows that were read, and those of them that are not to be in the list.

    :ivar wanted: rows that are.
    :ivar unreadable_suppressions: entries of the suppression list that were let pass although they are no numbers.
    """

    invalid: int = 0
    suppressed: int = 0
    duplicate: int = 0
    wanted: int = 0
    unreadable_suppressions: int = 0
    reasons: Counter[str] = field(default_factory=Counter)

    @property
    def read(self) -> int:
        """All rows so far."""
        return self.invalid + self.suppressed + self.duplicate + self.wanted


@dataclass(frozen=True, slots=True, kw_only=True)
class ListSummary:
    """Counts of one sync. ``added`` to ``duplicate`` add up to ``read``.

    :param list_id: the vendor's id of the list now.
    :param contact_count: what the list holds now, by the vendor's answers.
    :param changed: rows whose values changed; a list that is appended to keeps the old ones, unless told otherwise.
    :param unchanged: rows that were in the list before.
    :param rejected: rows that the vendor refused, now or before with the same values.
    :param unknown: rows that may be in the list, and are not appended again.
    :param removed: contacts that are not in the list any more.
    :param appends: calls that appended, tried ones too.
    :param calls: all calls.
    :param left_over: names of empty lists that may be there: the answers to their creating were lost.
    """

    list_name: str
    list_id: str | None
    contact_count: int
    read: int
    added: int
    changed: int
    unchanged: int
    rejected: int
    unknown: int
    invalid: int
    suppressed: int
    duplicate: int
    removed: int
    is_rebuilt: bool
    appends: int
    calls: int
    left_over: tuple[str, ...]
    seconds: float
    unreadable_suppressions: int = 0

    def counts(self) -> dict[str, int]:
        """The counts alone."""
        names = (
            "read", *(standing.value for standing in Standing), "invalid", "suppressed", "duplicate", "removed",
            "contact_count", "appends", "calls",
        )  # fmt: skip
        return {name: int(getattr(self, name)) for name in names}

    def as_dict(self) -> dict[str, object]:
        """As XCom and JSON have it."""
        return {
            "list_name": self.list_name,
            "list_id": self.list_id,
            **self.counts(),
            "is_rebuilt": self.is_rebuilt,
            "left_over": list(self.left_over),
            "seconds": round(self.seconds, 3),
            **({"unreadable_suppressions": self.unreadable_suppressions} if self.unreadable_suppressions else {}),
        }

    def __str__(self) -> str:
        names = (*(standing.value for standing in Standing), "invalid", "suppressed", "duplicate")
        counts = ", ".join(f"{count} {name}" for name in names if (count := int(getattr(self, name)))) or "nothing"
        rows = "1 row" if self.read == 1 else f"{self.read} rows"
        how = "rebuilt" if self.is_rebuilt else "in place"
        return (
            f"contact list {self.list_name} ({self.list_id}), {how}: {rows} read: {counts}; {self.removed} removed; "
            f"the list holds {self.contact_count}; {self.seconds:.1f} s, API calls: {self.calls}"
        )
