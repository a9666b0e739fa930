"""What is posted about a send: one callback, and an event to each webhook of API v2 that hears of it.

A callback has one attempt, as at the vendor. A webhook's delivery is signed, and tried three times.
"""

import hmac
import json
import time
import uuid
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from airflow_provider_dropcowboy.sandbox import protocol
from airflow_provider_dropcowboy.sandbox.protocol import Answer, Ask, RefusedError, enveloped
from airflow_provider_dropcowboy.sandbox.results import fraction
from airflow_provider_dropcowboy.sandbox.state import Letter, Outbox, Send, State, key_of

TIMEOUT_S: Final = 10.0  # API v1, delivery callback: one attempt, 10 s
MAX_SHOWN: Final = 100
WEBHOOK_TIMEOUT_S: Final = 5.0  # API v2, section 6
WAITS_S: Final = (60.0, 300.0)
"""API v2, section 6: the second attempt about a minute after the first, the third five minutes after the second."""

MAX_WEBHOOKS: Final = 50  # API v2, section 5
MAX_NAME_CHARACTERS: Final = 100

MakeBody = Callable[[], dict[str, object]]


class Callbacks:
    """Posts the result of every take that has a ``callback_url``, a while after the request."""

    def __init__(self, state: State, outbox: Outbox) -> None:
        self._state = state
        self._outbox = outbox
        self.reset()

    def reset(self) -> None:
        """Counts are zero."""
        self.planned = 0
        self.done = 0
        self.by_outcome: Counter[str] = Counter()
        self.by_answer: Counter[str] = Counter()
        self.last: deque[dict[str, str]] = deque(maxlen=MAX_SHOWN)

    def tell(self, ask: Ask, send: Send, *, outcome: str, make_body: MakeBody) -> None:
        """One callback of this outcome is due after ``callback_delay_s``.

        :param make_body: called when it is due, because the body names that moment.
        """
        self.by_outcome[outcome] += 1
        if outcome == "silent":
            send.callback = "silent"
        elif not ask.text("callback_url").startswith("http"):
            send.callback = "no callback_url"
        else:
            self.planned += 1
            self._outbox.later(
                self._state.settings.callback_delay_s,
                partial(self._letter, ask, make_body),
                record=partial(self._record, ask, send, outcome),
            )

    def shown(self) -> dict[str, object]:
        """Counts, and the last callbacks with how they were answered."""
        return {
            "planned": self.planned,
            "done": self.done,
            "by_outcome": dict(self.by_outcome),
            "by_answer": dict(self.by_answer),
            "last": list(self.last),
        }

    def _letter(self, ask: Ask, make_body: MakeBody) -> Letter | None:
        if fraction("lost", key_of(ask)) < self._state.settings.callback_lost:
            return None
        return Letter(ask.text("callback_url"), json.dumps(make_body()).encode(), TIMEOUT_S)

    def _record(self, ask: Ask, send: Send, outcome: str, answer: str) -> None:
        send.callback = answer = answer or "lost"
        self.done += 1
        self.by_answer[answer] += 1
        self.last.append({"foreign_id": key_of(ask), "outcome": outcome, "answer": answer})


def sign(secret: str, *, timestamp: str, raw: bytes) -> str:
    """``X-Signature`` of a delivery (API v2, section 6)."""
    return f"sha256={hmac.new(secret.encode(), timestamp.encode() + b'.' + raw, 'sha256').hexdigest()}"


@dataclass(slots=True)
class Webhook:
    """One registered address.

    :param secret_created_at: milliseconds since the epoch.
    """

    hook_url: str
    event_types: list[str]
    name: str | None = None
    webhook_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    secret: str = field(default_factory=lambda: str(uuid.uuid4()), repr=False)
    secret_created_at: int = field(default_factory=protocol.now_ms)

    def shown(self) -> dict[str, object]:
        """Without its secret."""
        return {
            "webhook_id": self.webhook_id,
            "name": self.name,
            "hook_url": self.hook_url,
            "url": self.hook_url,
            "event_types": self.event_types,
            "hook_type": self.event_types[0] if len(self.event_types) == 1 else None,
            "signing_secret_created_at": self.secret_created_at,
        }

    def with_secret(self, *names: str) -> dict[str, object]:
        """Some of its fields, and its secret."""
        return {**{name: value for name, value in self.shown().items() if name in names}, "signing_secret": self.secret}


class Webhooks:
    """The account's webhooks and what is on its way to them.

    An address that refuses the connection is not tried again. The vendor does not say what it does then.
    """

    def __init__(self, state: State, outbox: Outbox) -> None:
        self._state = state
        self._outbox = outbox
        self.reset()

    def reset(self) -> None:
        """No webhook is registered, and the counts are zero."""
        self._by_id: dict[str, Webhook] = {}
        self.planned = 0
        self.done = 0
        self.attempts: Counter[str] = Counter()
        self.last: deque[dict[str, object]] = deque(maxlen=MAX_SHOWN)

    def shown(self) -> dict[str, object]:
        """The webhooks, counts of deliveries, and the last attempts with how they were answered."""
        return {
            "webhooks": [hook.shown() for hook in self._by_id.values()],
            "planned": self.planned,
            "done": self.done,
            "attempts": dict(self.attempts),
            "last": list(self.last),
        }

    def emit(self, event: str, told: Mapping[str, object], *, delay_s: float = 0.0) -> int:
        """Every webhook of this event hears of it; how many do.

        Each webhook gets an ``event_id`` of its own. Whether the vendor shares it among them is not known.
        """
        heard = [hook for hook in self._by_id.values() if {event, "*"} & set(hook.event_types)]
        for hook in heard:
            event_id = str(uuid.uuid4())
            body = {"event_id": event_id, "event": event, "event_at": protocol.now_ms(), "data": told}
            raw = json.dumps(body, separators=(",", ":")).encode()
            times = 2 if fraction("twice", event_id) < self._state.settings.webhook_twice else 1
            for copy in range(times):
                late_s = fraction(f"late {copy}", event_id) * self._state.settings.webhook_spread_s
                self.planned += 1
                self._later(delay_s + late_s, hook.webhook_id, event_id, raw, attempt=1)
        return len(heard)

    def register(self, ask: Ask) -> Answer:
        """``POST /register/public/webhooks``: a second one for an address is another, and both hear of everything."""
        protocol.require_body(ask)
        if len(self._by_id) >= MAX_WEBHOOKS:
            raise RefusedError(400, f"At most {MAX_WEBHOOKS} webhooks", code="webhook_limit")
        hook = Webhook("", [])
        self._change(hook, ask, is_new=True)
        self._by_id[hook.webhook_id] = hook
        return enveloped(hook.with_secret(*hook.shown()), status=201)

    def show(self, ask: Ask) -> Answer:
        """``GET /register/public/webhooks``, or one of them by its id."""
        if ask.item_id:
            return enveloped(self._find(ask).shown())
        return enveloped([hook.shown() for hook in self._by_id.values()])

    def update(self, ask: Ask) -> Answer:
        """``PUT /register/public/webhooks/{id}``: id and secret stay."""
        hook = self._find(ask)
        protocol.require_body(ask)
        if not {"hook_url", "event_types", "name"} & set(ask.body):
            raise RefusedError(400, "Nothing to update", code="nothing_to_update")
        self._change(hook, ask, is_new=False)
        return enveloped(hook.shown())

    def delete(self, ask: Ask) -> Answer:
        """``DELETE /register/public/webhooks/{id}``."""
        del self._by_id[self._find(ask).webhook_id]
        return enveloped({"result": True})

    def rotate(self, ask: Ask) -> Answer:
        """``POST …/{id}/rotate-secret``: the old secret signs nothing from now on, retries included."""
        hook = self._find(ask)
        hook.secret = str(uuid.uuid4())
        hook.secret_created_at = protocol.now_ms()
        return enveloped(hook.with_secret("webhook_id", "signing_secret_created_at"))

    def secrets(self, _ask: Ask) -> Answer:
        """``GET /register/public/account/webhook-signing-secret``: one for each webhook."""
        hooks = self._by_id.values()
        return enveloped([hook.with_secret("webhook_id", "event_types", "hook_type") for hook in hooks])

    def _change(self, hook: Webhook, ask: Ask, *, is_new: bool) -> None:
        events = ask.body.get("event_types", None if is_new else hook.event_types)
        if not isinstance(events, list) or not events or not all(isinstance(event, str) for event in events):
            raise RefusedError(400, "Invalid event_types: an array of event names", field_name="event_types")
        if is_new and not ask.text("hook_url"):
            raise RefusedError(400, "Missing hook_url", field_name="hook_url")
        # the vendor wants a public HTTPS address; a test has none
        protocol.require_url(ask, "hook_url")
        if len(ask.text("name")) > MAX_NAME_CHARACTERS:
            raise RefusedError(400, f"Invalid name: at most {MAX_NAME_CHARACTERS} characters", field_name="name")
        hook.event_types = list(events)
        hook.hook_url = ask.text("hook_url") or hook.hook_url
        hook.name = ask.text("name") or hook.name

    def _find(self, ask: Ask) -> Webhook:
        return protocol.item_of(ask, self._by_id, noun="Webhook")

    def _later(self, delay_s: float, webhook_id: str, event_id: str, raw: bytes, *, attempt: int) -> None:
        self._outbox.later(
            delay_s,
            partial(self._letter, webhook_id, event_id, raw, attempt),
            record=partial(self._record, webhook_id, event_id, raw, attempt),
        )

    def _letter(self, webhook_id: str, event_id: str, raw: bytes, attempt: int) -> Letter | None:
        hook = self._by_id.get(webhook_id)
        if hook is None:
            return None
        # real time, however far the sandbox's clock was moved: a receiver compares it with its own
        timestamp = str(int(time.time()))
        headers = {
            "X-Signature": sign(hook.secret, timestamp=timestamp, raw=raw),
            "X-Signature-Version": "v1",
            "X-Timestamp": timestamp,
            "X-Event-Id": event_id,
            "X-Attempt": str(attempt),
        }
        return Letter(hook.hook_url, raw, WEBHOOK_TIMEOUT_S, headers)

    def _record(self, webhook_id: str, event_id: str, raw: bytes, attempt: int, answer: str) -> None:
        answer = answer or "no webhook"
        self.attempts[answer] += 1
        self.last.append({"event_id": event_id, "webhook_id": webhook_id, "attempt": attempt, "answer": answer})
        is_again = answer in {"408", "429", "timeout"} or answer.startswith("5")
        if is_again and attempt <= len(WAITS_S):
            self._later(WAITS_S[attempt - 1], webhook_id, event_id, raw, attempt=attempt + 1)
        else:
            self.done += 1
