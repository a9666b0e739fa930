"""What becomes of a message, and the callback that reports it: one attempt each, as the vendor does it.

A number decides its outcome, so that a second run over the same contacts sees the same.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from hashlib import blake2b
from typing import Final

import aiohttp

from airflow_provider_dropcowboy.sandbox.protocol import Ask
from airflow_provider_dropcowboy.sandbox.settings import OUTCOMES
from airflow_provider_dropcowboy.sandbox.state import Send, State, key_of

TIMEOUT_S: Final = 10.0  # API v1, delivery callback: one attempt, 10 s
MAX_SHOWN: Final = 100

RVM_COST_USD: Final = 0.099  # API v1, delivery callback, the document's example
SMS_COST_USD: Final = 0.02
COMPLIANCE_FEE_USD: Final = 0.0029
TTS_FEE_USD: Final = 0.01

RVM_FAILURES: Final = (
    ("Mailbox full", 4002),
    ("No voicemail set up", 4001),
    ("Number not in service", 4004),
)
SMS_FAILURES: Final = (
    ("Invalid message", 5001),
    ("Spam detected", 4008),
    ("Invalid caller ID or not SMS enabled", 5003),
)
NETWORKS: Final = (
    ("Verizon Wireless:6006 - SVR/2", "wireless"),
    ("T-Mobile USA:6529 - SVR/2", "wireless"),
    ("AT&T Mobility:6010 - SVR/2", "wireless"),
    ("Onvoy:958E - NSR/1", "voip"),
)


MakeBody = Callable[[], dict[str, object]]


@dataclass(frozen=True, slots=True)
class Letter:
    """One POST that is due."""

    url: str
    body: bytes
    timeout_s: float
    headers: Mapping[str, str] = field(default_factory=dict)


class Outbox:
    """Posts what falls due, so many at once, on connections that it keeps."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._due: asyncio.Queue[tuple[int, Callable[[], Letter | None], Callable[[str], None]]] = asyncio.Queue()
        self._era = 0

    def reset(self) -> None:
        """What was planned is not posted, and what is on its way is not recorded."""
        self._era += 1

    def later(self, delay_s: float, make: Callable[[], Letter | None], *, record: Callable[[str], None]) -> None:
        """Post something after so many seconds, unless a reset comes first.

        :param make: called when it is due; ``None``: nothing is posted after all.
        :param record: gets how it was answered: a status, ``timeout``, ``no answer``, or nothing if it was not posted.
        """
        self._state.clock.later(delay_s, partial(self._due.put_nowait, (self._era, make, record)))

    async def run(self, _app: object) -> AsyncIterator[None]:
        """Work for as long as the server runs; what is still planned at its end is lost."""
        # one connection a worker; the receiver's address may be the only one, so the limit a host is the whole limit
        concurrency = self._state.settings.callback_concurrency
        connector = aiohttp.TCPConnector(limit=concurrency, limit_per_host=concurrency)
        async with aiohttp.ClientSession(connector=connector) as session:
            workers = [asyncio.create_task(self._work(session)) for _ in range(concurrency)]
            yield
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while True:
            era, make, record = await self._due.get()
            if era != self._era:
                continue
            letter = make()
            answer = await _post(session, letter) if letter is not None else ""
            if era == self._era:
                record(answer)
                self._state.notice()


async def _post(session: aiohttp.ClientSession, letter: Letter) -> str:
    """How it was answered. Redirects are not followed."""
    try:
        async with session.post(
            letter.url,
            data=letter.body,
            headers={"Content-Type": "application/json", **letter.headers},
            timeout=aiohttp.ClientTimeout(total=letter.timeout_s),
            allow_redirects=False,
        ) as answer:
            await answer.read()
            return str(answer.status)
    except TimeoutError:
        return "timeout"
    except (aiohttp.ClientError, OSError, ValueError):
        return "no answer"


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

    def plan(self, ask: Ask, send: Send) -> None:
        """Decide the result of a take, and post it after ``callback_delay_s``; a silent one is never posted."""
        outcome = outcome_of(ask.recipient, self._state.settings.outcomes)
        self.tell(ask, send, outcome=outcome, make_body=partial(callback_body, ask, outcome=outcome, take=send.takes))

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


def outcome_of(phone_number: str, shares: Mapping[str, float]) -> str:
    """One of ``OUTCOMES``: over many numbers in these shares, for one number always the same."""
    drawn = fraction("outcome", phone_number)
    for outcome in OUTCOMES:
        drawn -= shares[outcome]
        if drawn < 0:
            return outcome
    return "success"


def callback_body(ask: Ask, *, outcome: str, take: int) -> dict[str, object]:
    """The callback of one take, with the fields of newer accounts that a reader must be able to ignore.

    :param take: how many times the send was accepted; each time is a drop of its own.
    """
    phone_number = ask.text("phone_number")
    foreign_id = ask.text("foreign_id")
    is_success = outcome == "success"
    is_rvm = ask.route == "rvm"
    reason, reason_code = _reason(phone_number, outcome=outcome, is_rvm=is_rvm)
    network, kind = NETWORKS[int(fraction("network", phone_number) * len(NETWORKS))]
    body: dict[str, object] = {
        "drop_id": blake2b(f"{ask.route} {foreign_id} {phone_number} {take}".encode(), digest_size=12).hexdigest(),
        "phone_number": phone_number,
        "attempt_date": iso_now(),
        "status": "success" if is_success else "failure",
        "reason": reason,
        "dnc": outcome == "dnc",
        "spam": reason == "Spam detected",
        **fees_usd(ask, is_delivered=is_success),
        "network": {"name": network, "type": kind},
        "foreign_id": foreign_id,
        "reason_code": reason_code,
        "product_code": ask.route,
        "team_id": ask.text("team_id"),
        "quantity": 1,
    }
    if ask.body.get("status_format") is not None:
        body["status_code"] = reason_code
    return body


def fees_usd(ask: Ask, *, is_delivered: bool, is_taken: bool = True) -> dict[str, float]:
    """What a message cost, as the callbacks of both versions tell it."""
    cost_usd = RVM_COST_USD if ask.route == "rvm" else SMS_COST_USD
    return {
        "product_cost": cost_usd if is_delivered else 0.0,
        "compliance_fee": COMPLIANCE_FEE_USD if is_taken else 0,
        "tts_fee": TTS_FEE_USD if is_delivered and "tts_body" in ask.body else 0,
    }


def _reason(phone_number: str, *, outcome: str, is_rvm: bool) -> tuple[str, int]:
    match outcome:
        case "success":
            return "", 0
        case "dnc":
            return "Do not call", 4016
        case _:
            failures = RVM_FAILURES if is_rvm else SMS_FAILURES
            return failures[int(fraction("reason", phone_number) * len(failures))]


def iso_now() -> str:
    """Now, as the API writes it: ISO 8601, UTC, with milliseconds."""
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def fraction(what: str, phone_number: str) -> float:
    """Evenly spread over 0 ≤ x < 1; the same on every machine, unlike ``hash``."""
    digest = blake2b(f"{what} {phone_number}".encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48
