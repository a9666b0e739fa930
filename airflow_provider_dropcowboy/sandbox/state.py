"""What the sandbox remembers: what reached it and what it took; and what it has yet to post, by its own clock.

A test holds a client's ledger against it.
"""

import asyncio
import heapq
import itertools
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final

import aiohttp

from airflow_provider_dropcowboy.sandbox.protocol import Ask
from airflow_provider_dropcowboy.sandbox.settings import Settings

MAX_BODIES: Final = 10_000
"""So many sends keep their first body: with all of them a million sends would fill a laptop's memory."""

HIDDEN: Final = frozenset({"secret", "byoc"})


class Clock:
    """Runs each thing when it is due. Time passes by itself, and in leaps by ``advance``."""

    def __init__(self) -> None:
        self._ahead_s = 0.0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def now_s(self) -> float:
        """Seconds since some moment; only differences have a meaning."""
        return time.monotonic() + self._ahead_s

    def later(self, delay_s: float, run: Callable[[], None]) -> None:
        """Call ``run`` after so many seconds of this clock."""
        due_s = self.now_s() + delay_s
        heapq.heappush(self._due, (due_s, next(self._number), run))
        if self._due[0][0] == due_s:
            self._wait()

    def advance(self, seconds: float) -> None:
        """Move the clock forward; everything that is due by then runs now, in its order."""
        self._ahead_s += seconds
        self._run_due()

    def _run_due(self) -> None:
        now_s = self.now_s()
        while self._due and self._due[0][0] <= now_s:
            heapq.heappop(self._due)[2]()
        self._wait()

    def _wait(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._due:
            delay_s = max(0.0, self._due[0][0] - self.now_s())
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._run_due)


@dataclass(slots=True)
class Tally:
    """How often something was requested, and how often accepted."""

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


class State:
    """All that the parts of the sandbox share, since the start or the last reset.

    :ivar settings: read at every request, so that they can change at run time.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.clock = Clock()
        self.in_flight = 0
        self._changed = asyncio.Event()
        self.reset()

    def reset(self) -> None:
        """Everything is forgotten but the requests that are on their way."""
        self.sends: dict[str, Send] = {}
        self.phones: defaultdict[str, Tally] = defaultdict(Tally)
        self.requests: Counter[str] = Counter()
        self.answers: Counter[int] = Counter()
        self.total = Tally()
        self.sends_taken = 0
        self.sends_taken_twice = 0
        self.phones_taken_twice = 0
        self.max_in_flight = self.in_flight
        self.trap = {"requests": 0, "with_secret": 0}
        self.notice()

    def arrive(self, route: str) -> None:
        """A request of a route is on its way; ``leave`` follows."""
        self.requests[route] += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)

    def leave(self) -> None:
        """A request was answered, or its client left."""
        self.in_flight -= 1
        self.notice()

    def count_ask(self, ask: Ask) -> None:
        """A send was requested, before anyone judged it; other routes and unreadable bodies are not counted here."""
        key = key_of(ask)
        if not key:
            return
        self.total.asks += 1
        send = self.send(ask)
        send.asks += 1
        if ask.key and ask.key not in send.keys.split():
            send.keys = f"{send.keys} {ask.key}".lstrip()
        if number := ask.recipient:
            self.phones[number].asks += 1
        self.notice()

    def answer(self, ask: Ask, answer: str) -> None:
        """A send that was counted meets ``answer``, whether or not that reaches the client."""
        # a reset may have forgotten it meanwhile
        if (send := self.sends.get(key_of(ask))) is not None:
            send.answers = f"{send.answers} {answer}" if send.answers else answer

    def send(self, ask: Ask) -> Send:
        """The send that a request belongs to; a new one if it is the first."""
        key = key_of(ask)
        if key not in self.sends:
            is_kept = len(self.sends) < MAX_BODIES
            body = {name: "***" if name in HIDDEN else value for name, value in ask.body.items()} if is_kept else None
            self.sends[key] = Send(ask.recipient, ask.route, body)
        return self.sends[key]

    def take(self, ask: Ask) -> Send:
        """The message was accepted once more."""
        send = self.send(ask)
        phone = self.phones[ask.recipient]
        self.total.takes += 1
        send.takes += 1
        phone.takes += 1
        self.sends_taken += send.takes == 1
        self.sends_taken_twice += send.takes == 2
        self.phones_taken_twice += phone.takes == 2
        self.notice()
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
        """The compact account of a large run; ``sends`` are distinct sends that were accepted."""
        return {
            "sends": self.sends_taken,
            "taken_twice": self.sends_taken_twice,
            "asks": self.total.asks,
            "takes": self.total.takes,
            "by_phone_taken_more_than_once": self.phones_taken_twice,
            "max_in_flight": self.max_in_flight,
        }


def key_of(ask: Ask) -> str:
    """Under what a send is counted: its ``foreign_id``, else its idempotency key, else its channel and number."""
    if ask.route not in {"rvm", "sms"}:
        return ""
    if foreign_id := ask.text("foreign_id"):
        return foreign_id
    if ask.key:
        return ask.key
    return f"{ask.route} {ask.recipient}" if ask.recipient else ""


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
