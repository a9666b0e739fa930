"""What a reply to anything but a send means: the value that was asked for, or an error that says what to do.

What an answer to a send means stands in ``answers``.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Generic, TypeVar, assert_never

from airflow_provider_dropcowboy.api.answers import LIMITED, error_reason, retry_after_s
from airflow_provider_dropcowboy.api.wire import Answer, Broken, NotWritten, Reply, Request
from airflow_provider_dropcowboy.errors import (
    AmbiguousError,
    AuthenticationError,
    NotTakenError,
    RejectedError,
    VendorError,
)

CREDENTIAL_REFUSALS: Final = frozenset({401, 402, 403})
"""Credentials, funds, rights."""
REFUSALS: Final = frozenset({400, 404, 405, 413, 415, 422})
"""The vendor read the request and did not carry it out."""

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)


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
    """The value that was asked for.

    :raises AuthenticationError: 401, 402 or 403.
    :raises RejectedError: 400, 404, 405, 413, 415 or 422, with the vendor's reason.
    :raises NotTakenError: surely not carried out: nothing was written, or 429.
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


def wanted_pause_s(reply: Reply) -> float | None:
    """How long the vendor wants to be left alone; None: it did not say."""
    return retry_after_s(reply) if isinstance(reply, Answer) else None


def _read_success(call: Call[T], answer: Answer) -> T:
    try:
        return call.read(answer)
    except ValueError as error:
        unreadable = f"HTTP {answer.status} came back, but not the documented answer ({error})"
    raise _unclear(call, unreadable)


def _answer_error(call: Call[T], answer: Answer) -> VendorError:
    reason = error_reason(answer.body)
    said = f"HTTP {answer.status}: {reason}" if reason else f"HTTP {answer.status}"
    if answer.status in CREDENTIAL_REFUSALS:
        return AuthenticationError(
            f"Drop Cowboy refused {_name(call)} ({said}). Nothing was changed. "
            "Check the team id (login) and the secret (password) of the connection, and what the account may do."
        )
    if answer.status in REFUSALS:
        where = " Check the id, and the host of the connection." if answer.status in {404, 405} else ""
        return RejectedError(f"Drop Cowboy refused {_name(call)} ({said}). Nothing was changed.{where}")
    if answer.status == LIMITED:
        return _not_taken(call, said)
    return _unclear(call, said)


def _not_taken(call: Call[T], why: str) -> NotTakenError:
    return NotTakenError(f"{_name(call)} was not carried out ({why}). Nothing was changed; it may be repeated.")


def _unclear(call: Call[T], why: str) -> VendorError:
    if call.request.is_safe:
        return VendorError(
            f"{_name(call)} failed: {why}. Nothing was changed; it may be repeated. "
            "If it stays so, check the host of the connection, and any proxy on the way."
        )
    return AmbiguousError(
        f"{_name(call)} may have been carried out: {why}. Do not repeat it before you looked. {call.check}"
    )


def _name(call: Call[T]) -> str:
    return f"{call.request.method} {call.request.path}"
