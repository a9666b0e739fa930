"""A receiver as a process that can be killed."""

import socket
import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.integration.receiver.running import Asked
from tests.integration.serving import DEADLINE_S


class ReceiverProcess(Asked):
    """A receiver at one address, dead or alive; a context manager: it has ended afterwards."""

    def __init__(self, ledger_url: str, spool: Path) -> None:
        self._options = ["--ledger", ledger_url, "--spool", str(spool)]
        # held here: between two processes nobody else gets the port, such as a connection that goes to itself
        self._listener = socket.create_server(("127.0.0.1", 0))
        super().__init__(f"http://127.0.0.1:{self._listener.getsockname()[1]}")
        self._process = self._start()

    def kill(self) -> None:
        """It is gone without a word, as after ``kill -9``."""
        self._process.kill()
        self._process.wait(DEADLINE_S)

    def start_again(self) -> None:
        """Another one has its address."""
        self._process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.session.close()
        self.kill()
        self._listener.close()

    def _start(self) -> "subprocess.Popen[bytes]":
        descriptor = self._listener.fileno()
        return subprocess.Popen(
            [sys.executable, "-m", "tests.integration.receiver.serve", *self._options, "--descriptor", str(descriptor)],
            pass_fds=[descriptor],
        )
