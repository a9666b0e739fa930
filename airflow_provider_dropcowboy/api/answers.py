"""What an answer to one send means. The whole table stands here, and in ``docs/answers.md``, which is drawn from it."""

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import Final

from airflow_provider_dropcowboy.api.wire import Answer, Broken, NotWritten, Reply

LIMITED: Final = 429
REFUSALS: Final = frozenset({401, 402, 403, 404, 405})
"""The request is wrong for every message alike: credentials, funds, route."""
REJECTIONS: Final = frozenset({400, 413, 422})
"""The vendor read this message and refused it, if its body says why."""
MAX_RETRY_AFTER_S: Final = 300.0
MAX_REASON_CHARACTERS: Final = 200
MAX_READ_CHARACTERS: Final = 2_000
"""Of a reason, before it is scrubbed; nobody writes a longer one for people."""


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
    """

    kind: Outcome
    reason: str = ""
    retry_after_s: float | None = None


ACCEPTED: Final = SendOutcome(Outcome.ACCEPTED)


def read_send_answer(reply: Reply) -> SendOutcome:
    """What became of one ``POST /rvm`` or ``POST /sms``.

    Only an answer that proves that the message was not taken lets it be asked again. A 503 with Retry-After is no such
    proof: proxies send it after they passed the request on.
    """
    match reply:
        case NotWritten(why=why):
            return SendOutcome(Outcome.RELEASED, f"not written: {why}")
        case Broken(why=why):
            return SendOutcome(Outcome.UNKNOWN, f"no answer: {why}")
        case Answer(status=status) if status == LIMITED:
            return SendOutcome(Outcome.RELEASED, "HTTP 429: too many requests", retry_after_s(reply))
        case Answer(status=status) if status in REFUSALS:
            return SendOutcome(Outcome.REFUSED, _with_reason(f"HTTP {status}", reply.body))
        case Answer(status=status) if 200 <= status < 300:
            return _read_success(reply)
        case Answer(status=status) if status in REJECTIONS and (reason := error_reason(reply.body)):
            return SendOutcome(Outcome.REJECTED, reason)
        case _:
            return SendOutcome(Outcome.UNKNOWN, f"HTTP {reply.status}: may have been taken")


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
    """The vendor's own words from an error body, without numbers and quoted values; None: not readable as its JSON."""
    content = read_json(body)
    if not isinstance(content, dict):
        return None
    for key in ("error", "message", "reason", "errors", "detail"):
        text = _words(content.get(key))
        if text:
            return scrub(text)
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


def _read_success(answer: Answer) -> SendOutcome:
    """Accepted needs the documented JSON: a 200 page of a proxy is no acceptance, and no proof of the contrary."""
    match read_json(answer.body):
        case {"rejected": [first, *_], "accepted_count": 0, **rest} if rest.get("status") != "queued":
            return SendOutcome(
                Outcome.REJECTED, error_reason(json.dumps(first).encode()) or "rejected without a reason"
            )
        case {"rejected": [_, *_]} | {"status": "queued", "accepted_count": 0}:
            return SendOutcome(Outcome.UNKNOWN, f"HTTP {answer.status}: accepted and rejected at once")
        case {"status": "queued"} | {"accepted_count": 1}:
            return ACCEPTED
        case _:
            return SendOutcome(Outcome.UNKNOWN, f"HTTP {answer.status}: not the documented answer")


def _with_reason(status: str, body: bytes) -> str:
    reason = error_reason(body)
    return f"{status}: {reason}" if reason else status


def _words(value: object) -> str:
    match value:
        case str():
            return value
        case list():
            return "; ".join(words for item in value if not isinstance(item, list) and (words := _words(item)))
        case {"message": str(message)} | {"reason": str(message)} | {"error": str(message)}:
            return message
        case _:
            return ""


def _without_value(quoted: re.Match[str]) -> str:
    text = quoted[0]
    return text if text[1:-1] in _FIELD_NAMES else f"{text[0]}…{quoted['end']}"


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
