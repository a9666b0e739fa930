"""What reached the sandbox and what it took: the truth that a test holds a client's ledger against."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from airflow_provider_dropcowboy.sandbox.protocol import Ask

MAX_BODIES: Final = 10_000
"""So many sends keep their first body: with all of them a million sends would fill a laptop's memory."""

_HIDDEN: Final = {"secret": "***", "byoc": "***"}


@dataclass(slots=True)
class Tally:
    """How often something was asked for, and how often taken."""

    asks: int = 0
    takes: int = 0


@dataclass(slots=True)
class Send:
    """All requests of one ``foreign_id``.

    :param asks: requests that reached the sandbox, whatever came of them.
    :param takes: times the message was accepted, and would have been billed.
    :param answers: what each ask met, in their order and parted by spaces: a fault's name, or a status.
    :param callback: how its last callback was answered: a status, or why there was none.
    :param keys: its distinct idempotency keys (API v2), parted by spaces.
    """

    phone_number: str
    channel: str
    first_body: dict[str, object] | None = field(repr=False)
    asks: int = 0
    takes: int = 0
    answers: str = ""
    callback: str = ""
    keys: str = ""


@dataclass(slots=True)
class Trap:
    """Requests that followed a redirect."""

    requests: int = 0
    with_secret: int = 0


class State:
    """Counts since the start or the last reset."""

    def __init__(self) -> None:
        self.in_flight = 0
        self._changed = asyncio.Event()
        self.reset()

    def reset(self) -> None:
        """Everything is forgotten but the requests that are on their way."""
        self.sends: dict[str, Send] = {}
        self.phones: dict[str, Tally] = {}
        self.requests: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()
        self.total = Tally()
        self.sends_taken = 0
        self.sends_taken_twice = 0
        self.phones_taken_twice = 0
        self.max_in_flight = self.in_flight
        self.trap = Trap()
        self._changed.set()

    def arrive(self, route: str) -> None:
        """A request of a route is on its way; ``leave`` follows."""
        self.requests[route] += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def leave(self) -> None:
        """A request was answered, or its client left."""
        self.in_flight -= 1
        self._changed.set()

    def count_ask(self, ask: Ask) -> None:
        """A send was asked for, before anyone judged it; other routes and unreadable bodies are not counted here."""
        key = key_of(ask)
        if not key:
            return
        self.total.asks += 1
        send = self._send(key, ask)
        send.asks += 1
        if ask.key and ask.key not in send.keys.split():
            send.keys = f"{send.keys} {ask.key}".lstrip()
        if number := ask.recipient:
            self._phone(number).asks += 1
        self._changed.set()

    def answer(self, ask: Ask, answer: str) -> None:
        """A send that was counted as asked meets ``answer``, whether or not it reaches the client."""
        # a reset may have forgotten it meanwhile
        if (send := self.sends.get(key_of(ask))) is not None:
            send.answers = f"{send.answers} {answer}" if send.answers else answer

    def send(self, ask: Ask) -> Send:
        """The send that a request belongs to."""
        return self._send(key_of(ask), ask)

    def take(self, ask: Ask) -> Send:
        """The message was accepted once more."""
        send = self.send(ask)
        phone = self._phone(ask.recipient)
        self.total.takes += 1
        send.takes += 1
        phone.takes += 1
        self.sends_taken += send.takes == 1
        self.sends_taken_twice += send.takes == 2
        self.phones_taken_twice += phone.takes == 2
        self._changed.set()
        return send

    def notice(self) -> None:
        """Something else changed that a waiter may be waiting for."""
        self._changed.set()

    async def wait_until(self, is_reached: Callable[[], bool], *, timeout_s: float) -> bool:
        """Wait for a count; ``False`` when it was not reached in time."""
        try:
            async with asyncio.timeout(timeout_s):
                while not is_reached():
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def takes(self) -> dict[str, int]:
        """The compact account of a large run; ``sends`` are distinct ones that were taken."""
        return {
            "sends": self.sends_taken,
            "taken_twice": self.sends_taken_twice,
            "asks": self.total.asks,
            "takes": self.total.takes,
            "by_phone_taken_more_than_once": self.phones_taken_twice,
            "max_in_flight": self.max_in_flight,
        }

    def _send(self, key: str, ask: Ask) -> Send:
        send = self.sends.get(key)
        if send is None:
            body = {**ask.body, **_hidden(ask)} if len(self.sends) < MAX_BODIES else None
            send = self.sends[key] = Send(ask.recipient, ask.route, body)
        return send

    def _phone(self, number: str) -> Tally:
        phone = self.phones.get(number)
        if phone is None:
            phone = self.phones[number] = Tally()
        return phone


def key_of(ask: Ask) -> str:
    """Under what a send is counted: its ``foreign_id``, else its idempotency key, else its channel and number."""
    if ask.route not in {"rvm", "sms"}:
        return ""
    if foreign_id := ask.text("foreign_id"):
        return foreign_id
    if ask.key:
        return ask.key
    return f"{ask.route} {ask.recipient}" if ask.recipient else ""


def _hidden(ask: Ask) -> dict[str, str]:
    return {name: mask for name, mask in _HIDDEN.items() if name in ask.body}
