"""Measures this package beside its bounds and its rivals, in one run, and prints ratios: ``make bench``.

``--full`` adds a million contacts, and ledgers that hold five million sends already.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from os import cpu_count
from pathlib import Path
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from benchmarks.filled import fill
from benchmarks.ours import store

CONNECTIONS: Final = 99
REPEATS: Final = 3
MAPPED_ROWS: Final = 40
MEMORY: Final = ("source", "contacts", "a second", "peak RSS, MB", "to the smallest", "goal")
FILLED_SENDS: Final = 5_000_000


class MeasurementError(SystemExit):
    """A measurement failed; ends the benchmark, unless it can do without."""


def measure(*command: object) -> dict[str, Any]:
    """What a measurement in a process of its own printed last, as JSON."""
    words = [sys.executable, "-m", *map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise MeasurementError(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}")
    measured: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return measured


@contextmanager
def vendor(latency_ms: float) -> Iterator[str]:
    """A vendor of constant answers; its base URL."""
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server", "--latency-ms", str(latency_ms)], stdout=subprocess.PIPE, text=True
    )
    assert server.stdout is not None
    try:
        yield f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
    finally:
        server.terminate()
        seen = json.loads(server.stdout.read())
        server.wait()
    if seen["max_in_flight"] > CONNECTIONS:
        raise SystemExit(f"{seen['max_in_flight']} requests were under way at once, the limit is {CONNECTIONS}")


def ours(url: str, rows: int, ledger: str, source: str = "made") -> dict[str, Any]:
    """This package."""
    return measure("benchmarks.ours", "--rows", rows, "--url", url, "--ledger", ledger, "--source", source)


def peer(name: str, url: str, rows: int) -> dict[str, Any]:
    """Somebody else."""
    return measure("benchmarks.peers", name, "--rows", rows, "--url", url)


def middle(measurements: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each figure."""
    return {name: median(item[name] for item in measurements) for name in measurements[0]}


class Ratios:
    """A table of what was measured, each against another in the same run."""

    def __init__(self, title: str) -> None:
        self.table = Table(
            "what", "a second", "against", "a second", "ratio", "goal", "CPU s / 10k", "lag p99, ms", title=title
        )

    def add(self, name: str, mine: dict[str, Any], against: str, *, other: dict[str, Any], goal: str = "") -> None:
        """One line."""
        rate, bound = mine["rate_per_s"], other["rate_per_s"]
        cpu, lag = mine.get("cpu_s_per_10k"), mine.get("lag_p99_ms")
        shown = ["" if cpu is None else f"{cpu:.2f}", "" if lag is None else f"{lag:.0f}"]
        bound_shown = f"{bound:,.0f}" if bound >= 100 else f"{bound:.1f}"
        self.table.add_row(name, f"{rate:,.0f}", against, bound_shown, f"{rate / bound:.2f}", goal, *shown)


def bench_wire(ledgers: dict[str, str], *, rows: int) -> Table:
    """Against a vendor that takes 50 ms, as the real one might."""
    ratios = Ratios(f"50 ms latency, {CONNECTIONS} connections, {rows:,} contacts")
    with vendor(50) as url:
        bound = peer("bare", url, rows)
        measured = {name: ours(url, rows, ledger) for name, ledger in ledgers.items()}
        for name, mine in measured.items():
            ratios.add(name, mine, "bare load generator", other=bound, goal="≥ 0.97")
        name, mine = next(iter(measured.items()))
        ratios.add("aiohttp alone", peer("aiohttp", url, rows), "bare load generator", other=bound)
        fair = peer("threads", url, rows // 4)
        ratios.add(name, mine, f"requests, {CONNECTIONS} threads, no ledger", other=fair, goal="≥ 2.2")
        ratios.add(name, mine, "requests.post in a loop", other=peer("loop", url, 200), goal="≥ 90")
        try:
            mapped = measure("benchmarks.mapped", "--rows", MAPPED_ROWS, "--url", url)
        except MeasurementError as failed:  # its tasks do not all end now and then; the others' figures stand
            ratios.table.caption = f"HttpOperator, a task a contact: not measured: {str(failed).splitlines()[-1]}"
        else:
            ratios.add(name, mine, "HttpOperator, a task a contact", other=mapped, goal="≥ 400")
    return ratios.table


def bench_cpu(postgres_url: str, *, rows: int) -> Table:
    """Against a vendor that answers at once: what a message costs."""
    ratios = Ratios(f"No latency, {CONNECTIONS} connections, {rows:,} contacts, median of {REPEATS}")
    with vendor(0) as url:
        runs: dict[str, list[dict[str, Any]]] = {"aiohttp": [], "off": [], "sqlite": [], postgres_url: []}
        for _ in range(REPEATS):  # in turn, so that the machine's moods fall on all alike
            for name, taken in runs.items():
                taken.append(peer(name, url, rows) if name == "aiohttp" else ours(url, rows, name))
    bare, off = middle(runs["aiohttp"]), middle(runs["off"])
    sqlite, postgres = middle(runs["sqlite"]), middle(runs[postgres_url])
    ratios.add("no ledger", off, "aiohttp alone", other=bare)
    ratios.add("SQLite", sqlite, "no ledger", other=off, goal="≥ 0.93")
    ratios.add("PostgreSQL", postgres, "no ledger", other=off, goal="≥ 0.85")
    ratios.add("SQLite", sqlite, "aiohttp alone", other=bare, goal="≥ 0.65")
    ratios.add("PostgreSQL", postgres, "aiohttp alone", other=bare, goal="≥ 0.65")
    return ratios.table


def bench_memory(folder: Path, postgres_url: str, *, sizes: tuple[int, ...]) -> Iterator[tuple[str, ...]]:
    """Peak memory and time over the number of contacts: lines of a table, each as soon as it is measured."""
    with vendor(0) as url:
        first: dict[str, float] = {}
        for rows in sizes:
            for name, source in store(folder, postgres_url, rows).items():
                measured = ours(url, rows, "sqlite", source)
                peak = measured["peak_rss_mb"]
                ratio = peak / first.setdefault(name, peak)
                yield name, f"{rows:,}", f"{measured['rate_per_s']:,.0f}", f"{peak:.0f}", f"{ratio:.2f}", "≤ 1.15"


def main() -> None:
    """Print the tables."""
    from tests.postgres_server import PostgresServer

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="also a million contacts, and five million sends before")
    parser.add_argument("--rows", type=int, default=60_000, help="at 50 ms; a third of them without latency")
    options = parser.parse_args()
    console = Console(width=140)
    console.print(f"{cpu_count()} cores, {platform.machine()}, {platform.system()}, Python {platform.python_version()}")
    with PostgresServer() as server, tempfile.TemporaryDirectory() as folder:
        ledgers = {"SQLite": "sqlite", "PostgreSQL": server.url(server.create_database())}
        if options.full:
            filled = {"SQLite": f"sqlite:///{folder}/filled.db", "PostgreSQL": server.url(server.create_database())}
            for name, ledger in filled.items():
                fill(ledger, FILLED_SENDS)
                ledgers[f"{name}, {FILLED_SENDS:,} sends in it"] = ledger
        console.print(bench_wire(ledgers, rows=options.rows))
        console.print(bench_cpu(server.url(server.create_database()), rows=options.rows // 3))
        sizes = (10_000, 100_000, *((1_000_000,) if options.full else ()))
        memory = Table(*MEMORY, title="Memory, SQLite ledger")
        for line in bench_memory(Path(folder), server.url(server.create_database()), sizes=sizes):
            memory.add_row(*line)
        console.print(memory)


if __name__ == "__main__":
    main()
