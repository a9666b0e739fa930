"""One campaign sent by 1, 2 and 4 processes on one PostgreSQL: ``python -m benchmarks.workers``.

All of them share the account's connections, so more processes are not to be faster than the bound, which one process
nearly reaches; they are not to be slower either.
"""

import argparse
import json
import subprocess
import sys
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.schema import RUNS
from benchmarks.__main__ import CONNECTIONS, peer, vendor
from tests.postgres_server import PostgresServer

WORKERS: Final = (1, 2, 4)
LATENCY_MS: Final = 50.0


@dataclass(frozen=True, slots=True)
class Sent:
    """What some processes did together.

    :param rate_per_s: from the first one's start to the last one's end, without Python's own start.
    :param sessions: connections to PostgreSQL that all of them had, the most at a time.
    """

    rate_per_s: float
    cpu_s_per_10k: float
    sessions: int


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=60_000)
    options = parser.parse_args()
    table = Table(
        "processes", "a second", "to the bound", "to one", "CPU s / 10k", "sessions",
        title=f"{LATENCY_MS:.0f} ms latency, {CONNECTIONS} connections of the account, {options.rows:,} contacts",
    )  # fmt: skip
    with PostgresServer() as server, vendor(LATENCY_MS) as url:  # it fails if more were under way at once
        bound = peer("bare", url, options.rows)["rate_per_s"]
        table.add_row("bare load generator", f"{bound:,.0f}", "1.00")
        alone = None
        for workers in WORKERS:
            sent = send(server.url(server.create_database()), url, workers=workers, rows=options.rows)
            alone = alone or sent.rate_per_s
            table.add_row(
                str(workers),
                f"{sent.rate_per_s:,.0f}",
                f"{sent.rate_per_s / bound:.2f}",
                f"{sent.rate_per_s / alone:.2f}",
                f"{sent.cpu_s_per_10k:.2f}",
                str(sent.sessions),
            )
    Console().print(table)


def send(ledger_url: str, vendor_url: str, *, workers: int, rows: int) -> Sent:
    """One campaign, a part a process, all at once."""
    ledger = open_ledger(ledger_url, may_create=True)
    words = ["--rows", str(rows), "--url", vendor_url, "--ledger", ledger_url, "--campaign", "workers"]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "benchmarks.ours", *words, "--partition", f"{part}/{workers}"],
            stdout=subprocess.PIPE,
            text=True,
        )
        for part in range(1, workers + 1)
    ]
    sessions = 0
    for process in processes:
        while process.poll() is None:
            sessions = max(sessions, count_sessions(ledger.engine))
            try:
                process.wait(0.5)
            except subprocess.TimeoutExpired:
                continue
    said = [json.loads(process.communicate()[0].splitlines()[-1]) for process in processes]
    with ledger.reading() as connection:
        began, ended = connection.execute(sa.select(sa.func.min(RUNS.c.started_at), sa.func.max(RUNS.c.ended_at))).one()
    ledger.engine.dispose()
    cpu_s_per_10k = sum(each["cpu_s_per_10k"] for each in said)  # each is its own seconds over all rows
    return Sent(rows / (ended - began).total_seconds(), cpu_s_per_10k, sessions)


def count_sessions(engine: sa.Engine) -> int:
    """Connections to the database, but for the one that asks."""
    with engine.connect() as connection:
        counted: int = connection.execute(
            sa.text("SELECT count(*) - 1 FROM pg_stat_activity WHERE datname = current_database()")
        ).scalar_one()
    return counted


if __name__ == "__main__":
    main()
