"""A request, its answer in the words of either version, and the rules for its fields, apart from sockets.

The refusal of a wrong field names it and not its value.
"""

import json
import re
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")

ERRORS_URL: Final = "https://api-v2.dropcowboy.com/errors/"

CODES: Final[Mapping[int, str]] = {
    400: "validation-failed",
    401: "unauthorized",
    402: "payment-required",
    403: "insufficient-scope",
    404: "not-found",
    429: "too-many-requests",
    500: "internal-server-error",
}
"""API v2, section 13: the usual code of a status."""
E164: Final = re.compile(r"\+[1-9][0-9]{6,14}")


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to a route of the API, read to its end.

    :param body: the JSON object; empty for a route without a body, or when it could not be read.
    :param problem: why the body could not be read; empty when it could.
    :param item_id: from the path, such as a list's id.
    :param raw: of an upload, which is no JSON.
    :param is_v2: the route is one of API v2.
    :param contact_number: of the contact that a send of API v2 names by ``contact_id``.
    """

    route: str
    headers: Mapping[str, str] = field(repr=False)
    body: Mapping[str, object] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict)
    item_id: str = ""
    problem: str = ""
    raw: bytes = field(default=b"", repr=False)
    is_v2: bool = False
    contact_number: str = field(default="", repr=False)

    def text(self, name: str) -> str:
        """A field of the body if it is text, else empty."""
        value = self.body.get(name)
        return value if isinstance(value, str) else ""

    @property
    def recipient(self) -> str:
        """Whom a send is for: a number, or on v2 the id of a contact that is not known."""
        return self.text("phone_number") or self.text("to") or self.contact_number or self.text("contact_id")

    @property
    def key(self) -> str:
        """The ``Idempotency-Key`` of a v2 send; empty where there is none."""
        return self.headers.get("Idempotency-Key", "") if self.is_v2 else ""

    def names(self) -> tuple[str, ...]:
        """What a fault can be aimed at."""
        texts = (self.text("foreign_id"), self.recipient, self.text("list_name"), self.item_id)
        return tuple(text for text in texts if text)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back: whole, with its length."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)


CarryOut = Callable[[Ask], Answer]
"""Does what a route is for, at once and whole, and says what came of it."""


class RefusedError(Exception):
    """The request is wrong; nothing was done.

    :param field_name: of the body, where one is to blame; the reason names it too.
    :param code: of API v2; empty for the usual code of the status.
    """

    def __init__(self, status: int, reason: str, *, field_name: str = "", code: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.field_name = field_name
        self.code = code

    def answer(self, ask: Ask) -> Answer:
        """The refusal as the request's version of the API words it."""
        if ask.is_v2:
            return refused(self.status, self.reason, code=self.code)
        body = {"error": self.reason}
        if self.field_name:
            body["field"] = self.field_name
        return json_answer(body, status=self.status)


def json_answer(body: object, *, status: int = 200) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, json.dumps(body).encode())


QUEUED: Final = json_answer({"status": "queued"})
"""API v1, POST /rvm and POST /sms: accepted."""


def queued() -> Answer:
    """API v2, POST /rvm and POST /sms: 202 says that the request was read, not that it is right."""
    return json_answer({"status": "queued", "message_id": str(uuid.uuid4())}, status=202)


def enveloped(found: object, *, status: int = 200) -> Answer:
    """A success of every route but the sends."""
    return json_answer({"data": found, "meta": {"request_id": str(uuid.uuid4())}}, status=status)


def refused(status: int, reason: str, *, code: str = "") -> Answer:
    """An error in one of the two shapes: that with ``type``, or with ``message`` for the codes of single routes."""
    code = code or CODES.get(status, "error")
    request_id = str(uuid.uuid4())
    if "_" in code:
        body: dict[str, object] = {"message": reason, "detail": {"code": code, "reason": reason}}
    else:
        body = {
            "type": ERRORS_URL + code,
            "title": code.replace("-", " ").capitalize(),
            "status": status,
            "detail": reason,
            "request_id": request_id,
        }
    return Answer(status, json.dumps(body).encode(), headers={"x-request-id": request_id})


def worded(answer: Answer, ask: Ask) -> Answer:
    """What a fault answers on v1, as the request's version of the API words it."""
    if not ask.is_v2:
        return answer
    if answer.body == QUEUED.body:
        return replace(queued(), headers=answer.headers)
    if not answer.body or not answer.content_type.startswith("application/json"):
        return answer
    body = json.loads(answer.body)
    if isinstance(body, dict) and "error" in body:
        error = refused(answer.status, str(body["error"]))
        return replace(error, headers={**error.headers, **answer.headers})
    return replace(answer, status=202 if answer.status == 200 else answer.status)


def require_body(ask: Ask) -> None:
    """The body is a JSON object.

    :raises RefusedError: 400.
    """
    if ask.problem:
        raise RefusedError(400, ask.problem)


def required_text(ask: Ask, name: str, *, max_characters: int | None = None) -> str:
    """A field that must be there as text.

    :raises RefusedError: 400: missing, empty, not text, or too long.
    """
    if ask.body.get(name) in (None, ""):
        raise RefusedError(400, f"Missing {name}", field_name=name)
    return optional_text(ask, name, max_characters=max_characters) or ""


def optional_text(ask: Ask, name: str, *, max_characters: int | None = None) -> str | None:
    """A field that may be there, and is text then.

    :raises RefusedError: 400: empty, not text, or too long.
    """
    value = ask.body.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value.strip():
        raise RefusedError(400, f"Invalid {name}: must be text", field_name=name)
    if max_characters is not None and length_of(value) > max_characters:
        raise RefusedError(400, f"Invalid {name}: at most {max_characters} characters", field_name=name)
    return value


def length_of(text: str) -> int:
    """Characters of a text, as Node counts: an emoji is two."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def require_e164(ask: Ask, name: str) -> str:
    """A field that must be a number in E.164, such as ``+15045550100``.

    :raises RefusedError: 400.
    """
    value = required_text(ask, name)
    if not E164.fullmatch(value):
        raise RefusedError(400, f"Invalid {name}: not in E.164", field_name=name)
    return value


def item_of(ask: Ask, things: Mapping[str, T], *, noun: str, item_id: str = "") -> T:
    """The thing that the path names, or another one.

    :raises RefusedError: 404.
    """
    if (found := things.get(item_id or ask.item_id)) is None:
        raise RefusedError(404, f"{noun} not found")
    return found


def now_ms() -> int:
    """Milliseconds since 1970, as both versions write an instant."""
    return time.time_ns() // 1_000_000


def whole_number(ask: Ask, name: str, *, missing: int) -> int:
    """A number of the query, from 0 on.

    :raises RefusedError: 400.
    """
    value = ask.query.get(name, str(missing))
    if not value.isascii() or not value.isdigit():
        raise RefusedError(400, f"Invalid {name}", field_name=name)
    return int(value)


def require_url(ask: Ask, name: str) -> None:
    """A field that, where given, is an absolute http(s) URL.

    :raises RefusedError: 400.
    """
    value = optional_text(ask, name)
    if value is None:
        return
    try:
        parts = urlsplit(value)
    except ValueError:
        raise RefusedError(400, f"Invalid {name}", field_name=name) from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise RefusedError(400, f"Invalid {name}", field_name=name)
