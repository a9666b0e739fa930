"""A request before it is written, what came back, and what that means: for a send, and for any other call."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final, Generic, Literal, TypeVar, assert_never

from airflow_provider_dropcowboy import errors
from airflow_provider_dropcowboy.api.reading import (
    MAX_REASON_CHARACTERS,
    error_reason,
    http_date,
    read_json,
    refusal,
    scrub,
)
from airflow_provider_dropcowboy.row_value import row_value

Method = Literal["GET", "POST", "PUT", "DELETE"]
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

LIMITED: Final = 429
CREDENTIAL_REFUSALS: Final = frozenset({401, 402, 403})
"""Credentials, funds, rights."""
ROUTE_REFUSALS: Final = frozenset({404, 405})
REJECTIONS: Final = frozenset({400, 413, 415, 422})
"""The vendor read this request and refused it. Of a send only if the body is JSON: a proxy's page proves nothing."""
MAX_RETRY_AFTER_S: Final = 300.0

ODD_SHAPE: Final = (
    "Drop Cowboy accepted a message in other words than the documented ones: %s. A JSON object that names no refusal "
    "counts as accepted. See whether results arrive for these messages (docs/answers.md)"
)
"""A warning, with an outcome's ``odd_shape``: once a run."""


@row_value()
class Request:
    """One call of a route.

    :param path: below the base URL, with a leading slash.
    :param headers: beside those that every request of the account has.
    :param is_safe: asking twice does no harm (GET).
    :param site_scope: of a route that is open to a site's token alone, and never to the account's own credentials.
    """

    method: Method
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: Mapping[str, object] | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    is_safe: bool = False
    site_scope: str = ""


@dataclass(frozen=True, slots=True)
class Site:
    """Where a site's token opens routes.

    :param headers: in place of those of the account.
    """

    base_url: str
    headers: Mapping[str, str] = field(repr=False)

    def tokens(self) -> tuple[str, ...]:
        """The credentials in its headers, without the word before them."""
        return tuple(value.rpartition(" ")[2] for value in self.headers.values())


@row_value()
class Answer:
    """A whole HTTP answer was read."""

    status: int
    body: bytes = field(default=b"", repr=False)
    retry_after: str | None = None
    date: str | None = None


@dataclass(frozen=True, slots=True)
class NotWritten:
    """No byte of the request left this process: the vendor surely did not take it.

    :param why: for people; no URL, credential or number in it.
    """

    why: str


@dataclass(frozen=True, slots=True)
class Broken:
    """The request was written, at least in part, and no whole answer came back: it may have been carried out.

    :param why: for people; no URL, credential or number in it.
    """

    why: str


Reply = Answer | NotWritten | Broken


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
    """What became of one ``POST /rvm`` or ``POST /sms``. ``docs/answers.md`` shows the table, drawn from here.

    Both versions answer alike. A 202 of API v2 says less: it is no verdict on number, content or credentials.
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
        case Answer(status=status) if status in CREDENTIAL_REFUSALS | ROUTE_REFUSALS:
            return SendOutcome(Outcome.REFUSED, ": ".join(filter(None, (f"HTTP {status}", error_reason(reply.body)))))
        case Answer(status=status) if 200 <= status < 300:
            return _read_success(reply)
        case Answer(status=status) if status in REJECTIONS and isinstance(read_json(reply.body), dict | list | str):
            return SendOutcome(Outcome.REJECTED, error_reason(reply.body) or f"HTTP {status} without a reason")
        case _:
            return SendOutcome(Outcome.UNKNOWN, f"HTTP {reply.status}: may have been accepted")


@dataclass(frozen=True, slots=True)
class Call(Generic[T_co]):
    """A request, and how its answer is read.

    :param read: the answer's value, from a 2xx; raises ValueError if it is not the documented one.
    :param check: what to look at, if the call may have been carried out; a whole sentence.
    """

    request: Request
    read: Callable[[Answer], T_co]
    check: str = ""


def read_reply(call: Call[T], reply: Reply) -> T:
    """The value of the call.

    :raises AuthenticationError: 401, 402 or 403.
    :raises RejectedError: 400, 404, 405, 413, 415 or 422, with the vendor's reason.
    :raises NotTakenError: it was not carried out: nothing was written, or 429.
    :raises AmbiguousError: a call that changes something, and whether it did is not known.
    :raises VendorError: a call that changes nothing failed in another way.
    """
    match reply:
        case Answer(status=status) if 200 <= status < 300:
            try:
                return call.read(reply)
            except ValueError as error:
                unreadable = f"HTTP {status} came back, but not the documented answer ({error})"
            raise _unclear(call, unreadable)
        case Answer():
            raise _answer_error(call, reply)
        case NotWritten(why=why):
            raise _not_taken(call, why)
        case Broken(why=why):
            raise _unclear(call, f"no whole answer came back ({why})")
        case _:
            assert_never(reply)


def may_ask_again(request: Request, reply: Reply) -> bool:
    """Whether asking again at once does no harm and may help."""
    match reply:
        case NotWritten() | Answer(status=429):
            return True
        case Broken():
            return request.is_safe
        case Answer(status=status):
            return request.is_safe and status >= 500
        case _:
            assert_never(reply)


def retry_after_s(reply: Reply) -> float | None:
    """Seconds of a ``Retry-After``, given as such or as an HTTP date, which counts from the answer's own ``Date``.

    None: the vendor did not say how long it wants to be left alone.
    """
    if not isinstance(reply, Answer) or not (text := (reply.retry_after or "").strip()):
        return None
    if text.isascii() and text.isdigit():
        return min(float(text), MAX_RETRY_AFTER_S)
    if (until := http_date(text)) is None:
        return None
    since = http_date(reply.date or "") or datetime.now(UTC)
    return min(max((until - since).total_seconds(), 0.0), MAX_RETRY_AFTER_S)


def _answer_error(call: Call[T], answer: Answer) -> errors.VendorError:
    reason = error_reason(answer.body)
    said = f"HTTP {answer.status}: {reason}" if reason else f"HTTP {answer.status}"
    if answer.status in CREDENTIAL_REFUSALS:
        return errors.AuthenticationError(
            f"Drop Cowboy refused {_name(call)} ({said}). Nothing was changed. "
            "Check the team id (login) and the secret (password) of the connection, and what the account may do."
        )
    if answer.status in ROUTE_REFUSALS | REJECTIONS:
        where = " Check the id, and the host of the connection." if answer.status in ROUTE_REFUSALS else ""
        return errors.RejectedError(f"Drop Cowboy refused {_name(call)} ({said}). Nothing was changed.{where}")
    if answer.status == LIMITED:
        return _not_taken(call, said)
    return _unclear(call, said)


def _not_taken(call: Call[T], why: str) -> errors.NotTakenError:
    return errors.NotTakenError(f"{_name(call)} was not carried out ({why}). Nothing was changed; it may be repeated.")


def _unclear(call: Call[T], why: str) -> errors.VendorError:
    if call.request.is_safe:
        return errors.VendorError(
            f"{_name(call)} failed: {why}. Nothing was changed; it may be repeated. "
            "If it stays so, check the host of the connection, and any proxy on the way."
        )
    return errors.AmbiguousError(
        f"{_name(call)} may have been carried out: {why}. Do not repeat it before you looked. {call.check}"
    )


def _name(call: Call[T]) -> str:
    return f"{call.request.method} {call.request.path}"


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
