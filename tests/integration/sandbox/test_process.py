"""How the sandbox ends."""

import signal
import subprocess
import sys
from contextlib import closing
from urllib.parse import urlsplit

import pytest

from tests.integration.sandbox.asking import connect, rvm
from tests.sandbox_process import SandboxProcess


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_even_with_a_request_that_hangs(number: signal.Signals) -> None:
    with SandboxProcess("--fault", "hang_after") as running, closing(connect(running, rvm(running))):
        running.takes(wait_for=1)
        running.signal(number)
        assert running.stop() == 0


def test_a_port_that_is_taken_is_said_in_one_line(process: SandboxProcess) -> None:
    port = urlsplit(process.base_url).port
    words = [sys.executable, "-m", "airflow_provider_dropcowboy.sandbox", "--port", str(port)]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith(f"Error: cannot listen on 127.0.0.1:{port}")
    assert len(ended.stderr.splitlines()) == 1
