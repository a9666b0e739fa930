"""Whether a row says that its person consented."""

from typing import Final

_YES: Final = frozenset({"true", "t", "yes", "y", "1"})


def has_consent(value: object) -> bool:
    """Only a clear yes is one: ``True``, 1, or the texts true, t, yes, y, 1. NULL, dates, other numbers are none."""
    if isinstance(value, str):
        return value.strip().lower() in _YES
    return value is True or (isinstance(value, (int, float)) and value == 1)
