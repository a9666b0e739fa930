"""What became of one send: what an answer to it means. ``docs/answers.md`` shows the table, drawn from here.

Both versions answer alike. A 202 of API v2 says less: it is no verdict on number, content or credentials.
"""

import json
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from typing import Final

from airflow_provider_dropcowboy.api.reading import MAX_REASON_CHARACTERS, error_reason, read_json, refusal, scrub
from airflow_provider_dropcowboy.api.wire import LIMITED, Answer, Broken, NotWritten, Reply, retry_after_s

ODD_SHAPE: Final = (
    "Drop Cowboy accepted a message in other words than the documented ones: %s. A JSON object that names no refusal "
    "counts as accepted. See whether results arrive for these messages (docs/answers.md)"
)
"""A warning, with an outcome's ``odd_shape``: once a run."""

REFUSALS: Final = frozenset({401, 402, 403, 404, 405})
"""The request is wrong for every message alike: credentials, funds, route."""

REJECTIONS: Final = frozenset({400, 413, 415, 422})
"""The vendor read this message and refused it, if its body is JSON: a proxy's page or text proves nothing."""


class Outcome(StrEnum):
    """What one ask came to."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    RELEASED = "released"  # not accepted: may be sent again
    REFUSED = "refused"  # not accepted, and nothing else would be: the run stops
    UNKNOWN = "unknown"  # may have been accepted: it is not sent again


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


def read_send_answer(reply: Reply) -> SendOutcome:
    """What became of one ``POST /rvm`` or ``POST /sms``.

    Only an answer that proves that the message was not accepted lets it be sent again. A 503 with Retry-After is no
    such proof: proxies send it after they passed the request on.
    """
    match reply:
        case NotWritten(why=why):
            return SendOutcome(Outcome.RELEASED, f"not written: {why}")
        case Broken(why=why):
            return SendOutcome(Outcome.UNKNOWN, f"no answer: {why}")
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
    contrary. Accepted or unknown, the message is not sent again; only the count differs.
    """
    content = read_json(answer.body)
    match content:
        case {"rejected": [first, *_], "accepted_count": 0 | "0", **rest} if rest.get("status") != "queued":
            return SendOutcome(
                Outcome.REJECTED, error_reason(json.dumps(first).encode()) or "rejected without a reason"
            )
        case {"rejected": [_, *_], "accepted_count": _} | {"rejected": [_, *_], "status": "queued"}:
            return _in_doubt(answer, "accepted and rejected at once")
        case {"rejected": [_, *_]}:
            return _in_doubt(answer, "rejected, but it does not say that none was accepted")
        case {"status": "queued", "accepted_count": 0 | "0"}:
            return _in_doubt(answer, "accepted and rejected at once")
        case {"status": "queued"} | {"accepted_count": 1 | "1"}:
            return ACCEPTED
        case dict() if (words := refusal(answer.body)) is not None:
            return _in_doubt(answer, words)
        case dict():
            # its keys alone: what it says may be a person's
            return SendOutcome(Outcome.ACCEPTED, odd_shape=f"HTTP {answer.status} {{{scrub(', '.join(content))}}}")
        case _:
            return _in_doubt(answer, "not the documented answer")


def _in_doubt(answer: Answer, why: str) -> SendOutcome:
    return SendOutcome(Outcome.UNKNOWN, f"HTTP {answer.status}: {why}"[:MAX_REASON_CHARACTERS])


@lru_cache(maxsize=16)
def _read_usual(body: bytes) -> SendOutcome:
    """A 200, read once: nearly all answers of a run are the same bytes."""
    return _read_success(Answer(200, body))
