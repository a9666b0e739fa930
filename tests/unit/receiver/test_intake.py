"""Callbacks are kept in batches, without a timer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.callbacks import Ticket
from airflow_provider_dropcowboy.receiver.arrival import MAX_BATCH, Arrival, Intake, Metrics


class SlowStore:
    """Keeps a batch when it is told to."""

    def __init__(self) -> None:
        self.batches: list[list[Arrival]] = []
        self._ends: list[asyncio.Future[bool]] = []
        self._begun = asyncio.Event()

    async def keep(self, arrivals: Sequence[Arrival]) -> bool:
        self.batches.append(list(arrivals))
        self._ends.append(asyncio.get_running_loop().create_future())
        self._begun.set()
        return await self._ends[-1]

    async def begun(self) -> None:
        """A batch is under way."""
        await self._begun.wait()
        self._begun.clear()

    def end(self, outcome: bool | Exception = True) -> None:
        """The batch that is under way is kept, or not."""
        if isinstance(outcome, Exception):
            self._ends[-1].set_exception(outcome)
        else:
            self._ends[-1].set_result(outcome)


def arrival(number: int) -> Arrival:
    return Arrival(Ticket(str(number), 1), b"")


def run(scene: Callable[[SlowStore, Intake], Awaitable[None]]) -> None:
    """Play a scene with an intake that runs."""

    async def play() -> None:
        store = SlowStore()
        intake = Intake(store.keep, Metrics())
        running = asyncio.create_task(intake.run())
        await scene(store, intake)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)

    asyncio.run(play())


async def post(intake: Intake, *numbers: int) -> list["asyncio.Future[bool]"]:
    """Callbacks that wait for their answers."""
    posted = [intake.submit(arrival(number)) for number in numbers]
    await asyncio.sleep(0)
    return posted


def test_while_one_batch_is_kept_the_next_one_gathers() -> None:
    async def scene(store: SlowStore, intake: Intake) -> None:
        first = await post(intake, 1)
        await store.begun()
        others = await post(intake, 2, 3, 4)
        assert not any(task.done() for task in first + others), "nothing is answered before it is kept"
        store.end()
        await store.begun()
        assert await asyncio.gather(*first) == [True]
        assert not any(task.done() for task in others)
        store.end()
        assert await asyncio.gather(*others) == [True, True, True]
        assert store.batches == [[arrival(1)], [arrival(2), arrival(3), arrival(4)]]

    run(scene)


def test_a_batch_that_cannot_be_kept_is_told_and_the_next_one_is_tried() -> None:
    async def scene(store: SlowStore, intake: Intake) -> None:
        for outcome, answer in ((False, False), (ValueError("a fault"), False), (True, True)):
            posted = await post(intake, 1)
            await store.begun()
            store.end(outcome)
            assert await asyncio.gather(*posted) == [answer]

    run(scene)


def test_a_callback_whose_sender_left_is_kept_all_the_same() -> None:
    async def scene(store: SlowStore, intake: Intake) -> None:
        left, stayed = await post(intake, 1, 2)
        await store.begun()
        left.cancel()
        store.end()
        assert await stayed
        assert store.batches == [[arrival(1), arrival(2)]]

    run(scene)


@given(bursts=st.lists(st.integers(1, 2 * MAX_BATCH), min_size=1, max_size=3))
def test_every_callback_is_kept_once_and_in_order(bursts: list[int]) -> None:
    async def scene(store: SlowStore, intake: Intake) -> None:
        posted: list[asyncio.Future[bool]] = []
        for burst in bursts:
            posted += await post(intake, *range(len(posted), len(posted) + burst))
        while not all(task.done() for task in posted):
            await store.begun()
            store.end()
            await asyncio.sleep(0)
            await asyncio.sleep(0)
        kept = [
            int(item.ticket.foreign_id) for batch in store.batches for item in batch if isinstance(item.ticket, Ticket)
        ]
        assert kept == list(range(sum(bursts)))
        assert all(len(batch) <= MAX_BATCH for batch in store.batches)
        assert all(one < other for one, other in pairwise(kept))

    run(scene)
