"""What became of one send, and how the vendor's words for it are read. What an answer means, each version says."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Final

from airflow_provider_dropcowboy.api.wire import Answer, Broken, NotWritten

LIMITED: Final = 429
ODD_SHAPE: Final = (
    "Drop Cowboy accepted a message in other words than the documented ones: %s. A JSON object that names no refusal "
    "counts as accepted. See whether results arrive for these messages (docs/answers.md)"
)
"""A warning, with an outcome's ``odd_shape``: once a run."""
MAX_RETRY_AFTER_S: Final = 300.0
MAX_REASON_CHARACTERS: Final = 200
MAX_READ_CHARACTERS: Final = 2_000
"""Of a reason, before it is scrubbed; nobody writes a longer one for people."""
MAX_DEPTH: Final = 6
"""How deep a reason may stand in a body."""


class Outcome(StrEnum):
    """What one ask came to."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    RELEASED = "released"  # surely not taken: may be asked again
    REFUSED = "refused"  # surely not taken, and nothing else would be: the run stops
    UNKNOWN = "unknown"  # may have been taken: nobody asks again


@dataclass(frozen=True, slots=True)
class SendOutcome:
    """An outcome with its reason.

    :param reason: for people and for counting; without numbers and quoted values.
    :param retry_after_s: how long to leave the vendor alone, at most ``MAX_RETRY_AFTER_S``; None: it did not say.
    :param odd_shape: of an acceptance in other words than the documented ones: the keys of its body, no value.
    """

    kind: Outcome
    reason: str = ""
    retry_after_s: float | None = None
    odd_shape: str | None = None


ACCEPTED: Final = SendOutcome(Outcome.ACCEPTED)


def read_unanswered(reply: NotWritten | Broken) -> SendOutcome:
    """What became of a send to which no whole answer came."""
    match reply:
        case NotWritten(why=why):
            return SendOutcome(Outcome.RELEASED, f"not written: {why}")
        case Broken(why=why):
            return SendOutcome(Outcome.UNKNOWN, f"no answer: {why}")


def in_doubt(answer: Answer, why: str) -> SendOutcome:
    """An answer that proves nothing."""
    return SendOutcome(Outcome.UNKNOWN, f"HTTP {answer.status}: {why}"[:MAX_REASON_CHARACTERS])


def retry_after_s(answer: Answer) -> float | None:
    """Seconds of a ``Retry-After``, given as such or as an HTTP date, which counts from the answer's own ``Date``."""
    text = (answer.retry_after or "").strip()
    if not text:
        return None
    if text.isascii() and text.isdigit():
        return min(float(text), MAX_RETRY_AFTER_S)
    until = http_date(text)
    if until is None:
        return None
    since = http_date(answer.date or "") or datetime.now(UTC)
    return min(max((until - since).total_seconds(), 0.0), MAX_RETRY_AFTER_S)


def http_date(text: str) -> datetime | None:
    """An HTTP date, aware, in UTC; None if it is none."""
    try:
        instant = parsedate_to_datetime(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter for a last day of the year 9999 in another zone
        return None


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
    [
        "team_id",
        "secret",
        "foreign_id",
        "brand_id",
        "phone_number",
        "recording_id",
        "voice_id",
        "tts_body",
        "audio_url",
        "audio_type",
        "forwarding_number",
        "phone_ivr_id",
        "pool_id",
        "postal_code",
        "callback_url",
        "byoc",
        "caller_id",
        "sms_body",
        "opt_in",
    ]
)
