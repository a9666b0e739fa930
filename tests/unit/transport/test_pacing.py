"""Turns for requests, taken by many workers at once."""

import asyncio

from airflow_provider_dropcowboy.transport.bulk import Pace


async def let_others_run() -> None:
    """All that can go on without a clock has gone on."""
    for _ in range(50):
        await asyncio.sleep(0)


async def enter(pace: Pace, entered: list[int], number: int) -> None:
    await pace.enter()
    entered.append(number)


def test_no_more_than_the_limit_are_under_way_and_those_who_wait_go_in_line() -> None:
    async def scene() -> None:
        pace, entered = Pace(2), list[int]()
        async with asyncio.TaskGroup() as workers:
            for number in range(6):
                workers.create_task(enter(pace, entered, number))
            for turns in range(2, 7):
                await let_others_run()
                assert entered == list(range(turns))
                assert pace.in_flight == 2
                pace.leave()

    asyncio.run(scene())


def test_a_higher_limit_lets_those_in_who_wait_and_a_lower_one_nobody() -> None:
    async def scene() -> None:
        pace, entered = Pace(1), list[int]()
        async with asyncio.TaskGroup() as workers:
            tasks = [workers.create_task(enter(pace, entered, number)) for number in range(5)]
            await let_others_run()
            pace.limit = 3
            await let_others_run()
            assert entered == [0, 1, 2]
            pace.limit = 1
            pace.leave()
            await let_others_run()
            assert entered == [0, 1, 2]
            for task in tasks:
                task.cancel()

    asyncio.run(scene())


def test_who_gives_up_while_waiting_takes_no_turn_and_holds_nobody_up() -> None:
    async def scene() -> None:
        pace, entered = Pace(1), list[int]()
        async with asyncio.TaskGroup() as workers:
            tasks = [workers.create_task(enter(pace, entered, number)) for number in range(4)]
            await let_others_run()
            tasks[1].cancel()  # the one at the door, and one behind it
            tasks[2].cancel()
            await let_others_run()
            pace.leave()
            await let_others_run()
        assert entered == [0, 3]
        assert pace.in_flight == 1

    asyncio.run(scene())
