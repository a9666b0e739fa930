"""A folder with all that the example DAGs need: an Airflow home, a made-up warehouse, a port for the stand-in."""

import json
import os
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID
from dags.demo.warehouse import make_warehouse
from tests.sandbox_process import SandboxProcess

ROOT: Final = Path(__file__).resolve().parents[2]
DAY: Final = date(2026, 1, 5)
"""The logical date of the demo. It is the same each time: so each demo after the first is the same run again."""

FOREIGN: Final = ("AIRFLOW", "DROPCOWBOY")
"""Beginnings of variables that would lead to the user's own Airflow, ledger or account."""

GIVE_UP_S: Final = 180.0
"""A command of Airflow that takes longer is ended: a task that failed would be waited for until its retry is due."""


class Playground:
    """A folder that is kept from one start to the next, and with it the ledger.

    :ivar log: where Airflow's own output goes.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "airflow.log"
        self._warehouse = folder / "warehouse.db"
        self._port = folder / "port"
        folder.mkdir(parents=True, exist_ok=True)
        if not self._warehouse.exists():
            unfinished = folder / "warehouse.unfinished"
            unfinished.unlink(missing_ok=True)
            make_warehouse(unfinished, first_day=DAY)
            unfinished.rename(self._warehouse)

    @property
    def rows(self) -> int:
        """How many rows are due."""
        with closing(sqlite3.connect(self._warehouse)) as connection:
            counted: int = connection.execute("SELECT count(*) FROM due_today").fetchone()[0]
        return counted

    @property
    def is_port_taken(self) -> bool:
        """Whether another program listens where the stand-in listened last.

        Host and port are a part of the account's name. On another port the stand-in is another vendor, which has not
        called anybody yet.
        """
        if not self._port.exists():
            return False
        try:
            socket.create_server(("127.0.0.1", int(self._port.read_text()))).close()
        except OSError:
            return True
        return False

    def start_sandbox(self, *options: str) -> SandboxProcess:
        """The stand-in for the vendor is up; on the port it had before, unless that is taken."""
        port = "0" if self.is_port_taken or not self._port.exists() else self._port.read_text()
        sandbox = SandboxProcess("--port", port, *options)
        self._port.write_text(str(urlsplit(sandbox.base_url).port))
        return sandbox

    def environment(self, sandbox: SandboxProcess) -> dict[str, str]:
        """Variables for an Airflow in this folder, with both connections of the example DAGs."""
        address = urlsplit(sandbox.base_url)
        account = {
            "conn_type": "dropcowboy",
            "login": sandbox.team_id,
            "password": sandbox.secret,
            "schema": address.scheme,
            "host": address.hostname,
            "port": address.port,
            "extra": {"default_brand_id": BRAND_ID},
        }
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
            # a demo is to show something at night too; nobody is called
            "AIRFLOW__DROPCOWBOY__CALLING_HOURS_RULES": str(ROOT / "tests" / "data" / "always_open.toml"),
            "AIRFLOW_CONN_DROPCOWBOY_DEFAULT": json.dumps(account),
            "AIRFLOW_CONN_WAREHOUSE": json.dumps({"conn_type": "sqlite", "host": str(self._warehouse)}),
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
