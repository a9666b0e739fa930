"""The program ``dropcowboy`` with a connection, a ledger and a folder of its own, here or in a process."""

import json
import logging
import os
import pty
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner

from airflow_provider_dropcowboy.cli.console import PACKAGE
from airflow_provider_dropcowboy.cli.main import main

PROGRAM: Final = Path(sys.executable).with_name("dropcowboy")
TIMEOUT_S: Final = 120.0


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        """What stdout says, if it is JSON and nothing else."""
        return json.loads(self.stdout)


@dataclass
class Program:
    """Runs commands of ``dropcowboy``.

    :ivar connection: of ``dropcowboy_default``.
    :ivar environment: further variables.
    """

    folder: Path
    connection: dict[str, Any]
    ledger_url: str
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, connection: Mapping[str, Any] | None = None) -> Ended:
        """A command from its start to its end, in the test's process: each process of its own would load Airflow anew.

        :param connection: fields that differ from the usual connection.
        """
        shown = CliRunner().isolation(env=self._env(connection or {}))
        with _as_before(), chdir(self.folder), pytest.MonkeyPatch.context() as patch, shown as (stdout, stderr, _):
            patch.setattr(sys, "argv", [str(PROGRAM), *words])
            with pytest.raises(SystemExit) as ended:
                main()
        assert isinstance(ended.value.code, int)
        return Ended(ended.value.code, stdout.getvalue().decode(), stderr.getvalue().decode())

    def run_alone(self, *words: str, connection: Mapping[str, Any] | None = None) -> Ended:
        """The same as a process."""
        ended = subprocess.run(
            [PROGRAM, *words],
            cwd=self.folder,
            env=self._env(connection or {}),
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        return Ended(ended.returncode, ended.stdout, ended.stderr)

    def run_on_terminal(self, *words: str) -> Ended:
        """A command whose stderr is a terminal."""
        ours, terminal = pty.openpty()
        with subprocess.Popen(
            [PROGRAM, *words], cwd=self.folder, env=self._env({}), stdout=subprocess.PIPE, stderr=terminal, text=True
        ) as process:
            os.close(terminal)
            with ThreadPoolExecutor(1) as reader:
                shown = reader.submit(_read_terminal, ours)
                stdout, _ = process.communicate(timeout=TIMEOUT_S)
        os.close(ours)
        return Ended(process.returncode, stdout, shown.result())

    def start(self, *words: str, before: str = "", pass_fds: Sequence[int] = ()) -> "subprocess.Popen[str]":
        """A command that goes on; ``end`` ends it.

        :param before: what a shell does before, in the process that the command becomes.
        :param pass_fds: file descriptors that it inherits.
        """
        shell = ["bash", "-c", f'{before} && exec "$0" "$@"'] if before else []
        return subprocess.Popen(
            [*shell, PROGRAM, *words],
            pass_fds=pass_fds,
            cwd=self.folder,
            env=self._env({}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: "subprocess.Popen[str]", number: signal.Signals) -> Ended:
        """How a command ended that got a signal."""
        process.send_signal(number)
        stdout, stderr = process.communicate(timeout=TIMEOUT_S)
        return Ended(process.returncode, stdout, stderr)

    def write(self, name: str, text: str) -> str:
        """The name of a new file in the program's folder."""
        (self.folder / name).write_text(text)
        return name

    def _env(self, connection: Mapping[str, Any]) -> dict[str, str]:
        return {
            **os.environ,
            "AIRFLOW_CONN_DROPCOWBOY_DEFAULT": json.dumps({**self.connection, **connection}),
            "DROPCOWBOY_LEDGER_URL": self.ledger_url,
            **self.environment,
        }


@contextmanager
def _as_before() -> Iterator[None]:
    """What a command changes for its process is as it was."""
    log = logging.getLogger(PACKAGE)
    before = log.handlers, log.propagate, log.level
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        log.handlers, log.propagate, log.level = before
        for number, handler in handlers.items():
            signal.signal(number, handler)


def _read_terminal(ours: int) -> str:
    shown = b""
    while True:
        try:
            shown += os.read(ours, 4096)
        except OSError:  # how Linux says that the other side is closed
            return shown.decode()
