"""One sandbox process for these tests, as new for each of them."""

import threading
from collections.abc import Iterator

import pytest

from tests.integration.sandbox.asking import Receiver
from tests.sandbox_process import SandboxProcess


@pytest.fixture(scope="session")
def process() -> Iterator[SandboxProcess]:
    with SandboxProcess("--callback-delay-s", "0") as running:
        yield running


@pytest.fixture
def sandbox(process: SandboxProcess) -> SandboxProcess:
    process.reset()
    process.settings(
        latency_ms=0, max_concurrency=None, rate_per_s=None, outcomes={"success": 1}, codes={}, callback_lost=0
    )
    return process


@pytest.fixture(params=[200])
def receiver(request: pytest.FixtureRequest) -> Iterator[Receiver]:
    with Receiver(status=request.param) as running:
        thread = threading.Thread(target=running.serve_forever)
        thread.start()
        yield running
        running.shutdown()
        thread.join()
