"""The rules of the API for credentials and fields; the refusal of a broken one names the field and not its value."""

import re
from collections.abc import Collection
from hmac import compare_digest
from typing import Final
from urllib.parse import urlsplit

from airflow_provider_dropcowboy.sandbox.settings import Settings
from airflow_provider_dropcowboy.sandbox.wire import Ask, RefusedError

MAX_FOREIGN_ID_CHARACTERS: Final = 256  # API v1, POST /rvm, foreign_id
MAX_SMS_CHARACTERS: Final = 160  # API v1, POST /sms, sms_body
AUDIO_TYPES: Final = frozenset({"mp3", "wav"})  # API v1, POST /rvm, audio_type

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_POSTAL_CODE = re.compile(r"[0-9]{5}(-[0-9]{4})?|[A-Za-z][0-9][A-Za-z] ?[0-9][A-Za-z][0-9]")


def require_headers(ask: Ask, settings: Settings) -> None:
    """``x-team-id`` and ``x-secret`` are the account's; every route wants them.

    :raises RefusedError: 401.
    """
    _require_credentials(ask.headers.get("x-team-id", ""), ask.headers.get("x-secret", ""), settings=settings)


def require_body_credentials(ask: Ask, settings: Settings) -> None:
    """``team_id`` and ``secret`` are in the body: the two sending routes read them nowhere else.

    :raises RefusedError: 401.
    """
    _require_credentials(ask.text("team_id"), ask.text("secret"), settings=settings)


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
    # as Node counts: an emoji is two
    if max_characters is not None and len(value.encode("utf-16-le", "surrogatepass")) // 2 > max_characters:
        raise RefusedError(400, f"Invalid {name}: at most {max_characters} characters", field_name=name)
    return value


def require_e164(ask: Ask, name: str) -> str:
    """A field that must be a number in E.164, such as ``+15045550100``.

    :raises RefusedError: 400.
    """
    value = required_text(ask, name)
    if not _E164.fullmatch(value):
        raise RefusedError(400, f"Invalid {name}: not in E.164", field_name=name)
    return value


def require_known(ask: Ask, name: str, *, known: Collection[str], is_required: bool) -> None:
    """A field that names one of the account's own things.

    :raises RefusedError: 400: missing where it is required, or unknown.
    """
    value = required_text(ask, name) if is_required else optional_text(ask, name)
    if value is not None and value not in known:
        raise RefusedError(400, f"Invalid {name}", field_name=name)


def require_postal_code(ask: Ask) -> None:
    """``postal_code``, where given, is like ``02101``, ``90210-0001`` or ``K1A 0B1``.

    :raises RefusedError: 400.
    """
    value = optional_text(ask, "postal_code")
    if value is not None and not _POSTAL_CODE.fullmatch(value):
        raise RefusedError(400, "Invalid postal_code", field_name="postal_code")


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


def _require_credentials(team_id: str, secret: str, *, settings: Settings) -> None:
    is_team = compare_digest(team_id.encode(), settings.team_id.encode())
    is_secret = compare_digest(secret.encode(), settings.secret.encode())
    if not (is_team and is_secret):
        raise RefusedError(401, "Unauthorized")
