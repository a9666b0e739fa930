"""Fields of a JSON object as typed values; a ValueError names the field, never its value."""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final

MAX_AMOUNT_DIGITS: Final = 9
"""Before the decimal point: 1e999999 would overflow the sum it goes into."""


def as_object(value: object) -> Mapping[str, object]:
    """The value, which must be a JSON object."""
    if not isinstance(value, dict):
        raise ValueError("not a JSON object")
    return value


def as_objects(value: object) -> list[Mapping[str, object]]:
    """The value, which must be a JSON array of objects."""
    if not isinstance(value, list):
        raise ValueError("not a JSON array")
    return [as_object(item) for item in value]


def text(content: Mapping[str, object], name: str) -> str:
    """A field that must be there, as text; ids may come as numbers."""
    found = optional_text(content, name)
    if found is None:
        raise ValueError(f"{name} is missing")
    return found


def optional_text(content: Mapping[str, object], name: str) -> str | None:
    """A field as text; None: missing, null or empty."""
    value = content.get(name)
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{name} is not text")
    return str(value)


def count(content: Mapping[str, object], name: str) -> int:
    """A field that must be there and be a whole number from 0."""
    found = optional_count(content, name)
    if found is None:
        raise ValueError(f"{name} is missing")
    return found


def optional_count(content: Mapping[str, object], name: str) -> int | None:
    """A field as a whole number from 0; None: missing or null."""
    value = content.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{name} is not a count")
    return value


def optional_flag(content: Mapping[str, object], name: str) -> bool | None:
    """A field as a truth value; None: missing or null."""
    value = content.get(name)
    if value is not None and not isinstance(value, bool):
        raise ValueError(f"{name} is neither true nor false")
    return value


def optional_instant_ms(content: Mapping[str, object], name: str) -> datetime | None:
    """A field in milliseconds since 1970 as an instant; None: missing or null."""
    value = optional_count(content, name)
    if value is None:
        return None
    try:
        return datetime.fromtimestamp(value / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        raise ValueError(f"{name} is no instant in milliseconds") from None


def optional_amount(content: Mapping[str, object], name: str) -> Decimal | None:
    """A field as an amount of money; None: missing, null or no sensible amount."""
    value = content.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
        return None
    try:
        amount = Decimal(str(value))
    except InvalidOperation:
        return None
    return amount if amount.is_finite() and amount.adjusted() < MAX_AMOUNT_DIGITS else None
