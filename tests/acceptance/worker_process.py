"""A run of a campaign as a process that can be killed."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from tests.acceptance.evidence import let_silence_pass
from tests.acceptance.worker import RUN_AGAIN
from tests.sandbox_process import SandboxProcess

DEADLINE_S: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the process is to do: which campaign of which table, over which ledger.

    :param timeout_s: of one request.
    :param log: file that its log is added to.
    :param api: version of the vendor's API.
    :param sleeps_every: the machine seems to be suspended for a lease before each so many-th request; 0: never.
    :param is_clean: each row can be sent to, and rows are made while they are read.
    """

    sandbox: SandboxProcess
    ledger_url: str
    log: Path
    rows: int
    concurrency: int
    timeout_s: float = 30.0
    campaign: str = "acceptance"
    log_level: str = "INFO"
    is_clean: bool = False
    sleeps_every: int = 0
    api: str = "v1"

    def start(self) -> "WorkerProcess":
        """One try of it has begun."""
        return WorkerProcess(self)

    def run(self) -> dict[str, Any]:
        """The summary of a try that succeeds."""
        ended = self.start().wait()
        assert ended.code == 0, f"exit code {ended.code}: {ended.said or self.log.read_text()[-4000:]}"
        return ended.said


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended.

    :param code: negative: the signal that killed it.
    :param said: its summary, or its error.
    """

    code: int
    said: dict[str, Any] = field(default_factory=dict)

    @property
    def wants_another_try(self) -> bool:
        """Whether Airflow would try again by itself."""
        return self.code == RUN_AGAIN


class WorkerProcess:
    """One try; ended by itself or by a signal. A context manager: it has ended afterwards."""

    def __init__(self, task: Task) -> None:
        self._ledger_url = task.ledger_url
        self._ended: Ended | None = None
        self._log = task.log
        with task.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.acceptance.worker", *_words(task)], stdout=subprocess.PIPE, stderr=log
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """It has not ended yet."""
        return self._process.poll() is None

    def kill(self) -> Ended:
        """Gone without a word, as after ``kill -9``."""
        self._process.kill()
        return self.wait()

    def terminate(self) -> None:
        """It is told to end, by SIGTERM."""
        self._process.terminate()

    def freeze(self) -> None:
        """It does nothing until ``thaw``, and the ledger takes it for dead."""
        let_silence_pass(self._ledger_url, [self.pid], meanwhile=self._stop)

    def _stop(self) -> None:
        """Its threads stand still: one that does not yet could still take a lock, and keep it."""
        self._process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED)

    def thaw(self) -> None:
        """It goes on where it stood."""
        self._process.send_signal(signal.SIGCONT)

    def wait(self) -> Ended:
        """How it ended, once it has."""
        if self._ended is None:
            said, _ = self._process.communicate(timeout=DEADLINE_S)
            self._ended = Ended(self._process.returncode, json.loads(said) if said else {})
        return self._ended

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, *_more: object) -> None:
        is_alive = self.is_alive
        ended = self.kill()
        if error is not None:  # pytest shows it below the failure
            print(f"process {self.pid} {'still ran' if is_alive else f'had ended: {ended}'}; end of the runs' log:")
            print(self._log.read_text()[-4000:])


def _words(task: Task) -> list[str]:
    options = {
        "--ledger": task.ledger_url,
        "--api": task.api,
        "--base-url": task.sandbox.base_url if task.api == "v1" else task.sandbox.v2_url,
        "--login": task.sandbox.team_id if task.api == "v1" else task.sandbox.key,
        "--secret": task.sandbox.secret,
        "--campaign": task.campaign,
        "--rows": task.rows,
        "--concurrency": task.concurrency,
        "--timeout-s": task.timeout_s,
        "--log-level": task.log_level,
        "--sleeps-every": task.sleeps_every,
    }
    return [str(word) for option in options.items() for word in option] + ["--clean"] * task.is_clean
