"""How long the report page takes with five million sends in the ledger, against ten thousand.

``python -m benchmarks.page``: fills a ledger of each size on each database, and opens pages over HTTP. It takes some
minutes and gigabytes of disk.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Final

import requests
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.ledger.campaigns import Campaign
from airflow_provider_dropcowboy.ledger.counts import rows_of
from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from airflow_provider_dropcowboy.ledger.runs import Who, begin_run, end_run
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, SENDS
from benchmarks.filled import ACCOUNT, fill
from benchmarks.filled import LARGEST as LARGEST_SENDS
from tests.integration.reports.page.page_server import PageServer, name_message, text_of
from tests.postgres_server import PostgresServer

TIMES: Final = 30
"""Each page is opened so often; the median counts, and the slowest is printed too."""
GOAL_MS: Final = 300

LARGEST: Final = "filled 0001"
KEY: Final = "looked up"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sends", type=int, default=5_000_000)
    parser.add_argument("--small", type=int, default=10_000)
    options = parser.parse_args()
    sizes = (f"{size:,} sends, ms" for size in (options.small, options.sends))
    table = Table("page", "database", *sizes, "slowest, ms", "ratio", f"under {GOAL_MS} ms")
    with tempfile.TemporaryDirectory() as folder, PostgresServer() as server:
        places: dict[str, Callable[[int], str]] = {
            "SQLite": lambda sends: f"sqlite:///{Path(folder) / f'{sends}.db'}",
            "PostgreSQL": lambda _sends: server.url(server.create_database()),
        }
        for database, place in places.items():
            small, large = (measure(place(sends), sends) for sends in (options.small, options.sends))
            for page, took in large.items():
                before, now = median(small[page]), median(took)
                figures = (f"{before:.1f}", f"{now:.1f}", f"{max(took):.1f}", f"{now / before:.2f}")
                table.add_row(page, database, *figures, "✓" if now < GOAL_MS else "✗")
    Console().print(table)


def measure(url: str, sends: int) -> dict[str, list[float]]:
    """Milliseconds that each page took, each time; the first time is left out."""
    fill(url, sends)
    ledger = open_ledger(url)
    largest = add_runs(ledger)
    name_one(ledger, largest)
    with PageServer(lambda: ledger) as page:
        campaign = {"account": ACCOUNT, "campaign": LARGEST}
        pages: dict[str, Callable[[], requests.Response]] = {
            "campaigns": lambda: page.get("campaigns"),
            "campaigns, searched": lambda: page.get("campaigns", q="00"),
            "the largest campaign": lambda: page.get("campaign", **campaign),
            "a DAG run": lambda: page.get("run", dag_id="daily", run_id="scheduled__1"),
            "one message": lambda: page.post("message", **campaign, contact=KEY),
        }
        rows = min(sends, LARGEST_SENDS)
        assert f"Rows read {rows:,} " in text_of(pages["the largest campaign"]()), "the page shows something else"
        took = {name: [clock(open_page) for _ in range(TIMES + 1)][1:] for name, open_page in pages.items()}
    ledger.engine.dispose()
    return took


def clock(open_page: Callable[[], requests.Response]) -> float:
    """Milliseconds until the whole page is there."""
    began = time.perf_counter()
    answer = open_page()
    took = (time.perf_counter() - began) * 1_000
    answer.raise_for_status()
    return took


def add_runs(ledger: Ledger) -> Campaign:
    """Each campaign was sent by a run of a DAG; the largest one."""
    with ledger.reading() as connection:
        campaigns = [
            Campaign(row.id, row.account, row.name, Channel(row.channel), row.prefix, is_new=False)
            for row in connection.execute(sa.select(CAMPAIGNS).order_by(CAMPAIGNS.c.id))
        ]
    for campaign in campaigns:
        who = Who(dag_id="daily", task_id="send", run_id=f"scheduled__{campaign.id}", try_number=1, map_index=-1)
        run = begin_run(ledger, campaign, who=who, wanted=1)
        end_run(ledger, run, counts={"delivered": 85, "accepted": 5, "failed": 5, "rejected": 5}, reason=None)
    return campaigns[0]


def name_one(ledger: Ledger, campaign: Campaign) -> None:
    """One of the sends, which have no names of a ledger's own, can be looked up by its contact key."""
    with ledger.writing() as connection:
        first = sa.select(sa.func.min(SENDS.c.foreign_id)).where(*rows_of(campaign))
        foreign_id = connection.execute(first).scalar_one()
        named = SENDS.update().where(SENDS.c.foreign_id == foreign_id)
        connection.execute(named.values(foreign_id=name_message(ledger, campaign, KEY)[0]))


if __name__ == "__main__":
    main()
