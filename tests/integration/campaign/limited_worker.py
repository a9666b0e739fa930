"""A run with limits, in a process of its own that starts when it is told to: several can begin at the same moment."""

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Final

from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.contacts.partition import Partition
from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.judgement import ClaimRules
from tests.integration.conftest import default_plan, people
from tests.sandbox_process import SandboxProcess

ROOT: Final = Path(__file__).parents[3]
WAIT_S: Final = 120.0


class Worker:
    """One run.

    :param options: ``count`` of people, and of the plan ``campaign``, ``concurrency``, ``partition``, ``max_attempts``
        a day, ``limit``, ``budget_micros`` and ``price_micros``.
    """

    def __init__(self, ledger_url: str, sandbox: SandboxProcess, **options: object) -> None:
        access = {"base_url": sandbox.base_url, "team_id": sandbox.team_id, "secret": sandbox.secret}
        line = [sys.executable, "-m", "tests.integration.campaign.limited_worker", ledger_url]
        self.process = subprocess.Popen(
            [*line, json.dumps(access | options)], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == "ready\n"

    def start(self) -> None:
        """The run begins."""
        assert self.process.stdin is not None
        self.process.stdin.write("go\n")
        self.process.stdin.flush()

    def result(self) -> dict[str, int]:
        """The summary of the run, when it is over."""
        said, _ = self.process.communicate(timeout=WAIT_S)
        assert self.process.returncode == 0
        summary: dict[str, int] = json.loads(said)
        return summary

    def kill(self) -> None:
        """The process ends at once, whatever it is doing."""
        self.process.kill()
        self.process.communicate(timeout=WAIT_S)


def at_once(workers: Sequence[Worker]) -> list[dict[str, int]]:
    """What all runs came to that began at the same moment."""
    for worker in workers:
        worker.start()
    return [worker.result() for worker in workers]


def main(ledger_url: str, options: str) -> None:
    settings = json.loads(options)
    count, partition, max_attempts = (settings.pop(name, None) for name in ("count", "partition", "max_attempts"))
    rules = {name: settings.pop(name, None) for name in ("limit", "budget_micros", "price_micros")}
    ledger = open_ledger(ledger_url, may_create=True)
    plan = default_plan(
        **settings,
        partition=None if partition is None else Partition.parse(partition),
        claim_rules=ClaimRules(caps=() if max_attempts is None else ((max_attempts, timedelta(days=1)),), **rules),
    )
    rows = people(count)
    random.Random(plan.campaign).shuffle(rows)  # two that read in one order never meet: one is ahead all the way
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(run_campaign(plan, ledger, rows=rows, control=Control()).as_dict()))
    ledger.engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
