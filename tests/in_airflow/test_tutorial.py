"""The tutorial, block by block, in shells of its own: the first run delivers, and a second one sends nothing."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import pytest

from tests.ports import free_ports
from tests.sandbox_process import SandboxProcess
from tests.unit.docs.examples import examples

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]  # an Airflow in each of three processes

BLOCKS: Final = [example.text for example in examples() if example.place.startswith("docs/tutorial.md")]
"""In their order: warehouse, connections, sandbox, receiver, DAG, run, correction, fault."""


class Shell:
    """A shell of the tutorial's reader, with the exports of the page."""

    def __init__(self, home: Path, sandbox: SandboxProcess, receiver_port: int) -> None:
        self.home = home
        self._replaced = {
            "~/dropcowboy-tutorial": str(home),
            "http://127.0.0.1:8765": sandbox.base_url,
            "8766": str(receiver_port),
            "sandbox-team": sandbox.team_id,
            "sandbox-secret": sandbox.secret,
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "DROPCOWBOY"))}
        self._environment = kept | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        self._exports = "\n".join(line for line in self._text(BLOCKS[0]).splitlines() if line.startswith("export"))
        self._exports += "\n" + self._text(BLOCKS[1])

    def run(self, block: str) -> str:
        """What a block prints; it may not fail."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"{self._exports}\n{self._text(block)}"],
            env=self._environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    @contextmanager
    def started(self, command: str) -> Iterator[None]:
        """A command that runs on in another terminal, until the end of the block."""
        words = ["bash", "-c", f"{self._exports}\nexec {self._text(command)}"]
        with subprocess.Popen(words, env=self._environment, cwd=self.home) as process:
            try:
                yield
            finally:
                process.terminate()

    def save(self, name: str, block: str) -> None:
        """The block as a file of the DAG folder."""
        (self.home / "dags" / name).write_text(self._text(block))

    def _text(self, block: str) -> str:
        for written, here in self._replaced.items():
            block = block.replace(written, here)
        return block


def test_the_tutorial_delivers_each_text_once_and_exports_it(sandbox: SandboxProcess, tmp_path: Path) -> None:
    warehouse, connections, _sandbox, receiver, dag, run, correction, _fault = BLOCKS
    assert connections.startswith("export AIRFLOW_CONN_WAREHOUSE")
    sandbox.settings(outcomes={"success": 1.0})
    shell = Shell(tmp_path, sandbox, free_ports(1)[0])
    shell.run(warehouse)
    upgrade, serve = receiver.strip().splitlines()
    shell.run(upgrade)
    with shell.started(serve):
        shell.save("appointment_texts.py", dag)
        assert "4 rows read: 1 invalid, 1 suppressed, 2 accepted" in shell.run(run)
        assert deliveries(tmp_path) == {"1": "delivered", "2": "delivered", "3": "invalid", "4": "suppressed"}
        shell.run(correction)
        again = run.strip().splitlines()[-1]
        assert "1 sent now and 2 before" in shell.run(again)
    assert deliveries(tmp_path) == {"1": "delivered", "2": "delivered", "3": "delivered", "4": "suppressed"}
    assert set(sandbox.asks().values()) == {1}


def deliveries(home: Path) -> dict[str, str]:
    """The state of each contact in the warehouse."""
    with closing(sqlite3.connect(home / "warehouse.db")) as warehouse:
        return dict(warehouse.execute("SELECT contact_key, state FROM deliveries"))
