"""The bound on what a killed run leaves in doubt."""

import asyncio

from airflow_provider_dropcowboy.campaign.doubt import Doubt


def test_no_more_than_the_limit_is_ever_in_doubt() -> None:
    async def claim(doubt: Doubt, most: list[int]) -> None:
        await doubt.take(10)
        most.append(doubt.claims)
        await asyncio.sleep(0)
        await doubt.give_back(4)
        await asyncio.sleep(0)
        await doubt.give_back(6)

    async def run() -> list[int]:
        doubt, most = Doubt(30), list[int]()
        async with asyncio.TaskGroup() as group:
            for _ in range(50):
                group.create_task(claim(doubt, most))
        await doubt.is_gone()
        return most

    most = asyncio.run(run())
    assert len(most) == 50
    assert max(most) <= 30


def test_who_waits_for_the_end_of_doubt_waits_for_the_last_record() -> None:
    async def run() -> bool:
        doubt = Doubt(30)
        await doubt.take(2)
        waiting = asyncio.create_task(doubt.is_gone())
        await asyncio.sleep(0)
        await doubt.give_back(1)
        await asyncio.sleep(0)
        was_done = waiting.done()
        await doubt.give_back(1)
        await waiting
        return was_done

    assert not asyncio.run(run())
