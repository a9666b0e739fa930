"""What becomes of a message, and the callback that reports it: one attempt each, as the vendor does it.

A number decides its outcome, so that a second run over the same contacts sees the same.
"""

import asyncio
import json
from collections import Counter, deque
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
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
    ("Number not in service", 4003),
)
SMS_FAILURES: Final = (
    ("Invalid message", 5001),
    ("Spam detected", 5002),
    ("Invalid caller ID or not SMS enabled", 5003),
)
NETWORKS: Final = (
    ("Verizon Wireless:6006 - SVR/2", "wireless"),
    ("T-Mobile USA:6529 - SVR/2", "wireless"),
    ("AT&T Mobility:6010 - SVR/2", "wireless"),
    ("Onvoy:958E - NSR/1", "voip"),
)


Job = Callable[[aiohttp.ClientSession], Awaitable[None]]
"""Posts one thing and records how it was answered."""

MakeBody = Callable[[], dict[str, object]]


class Outbox:
    """Posts what falls due, so many at once, on connections that it keeps."""

    def __init__(self, state: State) -> None:
        self._concurrency = state.settings.callback_concurrency
        self._clock = state.clock
        self._due: asyncio.Queue[tuple[int, Job]] = asyncio.Queue()
        self._era = 0

    def reset(self) -> None:
        """What was planned is not posted."""
        self._era += 1

    def later(self, delay_s: float, job: Job) -> None:
        """Do the job after so many seconds, unless a reset comes first."""
        self._clock.later(delay_s, partial(self._due.put_nowait, (self._era, job)))

    async def run(self, _app: object) -> AsyncIterator[None]:
        """Work for as long as the server runs; what is still planned at its end is lost."""
        # one connection a worker; the receiver's address may be the only one, so the limit a host is the whole limit
        connector = aiohttp.TCPConnector(limit=self._concurrency, limit_per_host=self._concurrency)
        async with aiohttp.ClientSession(connector=connector) as session:
            workers = [asyncio.create_task(self._work(session)) for _ in range(self._concurrency)]
            yield
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while True:
            era, job = await self._due.get()
            if era == self._era:
                await job(session)


async def post(
    session: aiohttp.ClientSession, url: str, *, body: bytes, headers: Mapping[str, str], timeout_s: float
) -> str:
    """How one POST was answered: a status, ``timeout``, or ``no answer``. Redirects are not followed."""
    try:
        async with session.post(
            url,
            data=body,
            headers={"Content-Type": "application/json", **headers},
            timeout=aiohttp.ClientTimeout(total=timeout_s),
            allow_redirects=False,
        ) as answer:
            await answer.read()
            return str(answer.status)
    except TimeoutError:
        return "timeout"
    except (aiohttp.ClientError, OSError, ValueError):
        return "no answer"


class Callbacks:
    """Tells the outcome of every take that has a ``callback_url``, a while after it was taken."""

    def __init__(self, state: State, outbox: Outbox) -> None:
        self._state = state
        self._outbox = outbox
        self._era = 0
        self.reset()

    def reset(self) -> None:
        """Counts are zero."""
        self._era += 1
        self.planned = 0
        self.done = 0
        self.by_outcome: Counter[str] = Counter()
        self.by_answer: Counter[str] = Counter()
        self.last: deque[dict[str, str]] = deque(maxlen=MAX_SHOWN)

    def plan(self, ask: Ask, send: Send) -> None:
        """Decide the outcome of a take, and have it told after ``callback_delay_s``; a silent one is never told."""
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
            post_it = partial(self._post, ask, send, outcome, make_body)
            self._outbox.later(self._state.settings.callback_delay_s, post_it)

    def shown(self) -> dict[str, object]:
        """Counts, and the last callbacks with how they were answered."""
        return {
            "planned": self.planned,
            "done": self.done,
            "by_outcome": dict(self.by_outcome),
            "by_answer": dict(self.by_answer),
            "last": list(self.last),
        }

    async def _post(
        self, ask: Ask, send: Send, outcome: str, make_body: MakeBody, session: aiohttp.ClientSession
    ) -> None:
        era = self._era
        answer = "lost"
        if fraction("lost", key_of(ask)) >= self._state.settings.callback_lost:
            body = json.dumps(make_body()).encode()
            answer = await post(session, ask.text("callback_url"), body=body, headers={}, timeout_s=TIMEOUT_S)
        if era != self._era:
            return
        self.done += 1
        self.by_answer[answer] += 1
        send.callback = answer
        self.last.append({"foreign_id": key_of(ask), "outcome": outcome, "answer": answer})
        self._state.notice()


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

    :param take: how many times the send has been taken; each take is a drop of its own.
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
            return "Do not call", 4004
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
