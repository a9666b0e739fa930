"""Claims that are out: how many there may be, and when one is sent once more."""

import asyncio
import random
from datetime import timedelta

import pytest

from airflow_provider_dropcowboy.api.content import Rvm
from airflow_provider_dropcowboy.campaign.shared import (
    MAX_ASKS,
    PER_CONNECTION,
    SAMPLES,
    Ask,
    InFlightLimit,
    RetryQueue,
)
from airflow_provider_dropcowboy.clock import Clock
from airflow_provider_dropcowboy.ledger.judgement import Claim
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.screening.screen import Candidate, Message
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
    return Ask(Claim(Candidate(message), asks, "c"), lease_ends=Clock().deadline(timedelta(0)), asks=asks)


def names(asks: list[Ask]) -> list[str]:
    return [item.claim.message.foreign_id for item in asks]


def due(waiting: RetryQueue, most: int = 10) -> list[str] | None:
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
    waiting = RetryQueue(clock)
    assert waiting.put(ask("a", asks=asks), retry_after_s=None)
    clock.suspend(timedelta(seconds=wait_s - 0.01))
    assert due(waiting) is None
    clock.suspend(timedelta(seconds=0.02))
    assert due(waiting) == ["a"]


def test_the_vendors_own_wish_counts(clock: FrozenClock) -> None:
    waiting = RetryQueue(clock)
    waiting.put(ask("a", asks=4), retry_after_s=7.0)
    clock.suspend(timedelta(seconds=6.9))
    assert due(waiting) is None
    clock.suspend(timedelta(seconds=0.11))
    assert due(waiting) == ["a"]


def test_nobody_is_due_before_their_time_and_all_are_in_their_order(clock: FrozenClock) -> None:
    waiting = RetryQueue(clock)
    for name, wait_s in (("late", 30.0), ("soon", 1.0), ("sooner", 0.5), ("soon too", 1.0)):
        waiting.put(ask(name), retry_after_s=wait_s)
    assert due(waiting) is None
    clock.suspend(timedelta(seconds=1.0))
    assert due(waiting, most=2) == ["sooner", "soon"]
    assert due(waiting) == ["soon too"]
    assert names(waiting.drain()) == ["late"]
    assert waiting.drain() == []


def test_who_had_their_tries_is_not_asked_again() -> None:
    assert not RetryQueue().put(ask("a", asks=MAX_ASKS), retry_after_s=None)


def test_waits_are_spread_so_that_a_refused_batch_does_not_come_back_as_one() -> None:
    waiting = RetryQueue()
    for number in range(20):
        waiting.put(ask(str(number)), retry_after_s=10.0)
    dues = [item[0] for item in waiting._heap]
    assert max(dues) - min(dues) > 0.5


def limit_at(
    *,
    request_s: float,
    claim_s: float = 0.01,
    record_s: float = 0.02,
    connections: int = 50,
    rate_per_s: float | None = None,
) -> int:
    """How many claims may be out once so long times were measured, on 50 connections at most."""

    async def measure() -> int:
        in_flight = InFlightLimit(50, retries=RetryQueue())
        for _ in range(SAMPLES):
            in_flight.request.add(request_s)
            in_flight.claim.add(claim_s)
            in_flight.record.add(record_s)
        await in_flight.adjust(connections, rate_per_s)
        return await in_flight.take(1_000)

    return asyncio.run(measure())


@pytest.mark.parametrize(
    ("times", "claims"),
    [
        (
            {"request_s": 0.05},
            50 + 37,
        ),  # 30 while a batch is claimed and recorded, 7 until one fits
        ({"request_s": 0.002}, PER_CONNECTION * 50),
        ({"request_s": 5.0}, 50 + 7),  # no batch is smaller than an eighth of the connections
        ({"request_s": 0.05, "rate_per_s": 4.0}, 1 + 7),
        ({"request_s": 0.05, "rate_per_s": 0.1}, 1 + 1),  # but never more than two seconds' worth
        ({"request_s": 0.05, "connections": 1}, 1 + 1),
        ({"request_s": 0.05, "claim_s": 60.0}, PER_CONNECTION * 50),
        ({"request_s": 0.5, "rate_per_s": 20.0, "claim_s": 60.0}, 10 + 40),
    ],
)
def test_claims_run_ahead_as_far_as_the_wire_needs_and_no_further_than_two_seconds(
    times: dict[str, float], claims: int
) -> None:
    assert limit_at(**times) == claims  # type: ignore[arg-type]  # connections is whole


def test_no_more_than_the_limit_is_ever_out() -> None:
    async def claim(in_flight: InFlightLimit, most: list[int]) -> None:
        size = await in_flight.take(10)
        most.append(in_flight.claims)
        await asyncio.sleep(0)
        await in_flight.give_back(size // 2)
        await asyncio.sleep(0)
        await in_flight.give_back(size - size // 2)

    async def run() -> list[int]:
        in_flight, most = InFlightLimit(30, retries=RetryQueue()), list[int]()
        async with asyncio.TaskGroup() as group:
            for _ in range(50):
                group.create_task(claim(in_flight, most))
        await in_flight.is_gone()
        return most

    most = asyncio.run(run())
    assert len(most) == 50
    assert max(most) <= 30


def test_what_waits_to_be_sent_again_leaves_room_for_others_up_to_the_bound() -> None:
    async def run() -> list[int]:
        retries = RetryQueue()
        in_flight = InFlightLimit(2, retries=retries)
        sizes = [await in_flight.take(2)]
        for name in ("a", "b"):
            retries.put(ask(name), retry_after_s=60.0)
        sizes.append(await in_flight.take(2))
        for name in ("c", "d"):
            retries.put(ask(name), retry_after_s=60.0)
        sizes.append(await in_flight.take(10))
        return sizes

    assert asyncio.run(run()) == [2, 2, 2]


def test_who_waits_until_no_claim_is_out_waits_for_the_last_record() -> None:
    async def run() -> bool:
        in_flight = InFlightLimit(30, retries=RetryQueue())
        await in_flight.take(2)
        waiting = asyncio.create_task(in_flight.is_gone())
        await asyncio.sleep(0)
        await in_flight.give_back(1)
        await asyncio.sleep(0)
        was_done = waiting.done()
        await in_flight.give_back(1)
        await waiting
        return was_done

    assert not asyncio.run(run())
