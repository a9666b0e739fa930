"""Two runs of one campaign at once, killed again and again, against a vendor that breaks in every way it can.

``python -m tests.acceptance.torture --kills 200 --rows 4000 --database postgresql`` prints what came of it. With
``--api v2`` a request in doubt is repeated under its key, and nothing may be in doubt in the end.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from tests.acceptance.contacts import contact_table
from tests.acceptance.databases import DATABASES, Databases
from tests.acceptance.evidence import Evidence, let_silence_pass
from tests.acceptance.faults import EVERY_FAULT
from tests.acceptance.worker_process import DEADLINE_S, Task, WorkerProcess
from tests.sandbox_process import SandboxProcess

VERSIONS: Final = ("v1", "v2")
"""Of the vendor's API."""
RUNS_AT_ONCE: Final = 2
CONCURRENCY: Final = 16
LATENCY_MS: Final = 40
TIMEOUT_S: Final = 2.0
"""Of one request; short, since this vendor now and then never answers."""
SLEEPS_EVERY: Final = 300
"""Requests of a run, after which its machine seems to be suspended until all its claims are over."""
MAX_TRIES: Final = 10
"""Of one run after the last kill; each of them asks for what was surely not taken."""
KILLS_A_ROUND: Final = 12
"""Each round has a ledger and a vendor of its own: a kill leaves some in doubt, and in the end nobody would be left."""


@dataclass(frozen=True, slots=True)
class Round:
    """What became of one table of contacts.

    :param kills: that met a living run.
    :param asked_by_reruns: by each of the two full reruns after the last fault.
    """

    evidence: Evidence
    kills: int
    seconds: float
    asked_by_reruns: list[int]
    faults_met: dict[str, int] = field(repr=False)


def torture(ledger_url: str, *, rows: int, kills: int, seed: int, folder: Path, api: str = "v1") -> Round:
    """Start two runs, kill one at each of ``kills`` random moments, and start it again; let both end; run twice more.

    :param seed: of the moments, the victims and the vendor's faults. A moment is a count of requests, not a time.
    :param folder: for the runs' logs.
    :param api: version of the vendor's API.
    :raises AssertionError: a run failed in a way that Airflow would not try again, or never ended.
    """
    begun_at = time.monotonic()
    dice = Random(seed)
    with SandboxProcess("--latency-ms", str(LATENCY_MS), "--seed", str(seed)) as sandbox:
        sandbox.faults(*EVERY_FAULT)
        task = Task(
            sandbox=sandbox,
            ledger_url=ledger_url,
            log=folder / "runs.log",
            rows=rows,
            concurrency=CONCURRENCY,
            sleeps_every=SLEEPS_EVERY,
            api=api,
        )
        pair = _Pair(task)
        try:
            # a fifth of the requests is left for what comes after the last kill
            for moment in sorted(dice.sample(range(50, int(rows * 0.8)), kills)):
                pair.wait_for_asks(moment)
                pair.kill(dice)
            pair.finish()
        finally:
            pair.stop()
        faults_met = sandbox.stats()["faults_met"]
        sandbox.clear_faults()
        let_silence_pass(ledger_url, pair.dead)
        asked = [int(task.run()["asked"]) for _ in range(2)]
        evidence = Evidence.of(contact_table(rows), sandbox, ledger_url=ledger_url, api=api)
    return Round(evidence, len(pair.dead), time.monotonic() - begun_at, asked, faults_met)


class _Pair:
    """Two runs at once; one that was killed, or wants another try, is started anew."""

    def __init__(self, task: Task) -> None:
        self._task = task
        self.dead: list[int] = []
        self._runs = [task.start() for _ in range(RUNS_AT_ONCE)]

    def wait_for_asks(self, count: int) -> None:
        """So many requests have reached the vendor."""
        give_up_at = time.monotonic() + DEADLINE_S
        while True:
            try:
                self._task.sandbox.wait_for_asks(count, timeout_s=1.0)
            except TimeoutError:
                assert time.monotonic() < give_up_at, f"{count} requests were never made"
                self._runs = [run if run.is_alive else self._next_try(run) for run in self._runs]
            else:
                return

    def kill(self, dice: Random) -> None:
        """One of the two that are under way is gone, and its next try has begun."""
        # the last one's silence is not over: its next try meets claims that may still be answered
        let_silence_pass(self._task.ledger_url, self.dead[:-1])
        victim = dice.randrange(RUNS_AT_ONCE)
        run = self._runs[victim]
        if run.kill().code < 0:
            self.dead.append(run.pid)
        self._runs[victim] = self._task.start()

    def finish(self) -> None:
        """Both have come to their end, with as many tries as that takes."""
        let_silence_pass(self._task.ledger_url, self.dead)
        for run in self._runs:
            ended = run.wait()
            for _ in range(MAX_TRIES):
                if not ended.wants_another_try:
                    break
                ended = self._task.start().wait()
            assert ended.code == 0, f"exit code {ended.code}; {ended.said}; see {self._task.log}"

    def stop(self) -> None:
        """Neither is alive."""
        for run in self._runs:
            run.kill()

    def _next_try(self, run: WorkerProcess) -> WorkerProcess:
        ended = run.wait()
        assert ended.code == 0 or ended.wants_another_try, f"exit code {ended.code}; see {self._task.log}"
        return self._task.start()


def main() -> int:
    """Torture, and print the figures; 1 if a promise was broken."""
    options = _options()
    rounds: list[Round] = []
    left = options.kills
    with tempfile.TemporaryDirectory(prefix="torture-") as name, Databases(options.database, Path(name)) as databases:
        while left > 0:
            kills = min(left, KILLS_A_ROUND)
            seed = options.seed + len(rounds)
            done = torture(
                databases.new(), rows=options.rows, kills=kills, seed=seed, folder=Path(name), api=options.api
            )
            rounds.append(done)
            left -= kills
            print(f"round {len(rounds)}, seed {seed}: {done.kills} kills, {done.seconds:.0f} s", flush=True)
    figures = _figures(rounds)
    broken = _broken(rounds)
    width = max(map(len, (*figures, *broken)))
    print(f"\n{options.database}, {options.rows} rows a round, {RUNS_AT_ONCE} runs at once")
    for name, figure in (*figures.items(), *broken.items()):
        print(f"  {name:<{width}}  {figure:>9}")
    for done in rounds:
        for name, found in done.evidence.broken().items():
            for one in found if broken.get(name) else ():
                print(f"\n{name}: {one}\n{done.evidence.account_of(str(one))}")
    return 1 if any(broken.values()) else 0


def _figures(rounds: list[Round]) -> dict[str, int]:
    evidences = [done.evidence for done in rounds]
    states: Counter[str] = Counter()
    for evidence in evidences:
        states.update({f"ledger: {state}": count for state, count in evidence.counts().items()})
    return {
        "kills": sum(done.kills for done in rounds),
        "faults met": sum(sum(done.faults_met.values()) for done in rounds),
        "kinds of faults": len({name for done in rounds for name, met in done.faults_met.items() if met}),
        "rows": sum(len(evidence.table.rows) for evidence in evidences),
        "runs that ended by themselves": sum(len(evidence.runs) for evidence in evidences),
        "requests": sum(send["asks"] for evidence in evidences for send in evidence.asked.values()),
        "sends taken by the vendor": sum(len(evidence.taken) for evidence in evidences),
        **dict(sorted(states.items())),
        "asked by the first rerun": sum(done.asked_by_reruns[0] for done in rounds),
    }


def _broken(rounds: list[Round]) -> dict[str, int]:
    broken: Counter[str] = Counter({"asked by the second rerun": sum(done.asked_by_reruns[1] for done in rounds)})
    for done in rounds:
        broken.update({name: len(found) for name, found in done.evidence.broken().items()})
    return dict(broken)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--database", choices=DATABASES, default="sqlite")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--api", choices=VERSIONS, default="v1")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
