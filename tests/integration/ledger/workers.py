"""What a test lets other processes do at once; each function runs in a process of its own."""

import multiprocessing
import random
from collections.abc import Callable, Sequence
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import Any

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.wire import Outcome
from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from airflow_provider_dropcowboy.ledger.limits import seek_share
from airflow_provider_dropcowboy.ledger.schema import RUNS
from airflow_provider_dropcowboy.states import State
from tests.integration.ledger.conftest import Desk, begin, messages

WAIT_S = 120.0

Worker = Callable[..., object]


def at_once(worker: Worker, *arguments: object, processes: int = 3) -> list[Any]:
    """What so many processes came to that called ``worker(barrier, number, *arguments)`` at once."""
    context = multiprocessing.get_context("spawn")
    barrier: Barrier = context.Barrier(processes)
    results: Queue[object] = context.Queue()
    started = [
        context.Process(target=_work, args=(worker, results, barrier, number, *arguments))
        for number in range(processes)
    ]
    for process in started:
        process.start()
    came_to = [results.get(timeout=WAIT_S) for _ in started]
    for process in started:
        process.join(WAIT_S)
        process.close()
    results.close()
    failures = [result for result in came_to if isinstance(result, Exception)]
    if failures:
        raise ExceptionGroup("in other processes", failures)
    return came_to


def set_up(barrier: Barrier, _number: int, urls: Sequence[str]) -> list[str]:
    """Be the first sender on each of these databases."""
    ids = []
    for url in urls:
        barrier.wait(WAIT_S)
        ledger = open_ledger(url, may_create=True)
        ids.append(ledger.ledger_id)
        ledger.engine.dispose()
    return ids


def claim_all(barrier: Barrier, number: int, url: str, count: int) -> list[str]:
    """Claim the same messages as everybody else, in batches and in an order of its own; release some once."""
    ledger = open_ledger(url)
    desk = Desk(ledger, begin(ledger, wanted=1))
    dice = random.Random(number)
    asked = messages(range(count))
    dice.shuffle(asked)
    sent: list[str] = []
    barrier.wait(WAIT_S)
    for _ in ("first try", "again, for what the others released"):
        for start in range(0, count, 20):
            claims = desk.claim(*asked[start : start + 20]).claimed
            kept = [claim for claim in claims if dice.random() < 0.8]
            freed = [claim for claim in claims if claim not in kept]
            assert desk.record(*kept, kind=Outcome.ACCEPTED) == 0
            if freed:
                assert desk.record(*freed, kind=Outcome.RELEASED) == 0
            sent += [claim.message.foreign_id for claim in kept]
        barrier.wait(WAIT_S)
    ledger.engine.dispose()
    return sent


def move_back_and_forth(barrier: Barrier, number: int, url: str, times: int) -> None:
    """Move messages of its own, one statement a move, while others move theirs in the same campaign."""
    ledger = open_ledger(url)
    desk = Desk(ledger, begin(ledger, wanted=1))
    mine = messages(range(number * 10, number * 10 + 10))
    desk.claim(*mine)
    dice = random.Random(number)
    barrier.wait(WAIT_S)
    for _ in range(times):
        desk.move(dice.choice(mine), dice.choice([State.CLAIMED, State.ACCEPTED, State.UNKNOWN]))
    ledger.engine.dispose()


def seek_shares(barrier: Barrier, _number: int, url: str, limit: int) -> list[int]:
    """Begin ten runs and let them seek their shares, in rounds with everybody else; the shares at the end."""
    ledger = open_ledger(url)
    runs = [begin(ledger, wanted=7) for _ in range(10)]
    shares = [0] * len(runs)
    for _ in range(5):
        barrier.wait(WAIT_S)
        shares = [seek_share(ledger, run, limit=limit, using=0) for run in runs]
        assert held(ledger) <= limit
    ledger.engine.dispose()
    return shares


def held(ledger: Ledger) -> int:
    """Connections that runs hold by the ledger, all together."""
    with ledger.reading() as connection:
        return int(connection.execute(sa.select(sa.func.sum(RUNS.c.connections))).scalar_one())


def _work(worker: Worker, results: "Queue[object]", barrier: Barrier, number: int, *arguments: object) -> None:
    try:
        results.put(worker(barrier, number, *arguments))
    except Exception as error:  # noqa: BLE001  # raised again in the test
        barrier.abort()
        results.put(RuntimeError(f"{type(error).__name__}: {error}"))
