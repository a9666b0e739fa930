"""Fields of a JSON object as typed values; a ValueError names a field that is needed, never its value."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Final, TypeVar

T = TypeVar("T")

MAX_AMOUNT_DIGITS: Final = 9
"""Before the decimal point: 1e999999 would overflow the sum it goes into."""
MAX_COUNT_DIGITS: Final = 18

_FLAGS: Final[Mapping[object, bool]] = {True: True, False: False, "true": True, "false": False, "1": True, "0": False}


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
    value = content.get(name)
    if value is None or value == "":
        raise ValueError(f"{name} is missing")
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError(f"{name} is not text")
    return str(value)


def count(content: Mapping[str, object], name: str) -> int:
    """A field that must be there and be a whole number from 0."""
    if content.get(name) is None:
        raise ValueError(f"{name} is missing")
    found = optional_count(content, name)
    if found is None:
        raise ValueError(f"{name} is not a count")
    return found


# a field that nobody needs decides nothing: where it cannot be read, it is None


def optional_text(content: Mapping[str, object], name: str) -> str | None:
    """A field as text; None: missing, empty, or neither text nor a whole number."""
    try:
        return text(content, name)
    except ValueError:
        return None


def optional_count(content: Mapping[str, object], name: str) -> int | None:
    """A field as a whole number from 0, also ``"5"`` and ``5.0``; None: missing, or none."""
    value = content.get(name)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= MAX_COUNT_DIGITS:
        return int(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or value % 1:
        return None
    return int(value)


def optional_flag(content: Mapping[str, object], name: str) -> bool | None:
    """A field as a truth value, also 1, 0 and their texts; None: missing, or none."""
    value = content.get(name)
    return _FLAGS.get(value.lower() if isinstance(value, str) else value) if isinstance(value, str | int) else None


def optional_instant(content: Mapping[str, object], name: str) -> datetime | None:
    """A field as an instant: milliseconds since 1970, or ISO 8601 with its offset; None: missing, or none."""
    value = content.get(name)
    try:
        if isinstance(value, str) and not value.isdecimal():
            instant = datetime.fromisoformat(value)
            return None if instant.tzinfo is None else instant.astimezone(UTC)
        milliseconds = optional_count(content, name)
        return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return None


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


def record(kind: type[T], content: Mapping[str, object], **written: str) -> T:
    """An object as a dataclass whose annotations say how each field is read; what is not optional must be there.

    :param written: the vendor's names of fields, where it has others than the class.
    """
    values = {
        item.name: _READERS[item.type](content, written.get(item.name, item.name))
        for item in fields(kind)  # type: ignore[arg-type]  # a dataclass
    }
    return kind(**values)


def records(kind: type[T], rows: Iterable[Mapping[str, object]], **written: str) -> tuple[T, ...]:
    """Objects as dataclasses: see :func:`record`."""
    return tuple(record(kind, row, **written) for row in rows)


_READERS: Final[Mapping[object, Callable[[Mapping[str, object], str], object]]] = {
    str: text,
    str | None: optional_text,
    int | None: optional_count,
    bool | None: optional_flag,
    datetime | None: optional_instant,
}
