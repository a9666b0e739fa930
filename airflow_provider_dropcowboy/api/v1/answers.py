"""What an answer to one send means (API v1). ``docs/answers.md`` shows the table, drawn from here."""

import json
from functools import lru_cache
from typing import Final

from airflow_provider_dropcowboy.api.answers import (
    ACCEPTED,
    LIMITED,
    Outcome,
    SendOutcome,
    error_reason,
    in_doubt,
    read_json,
    read_unanswered,
    refusal,
    retry_after_s,
    scrub,
)
from airflow_provider_dropcowboy.api.wire import Answer, Broken, NotWritten, Reply

REFUSALS: Final = frozenset({401, 402, 403, 404, 405})
"""The request is wrong for every message alike: credentials, funds, route."""
REJECTIONS: Final = frozenset({400, 413, 415, 422})
"""The vendor read this message and refused it, if its body is JSON: a proxy's page or text proves nothing."""


def read_send_answer(reply: Reply) -> SendOutcome:
    """What became of one ``POST /rvm`` or ``POST /sms``.

    Only an answer that proves that the message was not taken lets it be asked again. A 503 with Retry-After is no such
    proof: proxies send it after they passed the request on.
    """
    match reply:
        case NotWritten() | Broken():
            return read_unanswered(reply)
        case Answer(status=200):
            return _read_usual(reply.body)
        case Answer(status=status) if status == LIMITED:
            return SendOutcome(Outcome.RELEASED, "HTTP 429: too many requests", retry_after_s(reply))
        case Answer(status=status) if status in REFUSALS:
            return SendOutcome(Outcome.REFUSED, ": ".join(filter(None, (f"HTTP {status}", error_reason(reply.body)))))
        case Answer(status=status) if 200 <= status < 300:
            return _read_success(reply)
        case Answer(status=status) if status in REJECTIONS and isinstance(read_json(reply.body), dict | list | str):
            return SendOutcome(Outcome.REJECTED, error_reason(reply.body) or f"HTTP {status} without a reason")
        case _:
            return SendOutcome(Outcome.UNKNOWN, f"HTTP {reply.status}: may have been accepted")


def _read_success(answer: Answer) -> SendOutcome:
    """Accepted needs a JSON object that names no refusal: a 200 page of a proxy is no acceptance, and no proof of the
    contrary. Accepted or unknown, nobody is asked again; only the count is other.
    """
    content = read_json(answer.body)
    match content:
        case {"rejected": [first, *_], "accepted_count": 0 | "0", **rest} if rest.get("status") != "queued":
            return SendOutcome(
                Outcome.REJECTED, error_reason(json.dumps(first).encode()) or "rejected without a reason"
            )
        case {"rejected": [_, *_], "accepted_count": _} | {"rejected": [_, *_], "status": "queued"}:
            return in_doubt(answer, "accepted and rejected at once")
        case {"rejected": [_, *_]}:
            return in_doubt(answer, "rejected, but it does not say that none was accepted")
        case {"status": "queued", "accepted_count": 0 | "0"}:
            return in_doubt(answer, "accepted and rejected at once")
        case {"status": "queued"} | {"accepted_count": 1 | "1"}:
            return ACCEPTED
        case dict() if (words := refusal(answer.body)) is not None:
            return in_doubt(answer, words)
        case dict():
            # its keys alone: what it says may be a person's
            return SendOutcome(Outcome.ACCEPTED, odd_shape=f"HTTP {answer.status} {{{scrub(', '.join(content))}}}")
        case _:
            return in_doubt(answer, "not the documented answer")


@lru_cache(maxsize=16)
def _read_usual(body: bytes) -> SendOutcome:
    """A 200, read once: nearly all answers of a run are the same bytes."""
    return _read_success(Answer(200, body))
