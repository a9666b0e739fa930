"""What the tests of whole runs look at."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.campaign.messages import RvmTemplate
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.sandbox.catalog import RECORDING_ID, SITE_ID
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.states import State
from tests.integration.conftest import MakePlan
from tests.sandbox_process import SandboxProcess

WAIT_S = 60.0


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


@pytest.fixture
def plan_v2(sandbox: SandboxProcess, plan: MakePlan) -> MakePlan:
    """Makes plans against the sandbox's API v2, under the account's name on v1."""
    v1 = plan().account

    def make(**changes: Any) -> Plan:
        account = Account(sandbox.key, Secret(sandbox.secret), sandbox.v2_url, v1.name, "v2", SITE_ID)
        return plan(**{"account": account, "template": RvmTemplate(recording_id=RECORDING_ID), **changes})

    return make


def keys(sandbox: SandboxProcess) -> dict[str, int]:
    """What the sandbox counts of idempotency keys."""
    counts: dict[str, int] = sandbox.stats()["keys"]
    return counts


def sends(ledger: Ledger) -> list[Any]:
    """The rows of the ledger."""
    with ledger.reading() as connection:
        return list(connection.execute(sa.select(SENDS).order_by(SENDS.c.contact_key)))
