"""How API v2 words its answers and its errors."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from airflow_provider_dropcowboy.sandbox.protocol import QUEUED, Answer, Ask, RefusedError, json_answer
from airflow_provider_dropcowboy.sandbox.settings import Settings

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


def reworded(answer: Answer) -> Answer:
    """What a fault answers on v1, in the words of v2."""
    if answer.body == QUEUED.body:
        return replace(queued(), headers=answer.headers)
    if not answer.body or not answer.content_type.startswith("application/json"):
        return answer
    body = json.loads(answer.body)
    if isinstance(body, dict) and "error" in body:
        error = refused(answer.status, str(body["error"]))
        return replace(error, headers={**error.headers, **answer.headers})
    return replace(answer, status=202 if answer.status == 200 else answer.status)


def require_key(ask: Ask, settings: Settings) -> None:
    """``x-key`` and ``x-secret`` are the account's; every route but the sends checks them at once.

    :raises RefusedError: 401.
    """
    if not is_account(ask, settings):
        raise RefusedError(401, "Unauthorized")


def is_account(ask: Ask, settings: Settings) -> bool:
    """Whether a request's key and secret are the account's."""
    return (ask.headers.get("x-key"), ask.headers.get("x-secret")) == (settings.key, settings.secret)
