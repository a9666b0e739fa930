"""A folder with all that the example DAGs need: an Airflow home, a made-up warehouse, a port for the sandbox."""

import json
import os
import secrets
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID
from dags.demo.warehouse import make_warehouse
from tests.sandbox_process import SandboxProcess

ROOT: Final = Path(__file__).resolve().parents[2]
PROGRAM: Final = Path(sys.executable).parent / "dropcowboy"
DAY: Final = date(2026, 1, 5)
"""The logical date of the demo. It is the same each time: so each demo after the first is the same run again."""

FOREIGN: Final = ("AIRFLOW", "DROPCOWBOY")
"""Beginnings of variables that would lead to the user's own Airflow, ledger or account."""

CLOSED_TEXTS: Final = """
[[rule]]
region = "US"
channels = ["sms"]
mon_fri = ["{0}", "{1}"]
sat = ["{0}", "{1}"]
sun = ["{0}", "{1}"]
cite = "none"
source = "playground"
confidence = "S"
"""

GIVE_UP_S: Final = 600.0
"""A command of Airflow that takes longer is ended: a task that failed would be waited for until its retry is due."""


class Playground:
    """A folder that is kept from one start to the next, and with it the ledger.

    :param api: version of the vendor's API. The example DAGs are the same on both: their connection chooses.
    :ivar log: where Airflow's own output goes.
    :ivar warehouse: a SQLite file.
    """

    def __init__(self, folder: Path, *, api: str = "v1") -> None:
        self.folder = folder
        self.api = api
        self.log = folder / "airflow.log"
        self.warehouse = folder / "warehouse.db"
        self._port = folder / "port"
        folder.mkdir(parents=True, exist_ok=True)
        if not self.warehouse.exists():
            unfinished = folder / "warehouse.unfinished"
            unfinished.unlink(missing_ok=True)
            make_warehouse(unfinished, first_day=DAY)
            unfinished.rename(self.warehouse)

    @property
    def rows(self) -> int:
        """How many rows are due."""
        with closing(sqlite3.connect(self.warehouse)) as connection:
            counted: int = connection.execute("SELECT count(*) FROM due_today").fetchone()[0]
        return counted

    @property
    def is_port_taken(self) -> bool:
        """Whether another program listens where the sandbox listened last.

        Host and port are a part of the account's name. On another port the sandbox is another account, which has
        contacted nobody yet.
        """
        if not self._port.exists():
            return False
        try:
            socket.create_server(("127.0.0.1", int(self._port.read_text()))).close()
        except OSError:
            return True
        return False

    def start_sandbox(self, *options: str) -> SandboxProcess:
        """The sandbox is up; on the port it had before, unless another program has it."""
        port = "0" if self.is_port_taken or not self._port.exists() else self._port.read_text()
        sandbox = SandboxProcess("--port", port, *options)
        self._port.write_text(str(urlsplit(sandbox.base_url).port))
        return sandbox

    def connections(self, sandbox: SandboxProcess, *, receiver_url: str) -> dict[str, dict[str, object]]:
        """Both connections of the example DAGs, by their IDs.

        :param receiver_url: to which the sandbox sends results.
        """
        address = urlsplit(sandbox.base_url)
        is_v1 = self.api == "v1"
        return {
            "dropcowboy_default": {
                "conn_type": "dropcowboy",
                "login": sandbox.team_id if is_v1 else sandbox.key,
                "password": sandbox.secret,
                "schema": address.scheme,
                "host": address.hostname,
                "port": address.port,
                "extra": {
                    **({"default_brand_id": BRAND_ID} if is_v1 else {"api_version": self.api}),
                    "callback_url": receiver_url,
                    "callback_secret": self._callback_secret,
                },
            },
            "warehouse": {"conn_type": "sqlite", "host": str(self.warehouse)},
        }

    @cached_property
    def receiver_url(self) -> str:
        """Of a receiver on a port that is free now."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            return f"http://127.0.0.1:{probe.getsockname()[1]}"

    @property
    def _callback_secret(self) -> str:
        """Made once: results of an earlier start may still come in."""
        path = self.folder / "callback-secret"
        if not path.exists():
            path.write_text(secrets.token_urlsafe(24))
        return path.read_text()

    def environment(self, *, has_closed_texts: bool = False) -> dict[str, str]:
        """Variables for an Airflow in this folder; its connections are not among them.

        :param has_closed_texts: nobody may get a text for the next hours, so that a campaign waits. Otherwise, every
            hour is a calling hour: a demo has something to show at night too, and contacts nobody.
        """
        rules = (ROOT / "tests" / "data" / "always_open.toml").read_text()
        if has_closed_texts:
            rules += CLOSED_TEXTS.format(*_later_hours())
        rules_path = self.folder / "calling-hours.toml"
        rules_path.write_text(rules)
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(FOREIGN) and not name.lower().endswith("_proxy")
        }
        scripts = str(Path(sys.executable).parent)
        return kept | {
            "PATH": os.pathsep.join([scripts, kept.get("PATH", os.defpath)]),  # `airflow standalone` starts `airflow`
            "AIRFLOW_HOME": str(self.folder),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
            "AIRFLOW__DROPCOWBOY__CALLING_HOURS_RULES": str(rules_path),
        }

    def airflow(self, *command: str, environment: dict[str, str]) -> bool:
        """Whether a command of Airflow ended well and in time; what it said is in the log."""
        with self.log.open("ab") as log:
            try:
                done = subprocess.run(
                    [sys.executable, "-m", "airflow", *command],
                    env=environment,
                    cwd=self.folder,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    timeout=GIVE_UP_S,
                    check=False,
                )
            except subprocess.TimeoutExpired:
                return False
        return done.returncode == 0

    def returned(self, dag_id: str, task_id: str) -> dict[str, object] | None:
        """What a task returned last, as Airflow keeps it; None: it did not come so far."""
        with closing(sqlite3.connect(self.folder / "airflow.db")) as connection:
            row = connection.execute(
                "SELECT value FROM xcom WHERE dag_id = ? AND task_id = ? AND key = 'return_value'", (dag_id, task_id)
            ).fetchone()
        if row is None:
            return None
        value: dict[str, object] = json.loads(row[0])
        return value


def _later_hours() -> tuple[str, str]:
    """Two hours of the day that have not begun anywhere in the United States, and begin in New York first."""
    begin = (datetime.now(ZoneInfo("America/New_York")) + timedelta(hours=2)).hour + 1
    begin = begin if 8 < begin <= 19 else 8  # not past midnight anywhere, nor after bedtime
    return f"{begin:02}:00", f"{begin + 2:02}:00"
