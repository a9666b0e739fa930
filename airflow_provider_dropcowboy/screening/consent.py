"""Whether a row says that its person consented."""

from decimal import Decimal
from typing import Final

_YES: Final = frozenset({"true", "t", "yes", "y", "1"})


def has_consent(value: object) -> bool:
    """Only a clear yes is one: ``True``, 1, or the texts true, t, yes, y, 1. NULL, dates, other numbers are none."""
    if isinstance(value, str):
        return value.strip().lower() in _YES
    if isinstance(value, Decimal):  # how Oracle and Snowflake hand over a NUMBER(1)
        return value.is_finite() and value == 1
    return value is True or (isinstance(value, (int, float)) and value == 1)
