"""What was surely not taken is asked again: later, a few times, and in turn."""

import asyncio
import random
from collections.abc import Callable

import pytest

from airflow_provider_dropcowboy.api.messages import Message, Rvm
from airflow_provider_dropcowboy.campaign import again
from airflow_provider_dropcowboy.campaign.again import FIRST_WAIT_S, MAX_ASKS, MAX_WAIT_S, Again, Ask
from airflow_provider_dropcowboy.ledger.judgement import Claim
from airflow_provider_dropcowboy.phone import Phone

Move = Callable[[float], None]


@pytest.fixture
def move(monkeypatch: pytest.MonkeyPatch) -> Move:
    """Moves the monotonic clock to a second, which stands still meanwhile; waits are not spread."""
    at = 1_000.0
    monkeypatch.setattr("airflow_provider_dropcowboy.campaign.again.time.monotonic", lambda: at)
    monkeypatch.setattr(random, "uniform", lambda low, _high: low)

    def to(second: float) -> None:
        nonlocal at
        at = 1_000.0 + second

    return to


def ask(name: str, *, asks: int = 1) -> Ask:
    message = Message(
        foreign_id=name,
        contact_key=name,
        phone=Phone("+15045550100"),
        content=Rvm(brand_id="b"),
        number_digest=name,
        content_digest="",
    )
    return Ask(Claim(message, asks, "c"), lease_ends=0, asks=asks)


def names(asks: list[Ask]) -> list[str]:
    return [item.claim.message.foreign_id for item in asks]


def due(waiting: Again, most: int = 10) -> list[str] | None:
    """Who is due now; None: nobody."""

    async def wait() -> list[str] | None:
        task = asyncio.create_task(waiting.due(most))
        for _ in range(3):
            await asyncio.sleep(0)
        if task.done():
            return names(task.result())
        task.cancel()
        return None

    return asyncio.run(wait())


def test_each_wait_is_twice_as_long_as_the_one_before(move: Move) -> None:
    waits = []
    for asks in range(1, MAX_ASKS):
        waiting = Again()
        assert waiting.put(ask("a", asks=asks), retry_after_s=None)
        waits.append(waiting._heap[0][0] - 1_000.0)
    assert waits == [min(FIRST_WAIT_S * 2**n, MAX_WAIT_S) for n in range(MAX_ASKS - 1)]


def test_the_vendors_own_wish_counts(move: Move) -> None:
    waiting = Again()
    waiting.put(ask("a", asks=4), retry_after_s=7.0)
    move(6.9)
    assert due(waiting) is None
    move(7.0)
    assert due(waiting) == ["a"]


def test_nobody_is_due_before_their_time_and_all_are_in_their_order(move: Move) -> None:
    waiting = Again()
    for name, wait_s in (("late", 30.0), ("soon", 1.0), ("sooner", 0.5), ("soon too", 1.0)):
        waiting.put(ask(name), retry_after_s=wait_s)
    assert due(waiting) is None
    move(1.0)
    assert due(waiting, most=2) == ["sooner", "soon"]
    assert due(waiting) == ["soon too"]
    assert names(waiting.drain()) == ["late"]
    assert waiting.drain() == []


def test_who_had_their_tries_is_not_asked_again() -> None:
    assert not Again().put(ask("a", asks=MAX_ASKS), retry_after_s=None)


def test_waits_are_spread_so_that_a_refused_batch_does_not_come_back_as_one() -> None:
    waiting = Again()
    for number in range(20):
        waiting.put(ask(str(number)), retry_after_s=10.0)
    dues = [item[0] for item in waiting._heap]
    assert max(dues) - min(dues) > 0.5
    assert again.FIRST_WAIT_S > 0
