"""What was asked and what is answered, apart from sockets."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final


@dataclass(frozen=True, slots=True)
class Ask:
    """One request to a route of the API, read to its end.

    :param body: the JSON object; empty for a route without a body, or when it could not be read.
    :param problem: why the body could not be read; empty when it could.
    :param list_id: from the path, for the routes of a list.
    """

    route: str
    headers: Mapping[str, str] = field(repr=False)
    body: Mapping[str, object] = field(default_factory=dict, repr=False)
    query: Mapping[str, str] = field(default_factory=dict)
    list_id: str = ""
    problem: str = ""

    def text(self, name: str) -> str:
        """A field of the body if it is text, else empty."""
        value = self.body.get(name)
        return value if isinstance(value, str) else ""

    def names(self) -> tuple[str, ...]:
        """What a fault can be aimed at."""
        texts = (self.text("foreign_id"), self.text("phone_number"), self.text("list_name"), self.list_id)
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
    """

    def __init__(self, status: int, reason: str, *, field_name: str = "") -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
        self.field_name = field_name

    def answer(self) -> Answer:
        """The refusal as the API words it."""
        body = {"error": self.reason}
        if self.field_name:
            body["field"] = self.field_name
        return json_answer(body, status=self.status)


def json_answer(body: object, *, status: int = 200) -> Answer:
    """An answer with a JSON body."""
    return Answer(status, json.dumps(body).encode())


QUEUED: Final = json_answer({"status": "queued"})
"""API v1, POST /rvm and POST /sms: taken."""
