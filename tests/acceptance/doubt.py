"""How many messages a ``kill -9`` leaves in doubt, measured.

``python -m tests.acceptance.doubt --kills 50`` kills a run at as many random moments, and prints the most that were
claimed and not recorded, beside the bound that the design sets.
"""

import argparse
import statistics
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.campaign.shared import PER_CONNECTION
from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.schema import RUNS, SENDS
from airflow_provider_dropcowboy.states import State
from tests.acceptance.databases import DATABASES, Databases
from tests.acceptance.worker_process import Task
from tests.sandbox_process import SandboxProcess

ROWS: Final = 1000
LATENCY_MS: Final = 20


@dataclass(frozen=True, slots=True)
class Doubt:
    """What one kill left.

    :param claims: in the ledger, without an outcome.
    :param taken: of these, by the vendor.
    """

    claims: int
    taken: int


def measure_doubt(
    databases: Databases,
    sandbox: SandboxProcess,
    *,
    kills: int,
    rows: int,
    concurrency: int,
    seed: int,
    folder: Path,
    api: str = "v1",
) -> list[Doubt]:
    """What each of so many kills left, each on a ledger of its own.

    :param seed: of the moments, which are counts of requests.
    :param folder: for the runs' logs.
    """
    dice = Random(seed)
    left: list[Doubt] = []
    for _ in range(kills):
        ledger_url = databases.new()
        sandbox.reset()
        task = Task(
            sandbox=sandbox, ledger_url=ledger_url, log=folder / "runs.log", rows=rows, concurrency=concurrency, api=api
        )
        with task.start() as run:
            sandbox.wait_for_asks(dice.randrange(1, rows // 2))
            run.kill()
        claimed = _claimed(ledger_url)
        taken = {foreign_id for foreign_id, send in sandbox.sends().items() if send["takes"]}
        left.append(Doubt(len(claimed), len(claimed & taken)))
    return left


def bound(concurrency: int) -> int:
    """The most that the design allows."""
    return PER_CONNECTION * concurrency


def _claimed(ledger_url: str) -> set[str]:
    ledger = open_ledger(ledger_url)
    with ledger.reading() as connection:
        assert connection.execute(sa.select(RUNS.c.id).where(RUNS.c.ended_at.is_not(None))).first() is None
        claimed = set(connection.scalars(sa.select(SENDS.c.foreign_id).where(SENDS.c.state == State.CLAIMED.value)))
    ledger.engine.dispose()
    return claimed


def main() -> int:
    """Measure and print; 1 if the bound was passed."""
    options = _options()
    with (
        tempfile.TemporaryDirectory(prefix="doubt-") as name,
        Databases(options.database, Path(name)) as databases,
        SandboxProcess("--latency-ms", str(LATENCY_MS)) as sandbox,
    ):
        left = measure_doubt(
            databases,
            sandbox,
            kills=options.kills,
            rows=ROWS,
            concurrency=options.concurrency,
            seed=options.seed,
            folder=Path(name),
        )
    claims = [doubt.claims for doubt in left]
    limit = bound(options.concurrency)
    print(f"{options.database}, {len(left)} kills, concurrency {options.concurrency}, claimed and not recorded:")
    print(f"  least    {min(claims):>5}")
    print(f"  median   {statistics.median(claims):>5.0f}")
    print(f"  maximum  {max(claims):>5}   of these taken by the vendor: at most {max(doubt.taken for doubt in left)}")
    print(f"  bound    {limit:>5}   {PER_CONNECTION} x concurrency")
    return 1 if max(claims) > limit else 0


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--concurrency", type=int, default=20)
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
