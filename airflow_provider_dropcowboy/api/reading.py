"""How a JSON body is read: its fields as typed values, and the vendor's words in it for people.

A ValueError names a field that is needed, never its value.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Final, TypeVar

T = TypeVar("T")

MAX_AMOUNT_DIGITS: Final = 9
"""Before the decimal point: 1e999999 would overflow the sum it goes into."""
MAX_COUNT_DIGITS: Final = 18
MAX_REASON_CHARACTERS: Final = 200
MAX_READ_CHARACTERS: Final = 2_000
"""Of a reason, before it is scrubbed; nobody writes a longer one for people."""
MAX_DEPTH: Final = 6
"""How deep a reason may stand in a body."""

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
        amount = value if isinstance(value, Decimal) else Decimal(str(value))
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


def error_reason(body: bytes) -> str | None:
    """The vendor's own words from a JSON body, without numbers and quoted values; None: no JSON, or no words in it."""
    text = _words(read_json(body))
    return scrub(text) if text else None


def refusal(body: bytes) -> str | None:
    """What in the JSON body of a 2xx says that the request was not carried out; None: nothing does.

    A key that names an error and holds something, a flag that is off, a word of failure, a status of 400 or more,
    and a count of nothing accepted: at any depth.
    """
    for key, value in _pairs(read_json(body)):
        is_set = bool(value) and value not in ("0", "false", "none", "null", "no", "ok", "success")
        if key in _ERROR_KEYS and is_set:
            return error_reason(body) or key
        if key in _FLAG_KEYS and value in (False, "false", "no", "0"):  # 0 is False
            return error_reason(body) or f"{key} is false"
        if key in _WORD_KEYS and _FAILED.search(str(value).lower()):
            return error_reason(body) or scrub(f"{key} {value}")
        if key == "accepted_count" and value not in (1, "1"):
            return error_reason(body) or "accepted_count is not 1"
    return None


def scrub(text: str) -> str:
    """The text in one line without what may be a person's: longer numbers and quoted values but for a field's name."""
    # no database stores every character: one NUL of the vendor's, and the whole batch of outcomes is refused for ever
    printable = "".join(char if char.isprintable() else " " for char in text[:MAX_READ_CHARACTERS])
    unquoted = _QUOTED.sub(_without_value, " ".join(printable.split()))
    return _NUMBER.sub("[number]", unquoted)[:MAX_REASON_CHARACTERS].rstrip()


def read_json(body: bytes) -> object:
    """The JSON value of a body; None if it is no JSON."""
    try:
        value: object = json.loads(body)
    except (ValueError, RecursionError):  # the latter for thousands of brackets
        return None
    return value


def _words(value: object, depth: int = 0) -> str:
    """The words for people in an error body, however a server's framework wraps them; with the field they are about."""
    match value:
        case str():
            return value
        case list() if depth < MAX_DEPTH:
            items = (_words(item, depth + 1) for item in value[:MAX_DEPTH] if not isinstance(item, list))
            return "; ".join(words for words in items if words)
        case dict() if depth < MAX_DEPTH:
            return _own_words(value, depth) or _words_by_field(value, depth)
        case _:
            return ""


def _own_words(content: dict[str, object], depth: int) -> str:
    for key in _REASON_KEYS:
        words = _words(content.get(key), depth + 1)
        if words and words not in _PHRASES:  # Nest says "Bad Request" beside the words that matter
            field = next((content[name] for name in _FIELD_KEYS if content.get(name) in _FIELD_NAMES), None)
            return f"{field}: {words}" if field and str(field) not in words else words
    return next((words for key in _REASON_KEYS if (words := _words(content.get(key), depth + 1))), "")


def _words_by_field(content: dict[str, object], depth: int) -> str:
    """``{"phone_number": ["is invalid"]}``. A text beside a field at the top may be that field of the request."""
    found = [
        f"{field}: {words}"
        for field, value in content.items()
        if field in _FIELD_NAMES and (depth or isinstance(value, list)) and (words := _words(value, depth + 1))
    ]
    return "; ".join(found)


def _pairs(value: object) -> Iterator[tuple[str, object]]:
    """Each key of a JSON value, in lower case, with its value (texts stripped, in lower case), at any depth."""
    stack = [value]
    while stack:
        match stack.pop():
            case dict() as content:
                for key, inner in content.items():
                    yield key.lower(), inner.strip().lower() if isinstance(inner, str) else inner
                    stack.append(inner)
            case list() as items:
                stack.extend(items)
            case _:
                pass


def _without_value(quoted: re.Match[str]) -> str:
    text = quoted[0]
    return text if text[1:-1] in _FIELD_NAMES else f"{text[0]}…{quoted['end']}"


_REASON_KEYS: Final = (
    "errors", "error", "message", "messages", "msg", "reason", "detail", "details", "error_description", "description",
    "title",
)  # fmt: skip
_FIELD_KEYS: Final = ("field", "param", "path", "property")
_PHRASES: Final = frozenset(status.phrase for status in HTTPStatus)
_ERROR_KEYS: Final = frozenset(
    {"error", "errors", "error_code", "error_message", "error_description", "exception", "fault", "failure", "failures",
     "failed", "rejected", "rejected_count", "rejections", "invalid"}
)  # fmt: skip
_FLAG_KEYS: Final = frozenset({"success", "successful", "ok", "accepted", "queued", "sent", "valid"})
_WORD_KEYS: Final = frozenset(
    {"status", "state", "result", "outcome", "code", "status_code", "statuscode", "message", "msg"}
)
_FAILED: Final = re.compile(
    r"fail|\berr|reject|refus|declin|invalid|denied|deny|forbid|unauth|block|spam|cancel|abort|expire|exceed|missing"
    r"|insufficient|undeliver|unsuccess|unable|cannot|\bnot?\b|^[45][0-9][0-9]$|^false$|^bad"
)
# a quote that is never closed runs to the end; one after a letter is an apostrophe
_QUOTED = re.compile(
    r"""(?:"[^"]*|`[^`]*|“[^”]*|«[^»]*|(?<!\w)['‘](?:[^'’]|['’](?=\w))*)(?P<end>["`”»'’]?)""",
)
# five digits or more, whatever stands between them: a postal code, and every phone number
_NUMBER = re.compile(r"\+?\d(?:\W{0,3}\d){4,}")
_FIELD_NAMES = frozenset(
    {"team_id", "secret", "foreign_id", "brand_id", "phone_number", "recording_id", "voice_id", "tts_body", "audio_url",
     "audio_type", "forwarding_number", "phone_ivr_id", "pool_id", "postal_code", "callback_url", "byoc", "caller_id",
     "sms_body", "opt_in"}
)  # fmt: skip


def http_date(text: str) -> datetime | None:
    """An HTTP date, aware, in UTC; None if it is none."""
    try:
        instant = parsedate_to_datetime(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter for a last day of the year 9999 in another zone
        return None
