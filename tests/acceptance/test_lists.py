"""Contact lists are exact though the vendor breaks on every list route and syncs are killed at any moment."""

import json
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.lists import LISTS, ListState
from airflow_provider_dropcowboy.ledger.syncs import SYNCS
from tests.acceptance.databases import DATABASES, Databases
from tests.acceptance.lists_worker import RUN_AGAIN, rows
from tests.sandbox_process import SandboxProcess

ROWS = 23_000
KILLS = 5
SEED = 20261125
DEADLINE_S = 240.0
MAX_TRIES = 30
NAME = "leads"

BREAKS = (
    "lose_answer", "drop_request", "reset_after", "reset_before", "truncated_after", "429", "500_after", "500_before",
    "502_after", "503_retry_after_before",
)  # fmt: skip
SHARE = 0.05


@dataclass
class Task:
    """A sync that is started, killed and started again until it is done."""

    sandbox: SandboxProcess
    ledger_url: str
    log: Path
    dice: Random
    left_over: set[str] = field(default_factory=set)
    kills: int = 0

    def run(self, *, kills: int = 0, mode: str = "mirror", rows: int = ROWS, version: int = 0) -> dict[str, Any]:
        """The summary of the try that succeeded."""
        for _ in range(MAX_TRIES):
            with self.log.open("ab") as log:
                process = subprocess.Popen(self._words(mode, rows, version), stdout=subprocess.PIPE, stderr=log)
            try:
                if kills and self._is_killed(process):
                    kills -= 1
                    continue
                said, _ = process.communicate(timeout=DEADLINE_S)
            finally:
                process.kill()
                process.wait()
                if process.stdout is not None:
                    process.stdout.close()
            if process.returncode == 0:
                summary: dict[str, Any] = json.loads(said)
                self.left_over |= set(summary["left_over"])
                return summary
            assert process.returncode == RUN_AGAIN, f"exit code {process.returncode}: {self.log.read_text()[-4000:]}"
        raise AssertionError(f"not done in {MAX_TRIES} tries: {self.log.read_text()[-4000:]}")

    def known_as_lost(self) -> set[str]:
        """Names of lists whose creating answer was lost, by the ledger."""
        ledger = open_ledger(self.ledger_url)
        with ledger.reading() as connection:
            found = set(
                connection.execute(
                    sa.select(LISTS.c.vendor_name).where(LISTS.c.state == ListState.LOST.value)
                ).scalars()
            )
        ledger.engine.dispose()
        return found

    def _is_killed(self, process: "subprocess.Popen[bytes]") -> bool:
        """Whether it was killed, after a number of requests of its own; it may end before."""
        seen = self._requests()
        moment = seen + self.dice.randrange(1, 8)
        give_up_at = time.monotonic() + DEADLINE_S
        while self._requests() < moment:
            assert time.monotonic() < give_up_at, "it neither asks nor ends"
            if process.poll() is not None:
                return False
        process.kill()
        process.communicate()
        if process.returncode >= 0:
            return False
        self.kills += 1
        _let_holds_lapse(self.ledger_url)
        return True

    def _requests(self) -> int:
        return sum(self.sandbox.stats()["requests"].values())

    def _words(self, mode: str, rows: int, version: int) -> list[str]:
        options: Mapping[str, object] = {
            "--ledger": self.ledger_url,
            "--base-url": self.sandbox.base_url,
            "--team-id": self.sandbox.team_id,
            "--secret": self.sandbox.secret,
            "--name": NAME,
            "--mode": mode,
            "--rows": rows,
            "--version": version,
        }
        words = [str(word) for option in options.items() for word in option]
        return [sys.executable, "-m", "tests.acceptance.lists_worker", *words]


@pytest.fixture(params=[pytest.param(kind, marks=pytest.mark.xdist_group(f"lists on {kind}")) for kind in DATABASES])
def task(request: pytest.FixtureRequest, open_databases: Callable[[str], Databases], tmp_path: Path) -> Iterator[Task]:
    """A sync against a vendor that answers late."""
    with SandboxProcess("--latency-ms", "30", "--seed", str(SEED)) as sandbox:
        yield Task(sandbox, open_databases(request.param).new(), tmp_path / "syncs.log", Random(SEED))


def held(sandbox: SandboxProcess) -> Counter[tuple[object, ...]]:
    """The contacts in the one list of the name, and how often each is in."""
    (made,) = (made for made in sandbox.lists().values() if made["list_name"] == NAME)
    return Counter((one["record_id"], one["phone"], one["first_name"]) for one in made["contacts"])


def wanted(count: int = ROWS, *, version: int = 0) -> Counter[tuple[object, ...]]:
    """The contacts that the source says."""
    return Counter((str(row["id"]), row["mobile"], row["first"]) for row in rows(count, version=version))


def left_over(sandbox: SandboxProcess) -> dict[str, int]:
    """Every other list of the vendor's, and how many contacts are in it."""
    return {made["list_name"]: made["contact_count"] for made in sandbox.lists().values() if made["list_name"] != NAME}


@pytest.mark.timeout(1200)
def test_a_mirror_is_exact_whatever_breaks_and_whoever_is_killed(task: Task) -> None:
    task.sandbox.faults(*({"name": name, "share": SHARE, "route": "lists"} for name in BREAKS))
    task.run(kills=KILLS)
    assert held(task.sandbox) == wanted()

    task.run(kills=KILLS, version=1)
    assert held(task.sandbox) == wanted(version=1)

    others = left_over(task.sandbox)
    assert set(others.values()) <= {0}
    assert set(others) <= task.left_over <= task.known_as_lost()
    assert all(name in task.log.read_text() for name in others)
    assert task.kills  # some may have come to their end before the moment

    appends = task.sandbox.stats()["requests"]["append"]
    assert task.run(version=1)["calls"] == 0
    assert task.sandbox.stats()["requests"]["append"] == appends


@pytest.mark.parametrize("task", ["postgresql"], indirect=True)  # the rules of tests/integration/lists hold on both
@pytest.mark.timeout(1200)
def test_an_appended_list_has_nobody_twice_whatever_breaks_and_whoever_is_killed(task: Task) -> None:
    task.sandbox.faults(*({"name": name, "share": SHARE, "route": "lists"} for name in BREAKS))
    task.run(mode="append", rows=3_000, kills=2)
    summary = task.run(mode="append", kills=KILLS)
    now_held = held(task.sandbox)
    assert set(now_held.values()) == {1}
    assert summary["unknown"] == 0
    assert now_held == wanted()
    assert task.run(mode="append")["calls"] == 0


def _let_holds_lapse(ledger_url: str) -> None:
    """A sync that was killed was silent for so long that it is taken for dead."""
    ledger = open_ledger(ledger_url)
    with ledger.writing() as connection:
        for row in connection.execute(sa.select(SYNCS.c.id, SYNCS.c.held_until).where(SYNCS.c.ended_at.is_(None))):
            lapsed = row.held_until - timedelta(minutes=10)
            connection.execute(SYNCS.update().where(SYNCS.c.id == row.id).values(held_until=lapsed))
    ledger.engine.dispose()
