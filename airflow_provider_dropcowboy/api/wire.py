"""A request before it is written, what came back, and what that means to all but a send, which ``answers`` reads."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final, Generic, Literal, TypeVar, assert_never

from airflow_provider_dropcowboy import errors
from airflow_provider_dropcowboy.api.reading import error_reason

Method = Literal["GET", "POST", "PUT", "DELETE"]
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

LIMITED: Final = 429
CREDENTIAL_REFUSALS: Final = frozenset({401, 402, 403})
"""Credentials, funds, rights."""
REFUSALS: Final = frozenset({400, 404, 405, 413, 415, 422})
"""The vendor read the request and did not carry it out."""
MAX_RETRY_AFTER_S: Final = 300.0


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
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
            return _read_success(call, reply)
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
    until = http_date(text)
    if until is None:
        return None
    since = http_date(reply.date or "") or datetime.now(UTC)
    return min(max((until - since).total_seconds(), 0.0), MAX_RETRY_AFTER_S)


def http_date(text: str) -> datetime | None:
    """An HTTP date, aware, in UTC; None if it is none."""
    try:
        instant = parsedate_to_datetime(text)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):  # the latter for a last day of the year 9999 in another zone
        return None


def _read_success(call: Call[T], answer: Answer) -> T:
    try:
        return call.read(answer)
    except ValueError as error:
        unreadable = f"HTTP {answer.status} came back, but not the documented answer ({error})"
    raise _unclear(call, unreadable)


def _answer_error(call: Call[T], answer: Answer) -> errors.VendorError:
    reason = error_reason(answer.body)
    said = f"HTTP {answer.status}: {reason}" if reason else f"HTTP {answer.status}"
    if answer.status in CREDENTIAL_REFUSALS:
        return errors.AuthenticationError(
            f"Drop Cowboy refused {_name(call)} ({said}). Nothing was changed. "
            "Check the team id (login) and the secret (password) of the connection, and what the account may do."
        )
    if answer.status in REFUSALS:
        where = " Check the id, and the host of the connection." if answer.status in {404, 405} else ""
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
