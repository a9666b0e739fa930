"""``make airflow``: an Airflow to click through, with the example DAGs, a warehouse, a receiver, and the sandbox."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil
import requests
from rich.console import Console

from dags.demo.playground import ROOT, Playground
from tests.sandbox_process import SandboxProcess

USUAL_PORT: Final = 8080
USER: Final = "admin"
START_TIMEOUT_S: Final = 180.0
FIRST_RUN_TIMEOUT_S: Final = 240.0
SENT: Final = ("rvm_from_warehouse", "send")
"""The DAG and task whose campaign is there with its results when a person logs in."""
WAITING: Final = ("sms_reminder_with_consent", "remind")
"""Those of the campaign that waits for its calling hours."""
PARTS: Final = ("metadatabase", "scheduler", "dag_processor", "triggerer")


class Standalone:
    """An ``airflow standalone`` that is ended with all that it started; a context manager.

    :ivar url: of its pages.
    :raises SystemExit: it did not come up; the text says where its log is.
    """

    def __init__(self, playground: Playground, environment: dict[str, str]) -> None:
        self._log = playground.log
        port, worker_log_port, trigger_log_port = _free_ports()
        self.url = f"http://127.0.0.1:{port}"
        self.password = _password(playground.folder / "passwords.json")
        self._token: str | None = None
        settings = environment | {
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__PARALLELISM": "8",
            "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(playground.folder / "passwords.json"),
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": f"{USER}:admin",
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_log_port),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_log_port),
        }
        with self._log.open("ab") as log:
            # a session of its own, by which all that it starts is found in the end
            self._process = subprocess.Popen(
                [sys.executable, "-m", "airflow", "standalone"],
                env=settings,
                cwd=playground.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            self._wait_until_up()
        except BaseException:
            self.stop()
            raise

    def wait(self) -> None:
        """It has ended by itself."""
        self._process.wait()

    def stop(self) -> None:
        """It has ended, and every process that it started."""
        # Its tasks first, and in order: a send task that has to end records what is in flight.
        for end in (signal.SIGTERM, signal.SIGKILL):
            for process in (members := self._members()):
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(end)
            psutil.wait_procs(members, timeout=8)
        self._process.wait()

    def connect(self, connections: Mapping[str, Mapping[str, object]]) -> None:
        """The connections are in Airflow's database, as they are now."""
        for conn_id, fields in connections.items():
            written = {**fields, "connection_id": conn_id}
            if "extra" in written:
                written["extra"] = json.dumps(written["extra"])
            answer = self._ask("POST", "connections", written)
            if answer.status_code == requests.codes.conflict:
                answer = self._ask("PATCH", f"connections/{conn_id}", written)
            answer.raise_for_status()

    def begin(self, dag_id: str) -> None:
        """The DAG is no longer paused, so that Airflow schedules its latest run."""
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while self._ask("PATCH", f"dags/{dag_id}", {"is_paused": False}).status_code == requests.codes.not_found:
            if time.monotonic() > give_up_at:  # the DAG processor has not read the file yet
                raise SystemExit(f"Airflow does not know the DAG {dag_id}; its log is {self._log}")
            time.sleep(0.5)

    def wait_for(self, dag_id: str, task_id: str, *, states: frozenset[str]) -> str | None:
        """The state of the task in the DAG's first run, once it is one of these; None: it did not come to that."""
        give_up_at = time.monotonic() + FIRST_RUN_TIMEOUT_S
        while time.monotonic() < give_up_at:
            found = self._ask("GET", f"dags/{dag_id}/dagRuns/~/taskInstances").json().get("task_instances", [])
            for each in found:
                if each["task_id"] == task_id and each["state"] in states:
                    return str(each["state"])
            time.sleep(1.0)
        return None

    def _ask(self, method: str, path: str, body: Mapping[str, object] | None = None) -> requests.Response:
        with requests.Session() as session:
            session.trust_env = False
            if self._token is None:
                login = {"username": USER, "password": self.password}
                answer = session.post(f"{self.url}/auth/token", json=login, timeout=30)
                answer.raise_for_status()
                self._token = answer.json()["access_token"]
            headers = {"Authorization": f"Bearer {self._token}"}
            return session.request(method, f"{self.url}/api/v2/{path}", json=body, headers=headers, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _members(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with suppress(ProcessLookupError, psutil.NoSuchProcess):
                if os.getsid(process.pid) == self._process.pid:
                    found.append(process)
        return found

    def _wait_until_up(self) -> None:
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while not self._is_up():
            if self._process.poll() is not None or time.monotonic() > give_up_at:
                raise SystemExit(f"Airflow did not come up; its log is {self._log}")
            time.sleep(0.5)

    def _is_up(self) -> bool:
        with requests.Session() as session:
            session.trust_env = False  # a proxy of the environment is not between this machine and itself
            try:
                health = session.get(f"{self.url}/api/v2/monitor/health", timeout=10).json()
            except requests.RequestException:
                return False
        return all(health[part]["status"] == "healthy" for part in PARTS)


def _password(path: Path) -> str:
    """The user's password, made once; Airflow's simple auth manager reads it from this file."""
    if not path.exists():
        path.write_text(json.dumps({USER: secrets.token_urlsafe(9)}))
    password: str = json.loads(path.read_text())[USER]
    return password


def _free_ports() -> list[int]:
    """Three of them; the first is Airflow's usual one, if it is free."""
    probes = []
    try:
        try:
            probes.append(socket.create_server(("127.0.0.1", USUAL_PORT)))
        except OSError:
            probes.append(socket.create_server(("127.0.0.1", 0)))
        probes += [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def main(folder: Path) -> None:
    """Run until it is interrupted."""
    console = Console(highlight=False)
    playground = Playground(folder)
    if playground.is_port_taken:
        console.print("[yellow]Another program uses the sandbox's port. It listens on another, as another account.[/]")
    with playground.start_sandbox("--latency-ms", "20") as sandbox:
        output = f"its output is in {folder.name}/{playground.log.name}"
        with console.status(f"Airflow starts, which takes a minute or two; {output} …"):
            airflow = Standalone(playground, playground.environment(has_closed_texts=True))
        with airflow:
            airflow.connect(playground.connections(sandbox, receiver_url=f"{airflow.url}/dropcowboy"))
            with console.status(f"The first campaigns run: {SENT[0]} sends, {WAITING[0]} waits …"):
                _run_first_campaigns(airflow, sandbox)
            _welcome(console, airflow, playground, sandbox)
            airflow.wait()
            console.print(f"Airflow has ended; its log is {playground.log}")


def _run_first_campaigns(airflow: Standalone, sandbox: SandboxProcess) -> None:
    """One campaign is sent with its results, another waits for its calling hours; or neither in good time."""
    for dag_id, _task_id in (SENT, WAITING):
        airflow.begin(dag_id)
    airflow.wait_for(*SENT, states=frozenset({"success", "failed"}))
    with suppress(TimeoutError):
        sandbox.callbacks(wait_for=sandbox.callbacks()["planned"])
    airflow.wait_for(*WAITING, states=frozenset({"deferred", "success", "failed"}))


def _welcome(console: Console, airflow: Standalone, playground: Playground, sandbox: SandboxProcess) -> None:
    folder = playground.folder.name
    view = sandbox.base_url.removesuffix("/v1") + "/_sandbox"
    console.print(f"\n[bold]{airflow.url}[/]   user {USER}, password {airflow.password}")
    console.print(f"  Campaigns    {airflow.url}/plugin/dropcowboy: {SENT[0]} is sent, {WAITING[0]} waits")
    console.print(f"  DAGs         the examples in {(ROOT / 'dags').name}/")
    console.print("  Connections  dropcowboy_default and warehouse; their Test button works")
    console.print(f"  Warehouse    {folder}/warehouse.db, with {playground.rows:,} made-up rows")
    console.print(f"  Sandbox      {view} shows what it accepted, and reloads by itself")
    console.print(f"\nClear the task {SENT[0]}.{SENT[1]}: nobody is contacted again. Ctrl-C ends everything.")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / ".airflow")
    except KeyboardInterrupt:
        sys.exit(130)
