"""What an account of API v2 has: readiness, voices, lines, webhooks, campaigns, media; and how any call is made.

A media file is imported from the web, or uploaded in three steps.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar
from urllib.parse import quote

from airflow_provider_dropcowboy.api import reading
from airflow_provider_dropcowboy.api.account import Pool, Readiness, Recording, Upload, Voice, Webhook
from airflow_provider_dropcowboy.api.wire import Answer, Call, Method, Request
from airflow_provider_dropcowboy.argument_kinds import is_id
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.secret import Secret

T = TypeVar("T")

READINESS: Final = "/register/public/integration-readiness"
WEBHOOKS: Final = "/register/public/webhooks"
CHECK_WEBHOOKS: Final = "List the webhooks: a second one for an address gets every event twice."
MEDIA: Final = "/media/public/media"
_NAMES: Final = {"api_allowed": "media_exists"}
_LOOK: Final = "`dropcowboy media` lists what is there; a file without media_exists cannot be sent."


def call(
    method: Method,
    path: str,
    read: Callable[[object], T],
    *,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, object] | None = None,
    check: str = "",
    site_scope: str = "",
) -> Call[T]:
    """A call whose answer holds its value in ``data``.

    :param read: from ``data``; raises ValueError if it is not the documented one.
    """
    request = Request(method, path, query=query or {}, body=body, is_safe=method == "GET", site_scope=site_scope)
    return Call(request, lambda answer: read(_data(answer)), check=check)


def below(path: str, item_id: str, *rest: str) -> str:
    """The path of one thing; its id cannot lead to another route.

    :raises ConfigurationError: nothing has such an id.
    """
    if not is_id(item_id):
        raise ConfigurationError(f"{item_id!r} is not an ID. Nothing was sent. Copy it from Drop Cowboy.")
    return "/".join((path, quote(item_id, safe=""), *rest))


def rows_of(data: object, name: str) -> list[Mapping[str, object]]:
    """The objects of an array that ``data`` names."""
    return reading.as_objects(reading.as_object(data).get(name))


def readiness() -> Call[Readiness]:
    """``GET /register/public/integration-readiness``."""
    return call("GET", READINESS, _readiness)


def voices() -> Call[tuple[Voice, ...]]:
    """``GET /voice/public/voices``: only those of status ``ready`` can be used."""
    return call("GET", "/voice/public/voices", lambda data: reading.records(Voice, rows_of(data, "voices")))


def lines(kind: str | None = None) -> Call[tuple[Pool, ...]]:
    """``GET /phone/public/lines``.

    :param kind: ``voice`` or ``sms``; None: both.
    """
    return call(
        "GET",
        "/phone/public/lines",
        lambda data: reading.records(Pool, reading.as_objects(data), pool_id="ivr_id", service_type="type"),
        query={} if kind is None else {"type": kind},
    )


def webhooks() -> Call[tuple[Webhook, ...]]:
    """``GET /register/public/webhooks``: never with a secret."""
    return call("GET", WEBHOOKS, lambda data: tuple(map(_webhook, reading.as_objects(data))))


def register_webhook(hook_url: str, *, event_types: tuple[str, ...], name: str) -> Call[Webhook]:
    """``POST /register/public/webhooks``: the answer holds the signing secret, this once.

    :param hook_url: public HTTPS.
    """
    body = {"hook_url": hook_url, "event_types": list(event_types), "name": name}
    return call("POST", WEBHOOKS, lambda data: _webhook(reading.as_object(data)), body=body, check=CHECK_WEBHOOKS)


def rotate_secret(webhook_id: str) -> Call[Webhook]:
    """``POST …/{id}/rotate-secret``: the old secret is dead at once."""
    return call(
        "POST",
        below(WEBHOOKS, webhook_id, "rotate-secret"),
        lambda data: _webhook(reading.as_object(data)),
        body={},
        check="Rotate it again: only the secret that was answered last is valid.",
    )


def delete_webhook(webhook_id: str) -> Call[None]:
    """``DELETE /register/public/webhooks/{id}``."""
    check = "List the webhooks: it is gone, or delete it again."
    return call("DELETE", below(WEBHOOKS, webhook_id), _read_deletion, check=check)


def campaign_counts(campaign_id: str) -> Call[Mapping[str, int]]:
    """``GET /campaign/public/campaigns/{id}/stats``: counts by their names."""
    path = below("/campaign/public/campaigns", campaign_id, "stats")
    return call("GET", path, lambda data: {str(name): int(value) for name, value in _counts(data)})


def media() -> Call[tuple[Recording, ...]]:
    """``GET /media/public/media``: a file's ``media_id`` is what a voicemail names."""
    return call("GET", MEDIA, lambda data: reading.records(Recording, rows_of(data, "medias"), **_NAMES))


def get_media(media_id: str) -> Call[Recording]:
    """``GET /media/public/media/{id}``."""
    return call(
        "GET", below(MEDIA, media_id), lambda data: reading.record(Recording, reading.as_object(data), **_NAMES)
    )


def import_media(name: str, url: str) -> Call[str]:
    """``POST /media/public/media`` with a URL: the media_id of a file that is ready at once."""
    return call("POST", MEDIA, _media_id, body={"name": name, "url": url, "type": "rvm"}, check=_LOOK)


def begin_upload(name: str) -> Call[Upload]:
    """``POST /media/public/media``, the first step: where the bytes go, for each type of file."""
    body = {"name": name, "type": "rvm", "signed_upload": True}
    return call("POST", MEDIA, lambda data: _upload(reading.as_object(data)), body=body, check=_LOOK)


def complete_upload(media_id: str) -> Call[str]:
    """``POST …/{id}/complete``, the third step: from now on the file can be sent."""
    return call("POST", below(MEDIA, media_id, "complete"), _media_id, body={}, check=_LOOK)


def _data(answer: Answer) -> object:
    content = reading.as_object(reading.read_json(answer.body))
    if "data" not in content:
        raise ValueError("no data in it")
    return content["data"]


def _read_deletion(data: object) -> None:
    if reading.optional_flag(reading.as_object(data), "result") is False:
        raise ValueError("result is false")


def _counts(data: object) -> list[tuple[str, int]]:
    return [
        (name, value)
        for name, value in reading.as_object(data).items()
        if isinstance(value, int) and not isinstance(value, bool)
    ]


def _readiness(data: object) -> Readiness:
    content = reading.as_object(data)
    funds = _dict(content, "funds")
    actions = content.get("next_actions")
    return Readiness(
        has_funds=reading.optional_flag(funds, "funds_ok") is not False,
        balance_usd=reading.optional_amount(funds, "balance"),
        number_count=reading.optional_count(_dict(content, "numbers"), "count"),
        audio_url_allowed=reading.optional_flag(content, "audio_url_allowed") is not False,
        test_numbers_only=bool(reading.optional_flag(content, "test_numbers_only")),
        byoc_connected=reading.optional_flag(_dict(content, "byoc"), "connected"),
        next_actions=tuple(str(action) for action in actions) if isinstance(actions, list) else (),
    )


def _dict(content: Mapping[str, object], name: str) -> Mapping[str, object]:
    found = content.get(name)
    return found if isinstance(found, dict) else {}


def _webhook(row: Mapping[str, object]) -> Webhook:
    events = row.get("event_types")
    secret = reading.optional_text(row, "signing_secret")
    return Webhook(
        webhook_id=reading.text(row, "webhook_id"),
        hook_url=reading.optional_text(row, "hook_url") or reading.optional_text(row, "url"),
        event_types=tuple(map(str, events)) if isinstance(events, list) else (),
        name=reading.optional_text(row, "name"),
        signing_secret=Secret(secret) if secret else None,
    )


def _media_id(data: object) -> str:
    return reading.text(reading.as_object(data), "media_id")


def _upload(content: Mapping[str, object]) -> Upload:
    found = {kind: each for kind, each in reading.as_object(content.get("upload")).items() if isinstance(each, dict)}
    return Upload(
        media_id=reading.text(content, "media_id"),
        targets={
            kind: (reading.text(target, "url"), reading.text(target, "content_type")) for kind, target in found.items()
        },
    )
