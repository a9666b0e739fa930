"""What was surely not taken is asked again: later, a few times, and in turn."""

import asyncio
import random
from datetime import timedelta

import pytest

from airflow_provider_dropcowboy.api.messages import Message, Rvm
from airflow_provider_dropcowboy.campaign.again import MAX_ASKS, Again, Ask
from airflow_provider_dropcowboy.clock import Clock
from airflow_provider_dropcowboy.ledger.judgement import Claim
from airflow_provider_dropcowboy.phone import Phone
from tests.clock import FrozenClock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FrozenClock:
    """A clock that stands still; waits are not spread."""
    monkeypatch.setattr(random, "uniform", lambda low, _high: low)
    return FrozenClock()


def ask(name: str, *, asks: int = 1) -> Ask:
    message = Message(
        foreign_id=name,
        contact_key=name,
        phone=Phone("+15045550100"),
        content=Rvm(brand_id="b"),
        number_digest=name,
        content_digest="",
    )
    return Ask(Claim(message, asks, "c"), lease_ends=Clock().deadline(timedelta(0)), asks=asks)


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


@pytest.mark.parametrize(("asks", "wait_s"), [(1, 0.5), (2, 1.0), (3, 2.0), (4, 4.0), (5, 8.0)])
def test_each_wait_is_twice_as_long_as_the_one_before(clock: FrozenClock, asks: int, wait_s: float) -> None:
    waiting = Again(clock)
    assert waiting.put(ask("a", asks=asks), retry_after_s=None)
    clock.suspend(timedelta(seconds=wait_s - 0.01))
    assert due(waiting) is None
    clock.suspend(timedelta(seconds=0.02))
    assert due(waiting) == ["a"]


def test_the_vendors_own_wish_counts(clock: FrozenClock) -> None:
    waiting = Again(clock)
    waiting.put(ask("a", asks=4), retry_after_s=7.0)
    clock.suspend(timedelta(seconds=6.9))
    assert due(waiting) is None
    clock.suspend(timedelta(seconds=0.11))
    assert due(waiting) == ["a"]


def test_nobody_is_due_before_their_time_and_all_are_in_their_order(clock: FrozenClock) -> None:
    waiting = Again(clock)
    for name, wait_s in (("late", 30.0), ("soon", 1.0), ("sooner", 0.5), ("soon too", 1.0)):
        waiting.put(ask(name), retry_after_s=wait_s)
    assert due(waiting) is None
    clock.suspend(timedelta(seconds=1.0))
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
