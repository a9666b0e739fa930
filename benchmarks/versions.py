"""API v2 against API v1 in one run, with the results that come in meanwhile: ``python -m benchmarks.versions``.

The sandbox answers after a latency, and sends each result after a second: by callback, and on v2 also by a signed
webhook. Sandbox, receiver, database and run share the machine. So the rate includes what all cost, and the CPU is that
of the run alone. At 50 ms, two cores are too few for the results of v2. ``--latency-ms 200`` leaves them room.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import requests
import sqlalchemy as sa
from rich.console import Console

from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.ledger.webhooks import keep_secret
from airflow_provider_dropcowboy.secret import Secret
from benchmarks.__main__ import REPEATS, Ratios, measure, middle
from benchmarks.ours import at_sandbox
from benchmarks.receiver import wait_for_ledger
from benchmarks.receiver_server import SECRET
from tests.postgres_server import PostgresServer
from tests.sandbox_process import SandboxProcess

VERSIONS = ("v1", "v2")
OUTCOMES = {"success": 0.9, "failure": 0.1, "dnc": 0.0, "silent": 0.0}


def run(api: str, *, rows: int, latency_ms: int, ledger_url: str, has_results: bool) -> dict[str, Any]:
    """One campaign; with results, all of them are in the ledger at the end, or it fails."""
    with SandboxProcess("--latency-ms", str(latency_ms), "--callback-delay-s", "1") as sandbox:
        sandbox.settings(outcomes=OUTCOMES)
        url = sandbox.base_url if api == "v1" else sandbox.v2_url
        words = ["--rows", rows, "--url", url, "--ledger", ledger_url, "--sandbox-api", api]
        if not has_results:
            return measure("benchmarks.ours", *words)
        with receiver(ledger_url) as receiver_url:
            hears_webhooks(sandbox, ledger_url, receiver_url)
            words += ["--callback-url", receiver_url, "--callback-secret", SECRET]
            measured = measure("benchmarks.ours", *words)
            sandbox.callbacks(wait_for=rows, timeout_s=120.0)
            sandbox.webhooks(done=sandbox.webhooks()["planned"], timeout_s=120.0)
    with open_ledger(ledger_url).reading() as connection:
        final = sa.select(sa.func.count()).where(SENDS.c.state.in_(("delivered", "failed")))
        assert connection.execute(final).scalar_one() == rows
    return measured


@contextmanager
def receiver(ledger_url: str) -> Iterator[str]:
    """The package's receiver on a new ledger; its URL."""
    open_ledger(ledger_url, may_create=True).engine.dispose()
    with tempfile.TemporaryDirectory() as folder:
        words = ["benchmarks.receiver_server", "group", "--ledger", ledger_url, "--spool", folder]
        server = subprocess.Popen([sys.executable, "-m", *words], stdout=subprocess.PIPE, text=True)
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{server.stdout.readline().strip()}"
            wait_for_ledger(f"{url}/ready")
            yield url
        finally:
            server.terminate()
            server.wait()


def hears_webhooks(sandbox: SandboxProcess, ledger_url: str, receiver_url: str) -> None:
    """The sandbox signs its webhooks for the receiver; by API v1 nothing is sent that they would report."""
    headers = {"x-key": sandbox.key, "x-secret": sandbox.secret}
    hook = {"hook_url": f"{receiver_url}/events", "event_types": ["*"]}
    answer = requests.post(f"{sandbox.v2_url}/register/public/webhooks", json=hook, headers=headers, timeout=30)
    made = json.loads(answer.content)["data"]
    account, _ = at_sandbox("v2", sandbox.v2_url)
    secret = Secret(made["signing_secret"])
    keep_secret(
        open_ledger(ledger_url), account.name, webhook_id=made["webhook_id"], secret=secret, under=Secret(SECRET)
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--latency-ms", type=int, default=50)
    options = parser.parse_args()
    what = f"{options.rows:,} contacts, {options.latency_ms} ms, PostgreSQL ledger, median of {options.repeats}"
    ratios = Ratios(f"API v2 against v1: {what}")
    with PostgresServer() as server:
        for name, has_results in (("sends alone", False), ("with all results", True)):
            runs: dict[str, list[dict[str, Any]]] = {api: [] for api in VERSIONS}
            for _ in range(options.repeats):  # in turn, so that the machine's moods fall on all alike
                for api, taken in runs.items():
                    url = server.url(server.create_database())
                    how = {"rows": options.rows, "latency_ms": options.latency_ms}
                    taken.append(run(api, **how, ledger_url=url, has_results=has_results))
            v1, v2 = (middle(runs[api]) for api in VERSIONS)
            ratios.add(f"v2, {name}", v2, f"v1, {name}", other=v1, goal="≥ 0.97")
            ratios.add(f"v1, {name}", v1, f"v1, {name}", other=v1)
    Console(width=140).print(ratios.table)


if __name__ == "__main__":
    main()
