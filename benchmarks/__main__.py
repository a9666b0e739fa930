"""Measures this package beside its bounds and its rivals, in one run, and prints ratios: ``make bench``.

``--full`` adds a million rows, and a ledger that holds five million sends already.
"""

import argparse
import json
import platform
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any, Final

from rich.console import Console
from rich.table import Table

CONNECTIONS: Final = 99
REPEATS: Final = 3


def measure(*command: object) -> dict[str, Any]:
    """What a measurement in a process of its own printed last, as JSON."""
    words = [sys.executable, "-m", *map(str, command)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{' '.join(words)} failed:\n{done.stderr[-2000:]}")
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


def ours(url: str, rows: int, ledger: str) -> dict[str, Any]:
    """This package."""
    return measure("benchmarks.ours", "--rows", rows, "--url", url, "--ledger", ledger)


def peer(name: str, url: str, rows: int) -> dict[str, Any]:
    """Somebody else."""
    return measure("benchmarks.peers", name, "--rows", rows, "--url", url)


def middle(measurements: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each figure."""
    return {name: median(item[name] for item in measurements) for name in measurements[0]}


def bench(table: Table, postgres_url: str, *, rows: int) -> None:
    """All of it, each against its bound in the same run."""

    def row(name: str, mine: dict[str, Any], against: str, other: dict[str, Any], goal: str) -> None:
        ratio = mine["rate_per_s"] / other["rate_per_s"]
        cpu, lag = mine["cpu_s_per_10k"], mine.get("lag_p99_ms")
        shown = "" if lag is None else f"{lag:.0f}"
        table.add_row(name, f"{mine['rate_per_s']:,.0f}", against, f"{ratio:.2f}", goal, f"{cpu:.2f}", shown)

    with vendor(50) as url:
        bound = peer("bare", url, rows)
        for name, ledger in (("SQLite", "sqlite"), ("PostgreSQL", postgres_url)):
            row(f"50 ms, {name}", ours(url, rows, ledger), "bare load generator", bound, "≥ 0.97")
        fair = peer("threads", url, rows // 4)
        row("50 ms, SQLite", ours(url, rows, "sqlite"), "requests, 99 threads, no ledger", fair, "≥ 2.2")
        row("50 ms, SQLite", ours(url, rows, "sqlite"), "requests.post in a loop", peer("loop", url, 200), "≥ 90")
    with vendor(0) as url:
        runs: dict[str, list[dict[str, Any]]] = {"aiohttp": [], "off": [], "sqlite": [], postgres_url: []}
        for _ in range(REPEATS):  # in turn, so that the machine's moods fall on all alike
            for name, taken in runs.items():
                taken.append(peer(name, url, rows) if name == "aiohttp" else ours(url, rows, name))
        bare, off = middle(runs["aiohttp"]), middle(runs["off"])
        row("0 ms, no ledger", off, "bare aiohttp", bare, "")
        row("0 ms, SQLite", middle(runs["sqlite"]), "no ledger", off, "≥ 0.93")
        row("0 ms, PostgreSQL", middle(runs[postgres_url]), "no ledger", off, "≥ 0.85")
        row("0 ms, SQLite", middle(runs["sqlite"]), "bare aiohttp", bare, "≥ 0.65")


def bench_memory(console: Console, *, sizes: tuple[int, ...]) -> None:
    """Peak memory over the number of contacts."""
    table = Table("contacts", "seconds", "peak RSS, MB", "to the smallest", title="Memory, SQLite ledger, 0 ms")
    with vendor(0) as url:
        first = None
        for rows in sizes:
            measured = ours(url, rows, "sqlite")
            first = first or measured["peak_rss_mb"]
            table.add_row(
                f"{rows:,}",
                f"{measured['seconds']:.1f}",
                f"{measured['peak_rss_mb']:.0f}",
                f"{measured['peak_rss_mb'] / first:.2f}",
            )
    console.print(table)


def main() -> None:
    """Print the tables."""
    from tests.postgres_server import PostgresServer

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--full", action="store_true", help="also a million rows; takes long")
    parser.add_argument("--rows", type=int, default=20_000)
    options = parser.parse_args()
    console = Console()
    console.print(
        f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}, {options.rows:,} rows"
    )
    table = Table("what", "a second", "against", "ratio", "goal", "CPU s / 10k", "loop lag p99, ms")
    with PostgresServer() as server:
        bench(table, server.url(server.create_database()), rows=options.rows)
    console.print(table)
    bench_memory(console, sizes=(10_000, 100_000, *((1_000_000,) if options.full else ())))


if __name__ == "__main__":
    main()
