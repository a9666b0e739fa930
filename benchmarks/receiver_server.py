"""A receiver that keeps callbacks in one of three ways, a process a run: ``python -m benchmarks.receiver_server KIND``.

``group`` is the package's own; ``each`` commits every callback by itself; ``nothing`` reads and forgets.
"""

import argparse
import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path

import sqlalchemy as sa
from starlette.types import ASGIApp

from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.reconcile import reconcile
from airflow_provider_dropcowboy.receiver.app import Receiver, ReceiverApp
from airflow_provider_dropcowboy.receiver.arrival import Arrival, Intake
from airflow_provider_dropcowboy.receiver.server import serve
from airflow_provider_dropcowboy.receiver.wiring import Wiring
from airflow_provider_dropcowboy.secret import Secret

SECRET = "bench-secret"
CONNECTIONS = 4  # of the ledger's pool; SQLite lets one write at a time whatever is asked


def main() -> None:
    """Print the port, and serve until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["group", "each", "nothing"])
    parser.add_argument("--ledger", required=True)
    parser.add_argument("--spool", type=Path, required=True)
    asked = parser.parse_args()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    with suppress(KeyboardInterrupt):
        serve(partial(make_app, asked.kind, asked.ledger, asked.spool), listener, workers=1)


def make_app(kind: str, url: str, spool: Path) -> ASGIApp:
    """The app; all but the keeping is the same."""
    match kind:
        case "each":
            Intake.submit = _each(url)
        case "nothing":
            Intake.submit = _nothing
    return ReceiverApp(Receiver(lambda: Wiring((Secret(SECRET),), sa.make_url(url)), spool_folder=spool))


def _each(url: str) -> Callable[[Intake, Arrival], "asyncio.Future[bool]"]:
    ledger = open_ledger(url)
    threads = ThreadPoolExecutor(1 if ledger.engine.dialect.name == "sqlite" else CONNECTIONS)

    def submit(_intake: Intake, arrival: Arrival) -> asyncio.Future[bool]:
        return asyncio.get_running_loop().run_in_executor(threads, lambda: bool(reconcile(ledger, [arrival.read()])))

    return submit


def _nothing(_intake: Intake, _arrival: Arrival) -> "asyncio.Future[bool]":
    kept: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
    kept.set_result(True)
    return kept


if __name__ == "__main__":
    main()
