"""How many claims are out for each connection: what a ``kill -9`` leaves in doubt. One build; ``against`` compares two.

``send`` looks every 5 ms. ``kill`` ends such processes at some moment and counts the claims that each left behind.
"""

import argparse
import asyncio
import json
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import fmean, median
from typing import Final

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.run import Pipeline, run_campaign
from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.secret import Secret
from benchmarks.ours import (  # type: ignore[attr-defined]  # an older build has them elsewhere
    TEXT,
    ContactColumns,
    RvmTemplate,
    Template,
    contacts,
)

SAMPLE_S: Final = 0.005
WARM: Final = 0.2
"""The share of the samples, at the start and at the end, that says nothing of the time between."""


def send(url: str, rows: int, *, ledger: str, connections: int) -> dict[str, float]:
    """One campaign: its rate, and the claims that were out for each connection."""
    samples: list[int] = []
    measured = Pipeline.run

    async def sampled(engine: Pipeline) -> None:
        async def sample() -> None:
            limit = getattr(engine, "_doubt", None) or engine._shared.in_flight  # the former: an older build
            while True:
                samples.append(limit.claims)
                if len(samples) == 1:
                    print("begun", flush=True)
                await asyncio.sleep(SAMPLE_S)

        sampling = asyncio.create_task(sample())
        try:
            await measured(engine)
        finally:
            sampling.cancel()

    Pipeline.run = sampled
    plan = Plan(
        account=Account("bench-team", Secret("bench-secret"), url),
        campaign="doubt",
        template=RvmTemplate(brand_id="b" * 36, voice_id="v" * 36, tts_body=Template.parse(TEXT)),
        columns=ContactColumns(key_column="id"),
        concurrency=connections,
        max_concurrency=connections,
    )
    summary = run_campaign(plan, open_ledger(ledger, may_create=True), rows=contacts(rows), control=Control())
    steady = samples[int(len(samples) * WARM) : int(len(samples) * (1 - WARM))]
    return {"rate_per_s": summary.rate_per_s, "claims_out": fmean(steady) / connections}


def kill(url: str, *, kills: int, connections: int) -> dict[str, float]:
    """The median of what so many killed processes left claimed, for each connection."""
    left = []
    for _ in range(kills):
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "ledger.db"
            words = ["send", "--url", url, "--rows", "100000", "--ledger", f"sqlite:///{file}"]
            sender = subprocess.Popen(
                [sys.executable, __file__, *words, "--connections", str(connections)],
                stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            )  # fmt: skip
            assert sender.stdout is not None
            sender.stdout.readline()
            time.sleep(random.uniform(1.5, 3.0))
            sender.kill()
            sender.wait()
            with sqlite3.connect(file) as ledger:
                query = "SELECT count(*) FROM dropcowboy_sends WHERE state = 'claimed'"
                left.append(ledger.execute(query).fetchone()[0] / connections)
            ledger.close()
    return {"left_claimed": median(left), "most_left_claimed": max(left)}


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("send", "kill"))
    parser.add_argument("--url", required=True, help="base URL of the vendor")
    parser.add_argument("--rows", type=int, default=6_000)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--ledger", default="", help="a SQLAlchemy URL")
    parser.add_argument("--connections", type=int, default=90)
    options = parser.parse_args()
    if options.what == "kill":
        print(json.dumps(kill(options.url, kills=options.kills, connections=options.connections)))
    else:
        print(json.dumps(send(options.url, options.rows, ledger=options.ledger, connections=options.connections)))


if __name__ == "__main__":
    main()
