"""What the tests of whole runs look at, and runs without waiting."""

import threading
import time
from collections.abc import Callable, Mapping

import pytest
import sqlalchemy as sa
import tenacity

from airflow_provider_dropcowboy.campaign import heartbeat, shared
from airflow_provider_dropcowboy.ledger import patience
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.states import State
from tests.sandbox_process import SandboxProcess

WAIT_S = 60.0


@pytest.fixture(autouse=True)
def no_back_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """What was surely not taken is asked again at once."""
    monkeypatch.setattr(shared, "FIRST_WAIT_S", 0.0)
    monkeypatch.setattr("airflow_provider_dropcowboy.transport.bulk.MIN_PAUSE_S", 0.0)
    monkeypatch.setattr(heartbeat, "BEAT_S", 0.05)
    monkeypatch.setattr(patience, "_WAIT", tenacity.wait_none())


def states(ledger: Ledger) -> Mapping[State, int]:
    """Where the campaign's sends stand by the ledger."""
    with ledger.reading() as connection:
        rows = connection.execute(sa.select(SENDS.c.state, sa.func.count()).group_by(SENDS.c.state)).all()
    return {State(state): count for state, count in rows}


def taken_once(sandbox: SandboxProcess, count: int) -> bool:
    """Whether so many people were called, and none of them twice."""
    return (sandbox.takes()["takes"], sandbox.takes()["by_phone_taken_more_than_once"]) == (count, 0)


def wait_until(is_so: Callable[[], bool]) -> None:
    """Wait for what another thread or process does."""
    deadline = time.monotonic() + WAIT_S
    while not is_so():
        assert time.monotonic() < deadline
        threading.Event().wait(0.005)
