"""What an account of API v2 has: readiness, voices, lines, webhooks, campaigns."""

from collections.abc import Mapping
from typing import Final

from airflow_provider_dropcowboy.api import _reading as reading
from airflow_provider_dropcowboy.api.catalog import Pool, Voice, Webhook
from airflow_provider_dropcowboy.api.readiness import Readiness
from airflow_provider_dropcowboy.api.replies import Call
from airflow_provider_dropcowboy.api.v2.calls import below, call, rows_of
from airflow_provider_dropcowboy.secret import Secret

READINESS: Final = "/register/public/integration-readiness"
WEBHOOKS: Final = "/register/public/webhooks"
CHECK_WEBHOOKS: Final = "List the webhooks: a second one for an address gets every event twice."


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
    path = below(WEBHOOKS, webhook_id)
    return call("DELETE", path, lambda _data: None, check="List the webhooks: it is gone, or delete it again.")


def campaign_counts(campaign_id: str) -> Call[Mapping[str, int]]:
    """``GET /campaign/public/campaigns/{id}/stats``: counts by their names."""
    path = below("/campaign/public/campaigns", campaign_id, "stats")
    return call("GET", path, lambda data: {str(name): int(value) for name, value in _counts(data)})


def _counts(data: object) -> list[tuple[str, int]]:
    return [
        (name, value)
        for name, value in reading.as_object(data).items()
        if isinstance(value, int) and not isinstance(value, bool)
    ]


def _readiness(data: object) -> Readiness:
    content = reading.as_object(data)
    funds = content.get("funds")
    funds = funds if isinstance(funds, dict) else {}
    numbers, byoc = content.get("numbers"), content.get("byoc")
    actions = content.get("next_actions")
    return Readiness(
        has_funds=reading.optional_flag(funds, "funds_ok") is not False,
        balance_usd=reading.optional_amount(funds, "balance"),
        number_count=reading.optional_count(numbers if isinstance(numbers, dict) else {}, "count") or 0,
        audio_url_allowed=bool(reading.optional_flag(content, "audio_url_allowed")),
        test_numbers_only=bool(reading.optional_flag(content, "test_numbers_only")),
        byoc_connected=reading.optional_flag(byoc if isinstance(byoc, dict) else {}, "connected"),
        next_actions=tuple(str(action) for action in actions) if isinstance(actions, list) else (),
    )


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
