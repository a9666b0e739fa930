"""``make airflow``: an Airflow to click through, with the example DAGs, a warehouse, and a stand-in for the vendor."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psutil
import requests
from rich.console import Console

from dags.demo.playground import ROOT, Playground

USUAL_PORT: Final = 8080
USER: Final = "admin"
START_TIMEOUT_S: Final = 180.0
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
        settings = environment | {
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__PARALLELISM": "8",
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
        # Its tasks first, and in order: a send task that is told to end records what is in flight.
        for end in (signal.SIGTERM, signal.SIGKILL):
            for process in (members := self._members()):
                with suppress(psutil.NoSuchProcess):
                    process.send_signal(end)
            psutil.wait_procs(members, timeout=8)
        self._process.wait()

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
        console.print("[yellow]The stand-in's port is taken, so it listens on another: as another account.[/]")
    with playground.start_sandbox("--latency-ms", "20") as sandbox:
        console.print(f"Airflow starts; its output is in {folder.name}/{playground.log.name} …")
        with Standalone(playground, playground.environment(sandbox)) as airflow:
            view = sandbox.base_url.removesuffix("/v1") + "/_sandbox"
            console.print(f"\n[bold]{airflow.url}[/]   user {USER}, password {airflow.password}")
            console.print(f"  DAGs       the examples in {(ROOT / 'dags').name}/, paused")
            console.print(f"  warehouse  {folder.name}/warehouse.db, {playground.rows:,} made-up rows are due")
            console.print(f"  stand-in   {view} shows what it was asked")
            console.print("\nUnpause a DAG to run it, clear its task to run it again. Ctrl-C ends everything.")
            airflow.wait()
            console.print(f"Airflow has ended; its log is {playground.log}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        main(Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT / ".airflow")
    except KeyboardInterrupt:
        sys.exit(130)
