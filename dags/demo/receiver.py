"""The receiver of the demo."""

import subprocess
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Self

import requests

from dags.demo.playground import PROGRAM, Playground


class ReceiverProcess:
    """``dropcowboy receiver`` on a free port, until the block ends; a context manager.

    :ivar url: for ``callback_url``.
    """

    def __init__(self, playground: Playground, environment: Mapping[str, str]) -> None:
        self._log = playground.log
        self.url = playground.receiver_url
        port = self.url.rpartition(":")[2]
        with playground.log.open("ab") as log:
            command = [str(PROGRAM), "receiver", "--port", port]
            self._process = subprocess.Popen(
                command, env=dict(environment), cwd=playground.folder, stdout=log, stderr=subprocess.STDOUT
            )

    def wait_until_ready(self) -> None:
        """It stores results.

        :raises SystemExit: it did not come up.
        """
        give_up_at = time.monotonic() + 60
        with requests.Session() as session:
            session.trust_env = False
            while time.monotonic() < give_up_at and self._process.poll() is None:
                try:
                    if session.get(f"{self.url}/ready", timeout=10).status_code == requests.codes.ok:
                        return
                except requests.RequestException:
                    pass
                time.sleep(0.2)
        raise SystemExit(f"The receiver did not come up; its log is {self._log}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.terminate()
        self._process.wait()
