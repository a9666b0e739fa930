"""A receiver as a process that can be killed."""

import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.integration.receiver.running import DEADLINE_S, Asked


class ReceiverProcess(Asked):
    """A receiver at one address, dead or alive; a context manager: it has ended afterwards."""

    def __init__(self, ledger_url: str, spool: Path) -> None:
        self._options = ["--ledger", ledger_url, "--spool", str(spool)]
        self._process, port = self._start(0)
        super().__init__(f"http://127.0.0.1:{port}")

    def kill(self) -> None:
        """It is gone without a word, as after ``kill -9``."""
        self._process.kill()
        self._process.communicate(timeout=DEADLINE_S)

    def start_again(self) -> None:
        """Another one has its address."""
        self._process, _ = self._start(int(self.url.rpartition(":")[2]))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.session.close()
        self.kill()

    def _start(self, port: int) -> tuple["subprocess.Popen[str]", int]:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.integration.receiver.serve", *self._options, "--port", str(port)],
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        return process, int(process.stdout.readline())
