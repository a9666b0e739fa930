"""What becomes of a message, and the callback that reports it: one attempt each, as the vendor does it.

A number decides its outcome, so that a second run over the same contacts sees the same.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final

import aiohttp

from airflow_provider_dropcowboy.sandbox.protocol import Ask
from airflow_provider_dropcowboy.sandbox.settings import OUTCOMES, Settings
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


@dataclass(frozen=True, slots=True)
class _Planned:
    ask: Ask
    send: Send
    outcome: str
    take: int
    era: int


class Callbacks:
    """Tells the outcome of every take that has a ``callback_url``, a while after it was taken.

    :ivar settings: read at every take, so that they can change at run time (``callback_concurrency`` only at start).
    """

    def __init__(self, settings: Settings, *, state: State) -> None:
        self.settings = settings
        self._state = state
        self._due: asyncio.Queue[_Planned] = asyncio.Queue()
        self._era = 0
        self.reset()

    def reset(self) -> None:
        """Counts are zero, and what was planned is not sent."""
        self._era += 1
        self.planned = 0
        self.done = 0
        self.by_outcome: Counter[str] = Counter()
        self.by_answer: Counter[str] = Counter()
        self.last: deque[dict[str, str]] = deque(maxlen=MAX_SHOWN)

    def plan(self, ask: Ask, send: Send) -> None:
        """Decide the outcome of a take, and have it told after ``callback_delay_s``; a silent one is never told."""
        outcome = outcome_of(ask.text("phone_number"), self.settings.outcomes)
        self.by_outcome[outcome] += 1
        if outcome == "silent":
            send.callback = "silent"
        elif not ask.text("callback_url"):
            send.callback = "no callback_url"
        else:
            self.planned += 1
            planned = _Planned(ask, send, outcome, send.takes, self._era)
            asyncio.get_running_loop().call_later(self.settings.callback_delay_s, self._due.put_nowait, planned)

    def shown(self) -> dict[str, object]:
        """Counts, and the last callbacks with how they were answered."""
        return {
            "planned": self.planned,
            "done": self.done,
            "by_outcome": dict(self.by_outcome),
            "by_answer": dict(self.by_answer),
            "last": list(self.last),
        }

    async def run(self, _app: object) -> AsyncIterator[None]:
        """Send what falls due for as long as the server runs; what is still planned at its end is lost."""
        limit = self.settings.callback_concurrency
        # one connection a worker; the receiver's address may be the only one, so the limit a host is the whole limit
        connector = aiohttp.TCPConnector(limit=limit, limit_per_host=limit)
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
            workers = [asyncio.create_task(self._work(session)) for _ in range(limit)]
            yield
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while True:
            planned = await self._due.get()
            if planned.era != self._era:
                continue
            answer = await self._post(session, planned)
            if planned.era == self._era:
                self._record(planned, answer)

    async def _post(self, session: aiohttp.ClientSession, planned: _Planned) -> str:
        body = callback_body(planned.ask, outcome=planned.outcome, take=planned.take)
        try:
            async with session.post(planned.ask.text("callback_url"), json=body, allow_redirects=False) as answer:
                await answer.read()
                return str(answer.status)
        except TimeoutError:
            return "timeout"
        except (aiohttp.ClientError, OSError, ValueError):
            return "no answer"

    def _record(self, planned: _Planned, answer: str) -> None:
        self.done += 1
        self.by_answer[answer] += 1
        planned.send.callback = answer
        self.last.append({"foreign_id": key_of(planned.ask), "outcome": planned.outcome, "answer": answer})
        self._state.notice()


def outcome_of(phone_number: str, shares: Mapping[str, float]) -> str:
    """One of ``OUTCOMES``: over many numbers in these shares, for one number always the same."""
    drawn = _fraction("outcome", phone_number)
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
    network, kind = NETWORKS[int(_fraction("network", phone_number) * len(NETWORKS))]
    cost_usd = (RVM_COST_USD if is_rvm else SMS_COST_USD) if is_success else 0.0
    body: dict[str, object] = {
        "drop_id": blake2b(f"{ask.route} {foreign_id} {phone_number} {take}".encode(), digest_size=12).hexdigest(),
        "phone_number": phone_number,
        "attempt_date": datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "status": "success" if is_success else "failure",
        "reason": reason,
        "dnc": outcome == "dnc",
        "spam": reason == "Spam detected",
        "product_cost": cost_usd,
        "compliance_fee": COMPLIANCE_FEE_USD,
        "tts_fee": TTS_FEE_USD if is_success and "tts_body" in ask.body else 0,
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


def _reason(phone_number: str, *, outcome: str, is_rvm: bool) -> tuple[str, int]:
    match outcome:
        case "success":
            return "", 0
        case "dnc":
            return "Do not call", 4004
        case _:
            failures = RVM_FAILURES if is_rvm else SMS_FAILURES
            return failures[int(_fraction("reason", phone_number) * len(failures))]


def _fraction(what: str, phone_number: str) -> float:
    """Evenly spread over 0 ≤ x < 1; the same on every machine, unlike ``hash``."""
    digest = blake2b(f"{what} {phone_number}".encode(), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48
