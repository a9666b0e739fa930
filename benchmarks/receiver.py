"""How many callbacks a second are kept, each way beside the others: ``python -m benchmarks.receiver``."""

import hashlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.callbacks import CallbackUrls, Ticket
from airflow_provider_dropcowboy.api.content import Channel, Rvm
from airflow_provider_dropcowboy.ledger.campaigns import bind_campaign
from airflow_provider_dropcowboy.ledger.claims import claim, new_claim_id
from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.digest import number_digest
from airflow_provider_dropcowboy.ledger.runs import Who, begin_run
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.screening.screen import Candidate, Message
from airflow_provider_dropcowboy.secret import Secret
from benchmarks.receiver_server import SECRET

ROUNDS = 3
CALLBACKS = {"nothing": 24_000, "group": 24_000, "each": 4_000}
PREFIX = "0123456789ab"


def main() -> None:
    """Measure and print."""
    print("callbacks/s (p99), 64 connections; the load shares the machine; median of", ROUNDS)
    with databases() as new:
        for database in ("sqlite", "postgresql"):
            seen: dict[str, list[dict[str, float]]] = {kind: [] for kind in CALLBACKS}
            for _ in range(ROUNDS):
                for kind, runs in seen.items():
                    runs.append(measure(kind, new(database), callbacks=CALLBACKS[kind]))
            rate = {kind: statistics.median(run["rate_per_s"] for run in runs) for kind, runs in seen.items()}
            p99 = {kind: statistics.median(run["p99_ms"] for run in runs) for kind, runs in seen.items()}
            figures = " · ".join(f"{kind} {rate[kind]:.0f} ({p99[kind]:.0f} ms)" for kind in seen)
            print(
                f"{database}: {figures} · group/nothing {rate['group'] / rate['nothing']:.2f}"
                f" · group/each {rate['group'] / rate['each']:.1f}"
            )


def measure(kind: str, url: str, *, callbacks: int) -> dict[str, float]:
    """Rate and 99th percentile of one way; what was answered is in the ledger, or it fails."""
    with tempfile.TemporaryDirectory() as folder:
        requests = Path(folder, "requests")
        requests.write_text("".join(f"{line}\n" for line in prepare(url, callbacks)))
        server = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.receiver_server", kind, "--ledger", url, "--spool", folder],
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            port = server.stdout.readline().strip()
            wait_for_ledger(f"http://127.0.0.1:{port}/ready")
            load = [sys.executable, "-m", "benchmarks.receiver_load", str(requests), "--port", port]
            done = subprocess.run(load, stdout=subprocess.PIPE, text=True, check=True)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()
    measured: dict[str, float] = json.loads(done.stdout)
    if kind != "nothing":
        with open_ledger(url).reading() as connection:
            delivered = sa.select(sa.func.count()).where(SENDS.c.state == "delivered")
            assert connection.execute(delivered).scalar_one() == callbacks
    return measured


def wait_for_ledger(url: str) -> None:
    """The ledger is open: what is measured is not the spool."""
    while True:
        with urllib.request.urlopen(url, timeout=10) as answer:
            if json.load(answer)["ledger"] == "takes callbacks":
                return
        time.sleep(0.1)


def prepare(url: str, count: int) -> Iterator[str]:
    """Claim so many messages; the path and body of the callback of each."""
    ledger = open_ledger(url, may_create=True)
    campaign = bind_campaign(ledger, "bench@127.0.0.1", name="bench", channel=Channel.RVM, prefix=PREFIX)
    run = begin_run(ledger, campaign, who=Who(task_id="bench"), wanted=1)
    urls = CallbackUrls("http://bench", Secret(SECRET))
    for begin in range(0, count, 1000):
        asked = []
        for number in range(begin, begin + 1000):
            phone = Phone(f"+1212{2_000_000 + number}")
            name = hashlib.sha256(str(number).encode()).hexdigest()
            content = Rvm(brand_id="b", recording_id="r")
            asked.append(
                Message(
                    foreign_id=PREFIX + name[:36],
                    contact_key=str(number),
                    phone=phone,
                    content=content,
                    number_digest=number_digest(ledger.key, phone),
                    content_digest=name[:32],
                )
            )
        for claimed in claim(ledger, run, candidates=list(map(Candidate, asked)), claim_id=new_claim_id()).claimed:
            foreign_id = claimed.message.foreign_id
            target = urls.url(Ticket(foreign_id, claimed.attempt)).removeprefix("http://bench")
            yield f"{target}\t{body(foreign_id, claimed.message.phone)}"
    ledger.engine.dispose()


def body(foreign_id: str, phone: Phone) -> str:
    """A result as the vendor documents it."""
    return json.dumps(
        {
            "drop_id": foreign_id[-24:],
            "phone_number": phone.e164,
            "attempt_date": "2019-03-17T21:10:26.000Z",
            "status": "success",
            "reason": "",
            "dnc": False,
            "spam": False,
            "product_cost": 0.099,
            "compliance_fee": 0.0029,
            "tts_fee": 0,
            "network": {"name": "Verizon Wireless:6006 - SVR/2", "type": "wireless"},
            "foreign_id": foreign_id,
        }
    )


@contextmanager
def databases() -> Iterator[Callable[[str], str]]:
    """Makes new databases that write to the disk when they commit."""
    with tempfile.TemporaryDirectory() as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # else platformdirs, under the PostgreSQL wheel, warns
        from tests.postgres_server import PostgresServer

        with PostgresServer() as server:
            engine = sa.create_engine(server.url("postgres"), isolation_level="AUTOCOMMIT")
            with engine.connect() as connection:
                for setting in ("fsync", "full_page_writes"):  # which the tests do without
                    connection.exec_driver_sql(f"ALTER SYSTEM SET {setting} = on")
                connection.exec_driver_sql("SELECT pg_reload_conf()")
            engine.dispose()

            def new(kind: str) -> str:
                if kind == "postgresql":
                    return server.url(server.create_database())
                return f"sqlite:///{tempfile.mkdtemp(dir=folder)}/ledger.db"

            yield new


if __name__ == "__main__":
    main()
