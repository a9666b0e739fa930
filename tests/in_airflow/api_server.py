"""An API server of Airflow alone, at which people must log in."""

import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import requests

from tests.in_airflow.processes import DEADLINE_S

USER: Final = "ann"


class GuardedServer:
    """A context manager; ``url`` is where it listens.

    :param home: a folder of its own, for all that it writes.
    :param migrated_database: a SQLite file with Airflow's tables.
    :param environment: more variables.
    """

    def __init__(self, home: Path, migrated_database: Path, *, environment: Mapping[str, str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as probe:
            self._port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._log = home / "api-server.log"
        self._passwords = home / "simple_auth_manager_passwords.json.generated"
        shutil.copyfile(migrated_database, home / "airflow.db")
        settings = {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "False",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:viewer",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        }
        self._environment = {**os.environ, **settings, **environment}

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._server = subprocess.Popen(
                [sys.executable, "-m", "airflow", "api-server", "--host", "127.0.0.1", "--port", str(self._port)],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        give_up_at = time.monotonic() + DEADLINE_S
        while not self._is_up():
            if time.monotonic() > give_up_at:
                self._stop()
                raise AssertionError(self._log.read_text()[-4000:])
            time.sleep(0.1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def logged_in(self) -> requests.Session:
        """A browser in which ``USER`` has logged in."""
        password = json.loads(self._passwords.read_text())[USER]
        login = {"username": USER, "password": password}
        answer = requests.post(f"{self.url}/auth/token", json=login, timeout=DEADLINE_S)
        answer.raise_for_status()
        session = requests.Session()
        session.cookies.set("_token", answer.json()["access_token"])
        return session

    def _is_up(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self._port)) == 0

    def _stop(self) -> None:
        os.killpg(self._server.pid, signal.SIGKILL)
        self._server.wait()
