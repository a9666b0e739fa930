"""This build beside an older one, in one run: ``python -m benchmarks.against 46e5744``.

The older build is taken from this repository's history into a folder of its own. Both run by turns, each in a process
of its own, against the same vendor; the medians of their figures are divided. A measure is a function of a build, and
stands in ``MEASURES``. The table is Markdown, and grows as it is measured.
"""

import argparse
import atexit
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cache
from itertools import count
from pathlib import Path
from statistics import median
from typing import Final

import sqlalchemy as sa

from benchmarks.__main__ import MEMORY, bench_memory
from benchmarks.builds import REPOSITORY, Build, unpack
from tests.certificate import make_certificate
from tests.postgres_server import PostgresServer

CONNECTIONS, KILLS = 90, 5
OTHER_PART: Final = "999999999/999999999"  # of 2^28 places that a key can have
DOUBT: Final = REPOSITORY / "benchmarks" / "doubt.py"

Figures = Mapping[str, float]


def send(
    build: Build, rows: int, *, latency_ms: float, ledger: str = "sqlite", has_tls: bool = False, peer: str = ""
) -> Figures:
    """A campaign to a vendor with a latency, on an empty ledger.

    :param ledger: ``sqlite`` or ``postgresql``.
    :param peer: of ``benchmarks.peers``, which sends as many to the same vendor right after.
    """
    words = ["--certificate", str(build.certificate)] if has_tls else []
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server", "--latency-ms", str(latency_ms), *words],
        cwd=REPOSITORY, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    try:
        url = f"http{'s' * has_tls}://127.0.0.1:{int(server.stdout.readline())}/v1"
        load = ["--rows", rows, "--url", url, "--connections", CONNECTIONS]
        with _empty(ledger) as ledger_url:
            printed = build.run("benchmarks.ours", *load, "--ledger", ledger_url)
        other = build.run("benchmarks.peers", peer, *load)["rate_per_s"] if peer else 0.0
    finally:
        server.terminate()
        seen = json.loads(server.stdout.read())
        server.wait()
    assert seen["max_in_flight"] <= CONNECTIONS, seen
    compared = {f"requests a second, to {peer} alone": printed["rate_per_s"] / other} if peer else {}
    return {
        "requests a second": printed["rate_per_s"],
        **compared,
        SEND: printed["cpu_s_per_10k"],
        "connections made": seen["connections"] - (CONNECTIONS if peer else 0),
    }


@contextmanager
def _empty(ledger: str) -> Iterator[str]:
    """What ``benchmarks.ours`` wants to be told for a new ledger."""
    if ledger == "sqlite":
        yield ledger
    else:
        server = _postgres()
        database = server.create_database()
        yield server.url(database)
        _create(server, database, verb="DROP")


def again(
    build: Build,
    rows: int,
    *,
    ledger: str,
    new: float = 0.0,
    is_dry_run: bool = False,
    is_new: bool = False,
    partition: str | None = None,
) -> Figures:
    """A campaign that was sent once and runs again; each time from the same ledger.

    :param ledger: ``sqlite``, ``postgresql``, or ``none`` for a dry run without one.
    :param new: share of rows that the first run did not have.
    :param is_new: the campaign is, and its ledger is empty.
    :param partition: another part than that of the rows.
    """
    words: list[object] = [
        "--rows", round(rows * (1 + new)),
        *(("--dry-run",) if is_dry_run else ()), *(("--partition", partition) if partition else ()),
    ]  # fmt: skip
    with ExitStack() as opened:
        sent = 0 if is_new else rows
        url = ledger if ledger == "none" else opened.enter_context(_ledger_with(build, sent, ledger=ledger))
        printed = build.run_file(REPOSITORY / "benchmarks" / "again.py", "--ledger", url, "--url", _vendor(), *words)
    assert 0.97 * round(rows * new) <= printed["asked"] <= round(rows * new), printed  # some made-up numbers are none
    return {CPU: printed["cpu_us"]}


def callbacks(build: Build, rows: int, *, ledger: str, kind: str = "group") -> Figures:
    """Callbacks into an empty ledger, 64 at a time.

    :param kind: ``nothing``: they are read and forgotten.
    """
    server, name = _postgres(), f"callbacks_{next(_COPIES)}"
    if ledger == "postgresql":
        _create(server, name)
    with tempfile.TemporaryDirectory() as folder:
        url = server.url(name) if ledger == "postgresql" else f"sqlite:///{folder}/ledger.db"
        words = ["--ledger", url, "--callbacks", round(rows, -3), "--kind", kind]
        printed = build.run_file(REPOSITORY / "benchmarks" / "callbacks.py", "cpu", *words)
    return {"CPU us a callback": printed["cpu_us"]}


def restart(build: Build, _rows: int, *, workers: int) -> Figures:
    """A clean restart of the receiver, at 200 callbacks a second."""
    printed = build.run_file(REPOSITORY / "benchmarks" / "callbacks.py", "restart", "--workers", workers)
    return {"callbacks posted": printed["posted"], "callbacks lost": printed["lost"]}


def doubt(build: Build, rows: int, *, latency_ms: int) -> Figures:
    """The claims that are out for each connection, and the rate that they keep up."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["--rows", rows, "--ledger", f"sqlite:///{folder}/ledger.db", "--connections", CONNECTIONS]
        printed = build.run_file(DOUBT, "send", "--url", _vendor(latency_ms), *words)
    return {"requests a second": printed["rate_per_s"], OUT: printed["claims_out"]}


def killed(build: Build, _rows: int, *, latency_ms: int) -> Figures:
    """What ``kill -9`` leaves claimed: the median of some kills."""
    words = ["--kills", KILLS, "--connections", CONNECTIONS]
    printed = build.run_file(DOUBT, "kill", "--url", _vendor(latency_ms), *words)
    return {"left claimed for each connection": printed["left_claimed"]}


@contextmanager
def _ledger_with(build: Build, rows: int, *, ledger: str) -> Iterator[str]:
    """A copy of a ledger of the build's own, in which so many rows are sent; its URL."""
    server, name = _postgres(), f"sent_{build.folder.name}_{rows}".lower().replace("-", "_")
    folder = build.certificate.parent
    is_file = ledger == "sqlite"
    filled = f"sqlite:///{folder / name}.db" if is_file else server.url(name)
    if (ledger, name) not in _FILLED:
        _FILLED.add((ledger, name))
        if not is_file:
            _create(server, name)
        build.run_file(REPOSITORY / "benchmarks" / "again.py", "--rows", rows, "--ledger", filled, "--url", _vendor())
    if is_file:
        copy = folder / "copy.db"
        shutil.copy(folder / f"{name}.db", copy)
        yield f"sqlite:///{copy}"
        for left in folder.glob("copy.db*"):
            left.unlink()
    else:
        copied = f"copy_{next(_COPIES)}"
        _create(server, f"{copied} TEMPLATE {name}")
        yield server.url(copied)
        _create(server, copied, verb="DROP")


@cache
def _vendor(latency_ms: int = 50) -> str:
    """One for all: its address is part of the account's name, and with it of the campaign."""
    server = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.server", "--latency-ms", str(latency_ms)],
        cwd=REPOSITORY, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    atexit.register(server.terminate)
    assert server.stdout is not None
    return f"http://127.0.0.1:{int(server.stdout.readline())}/v1"


@cache
def _postgres() -> PostgresServer:
    server = PostgresServer()
    atexit.register(server.stop)
    return server


def _create(server: PostgresServer, database: str, *, verb: str = "CREATE") -> None:
    engine = sa.create_engine(server.url("postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"{verb} DATABASE {database}")
    engine.dispose()


_FILLED: Final[set[tuple[str, str]]] = set()
_COPIES: Final = count(1)

MEASURES: Final[Mapping[str, Callable[[Build, int], Figures]]] = {
    "again, SQLite": lambda build, rows: again(build, rows, ledger="sqlite"),
    "again, PostgreSQL": lambda build, rows: again(build, rows, ledger="postgresql"),
    "again with 10 % new, SQLite": lambda build, rows: again(build, rows, ledger="sqlite", new=0.1),
    "again with 10 % new, PostgreSQL": lambda build, rows: again(build, rows, ledger="postgresql", new=0.1),
    "dry run, no ledger": lambda build, rows: again(build, rows, ledger="none", is_dry_run=True),
    "dry run of what was sent, SQLite": lambda build, rows: again(build, rows, ledger="sqlite", is_dry_run=True),
    "dry run, SQLite": lambda build, rows: again(build, rows, ledger="sqlite", is_dry_run=True, is_new=True),
    # with fewer rows, the start of the run is most of it
    "rows of another partition": lambda build, rows: again(
        build, max(rows, 50_000), ledger="sqlite", is_new=True, partition=OTHER_PART
    ),
    "callback, nothing stored": lambda build, rows: callbacks(build, rows, ledger="sqlite", kind="nothing"),
    "callback, SQLite": lambda build, rows: callbacks(build, rows, ledger="sqlite"),
    "callback, PostgreSQL": lambda build, rows: callbacks(build, rows, ledger="postgresql"),
    "restart of the receiver": lambda build, rows: restart(build, rows, workers=1),
    "restart of two workers": lambda build, rows: restart(build, rows, workers=2),
    "50 ms": lambda build, rows: send(build, rows, latency_ms=50, peer="bare"),
    "50 ms, TLS": lambda build, rows: send(build, rows, latency_ms=50, has_tls=True),
    "50 ms, PostgreSQL": lambda build, rows: send(build, rows, latency_ms=50, ledger="postgresql"),
    "no latency, SQLite": lambda build, rows: send(build, rows, latency_ms=0, peer="aiohttp"),
    "claims out at 50 ms": lambda build, rows: doubt(build, rows, latency_ms=50),
    "claims out at 200 ms": lambda build, rows: doubt(build, rows, latency_ms=200),
    "killed at 200 ms": lambda build, rows: killed(build, rows, latency_ms=200),
    "no latency, PostgreSQL": lambda build, rows: send(build, rows, latency_ms=0, ledger="postgresql", peer="aiohttp"),
}

CPU: Final = "CPU us a row"
SEND: Final = "CPU s per 10,000"
OUT: Final = "claims out for each connection"
GOALS: Final[Mapping[tuple[str, str], str]] = {
    ("again, SQLite", CPU): "ratio ≤ 0.167",
    ("again, PostgreSQL", CPU): "ratio ≤ 0.167",
    ("again with 10 % new, SQLite", CPU): "ratio ≤ 0.4",
    ("again with 10 % new, PostgreSQL", CPU): "ratio ≤ 0.4",
    ("dry run, no ledger", CPU): "ratio ≤ 0.4",
    ("dry run, SQLite", CPU): "ratio ≤ 0.5",
    ("rows of another partition", CPU): "ratio ≤ 0.2",
    ("callback, SQLite", "CPU us a callback"): "ratio ≤ 0.667",
    ("callback, PostgreSQL", "CPU us a callback"): "ratio ≤ 0.556",
    ("restart of the receiver", "callbacks lost"): "0",
    ("restart of two workers", "callbacks lost"): "0",
    ("50 ms", SEND): "ratio ≤ 0.5",
    ("50 ms", "requests a second, to bare alone"): "≥ 0.97",
    ("50 ms, PostgreSQL", SEND): "ratio ≤ 0.5",
    ("no latency, SQLite", "requests a second, to aiohttp alone"): "≥ 0.85",
    ("no latency, PostgreSQL", "requests a second, to aiohttp alone"): "≥ 0.9",
    ("claims out at 50 ms", OUT): "≤ 1.9",
    ("claims out at 50 ms", "requests a second"): "ratio ≥ 0.97",
    ("claims out at 200 ms", OUT): "≤ 1.4",
    ("claims out at 200 ms", "requests a second"): "ratio ≥ 0.97",
    ("killed at 200 ms", "left claimed for each connection"): "≤ 1.4",
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("revision", help="of the older build")
    parser.add_argument("--rows", type=int, default=6_000)
    parser.add_argument("--repeats", type=int, default=4)
    parser.add_argument("--only", choices=MEASURES, action="append", help="some measures")
    parser.add_argument("--memory", action="store_true", help="only this build's peak memory, up to a million contacts")
    options = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f} at the start\n")
    if options.memory:
        memory()
    else:
        against(options)
    print(f"\nload {os.getloadavg()[0]:.1f} at the end")


def against(options: argparse.Namespace) -> None:
    """Both builds, measure by measure."""
    print(f"| measure | figure | {options.revision} | this build | ratio | goal |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory(prefix="against-") as name:
        folder = Path(name)
        unpack(options.revision, folder / "older")
        certificate = make_certificate(folder / "certificate.pem")
        builds = Build(folder / "older", certificate), Build(REPOSITORY, certificate)
        for measure in options.only or MEASURES:
            older, ours = by_turns(builds, MEASURES[measure], rows=options.rows, repeats=options.repeats)
            for figure, before in older.items():
                ratio = f"{ours[figure] / before:.3f}" if before else "-"
                print(f"| {measure} | {figure} | {before:,.2f} | {ours[figure]:,.2f} | {ratio}", end=" | ")
                print(f"{GOALS.get((measure, figure), '')} |", flush=True)


def memory() -> None:
    """This build alone: what counts is whether its peak grows. Three million messages are sent: half an hour."""
    server = _postgres()
    print(f"| {' | '.join(MEMORY)} |\n|{'---|' * len(MEMORY)}", flush=True)
    with tempfile.TemporaryDirectory() as name:
        for line in bench_memory(Path(name), server.url(server.create_database()), sizes=(10_000, 1_000_000)):
            print(f"| {' | '.join(line)} |", flush=True)


def by_turns(
    builds: Sequence[Build], measure: Callable[[Build, int], Figures], *, rows: int, repeats: int
) -> list[Figures]:
    """The median figures of each build; who begins changes, since what ran before leaves the machine warm."""
    figures: list[list[Figures]] = [[] for _ in builds]
    for turn in range(repeats):
        order = list(range(len(builds)))
        for number in order if turn % 2 else reversed(order):
            figures[number].append(measure(builds[number], rows))
    return [{name: median(each[name] for each in all_of) for name in all_of[0]} for all_of in figures]


if __name__ == "__main__":
    main()
