"""Callbacks out: once each, a bounded number at a time, never repeated, as the vendor does it."""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Final

import aiohttp

from airflow_provider_dropcowboy.sandbox.outcomes import callback_body, outcome_of
from airflow_provider_dropcowboy.sandbox.settings import Settings
from airflow_provider_dropcowboy.sandbox.state import Send, State, key_of
from airflow_provider_dropcowboy.sandbox.wire import Ask

TIMEOUT_S: Final = 10.0  # API v1, delivery callback: one attempt, 10 s
MAX_SHOWN: Final = 100


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
