"""A ledger, messages, and runs against the sandbox, for every test that joins real parts."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.messages import RvmTemplate
from airflow_provider_dropcowboy.campaign.plan import Plan, Rows
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.campaign.summary import Summary
from airflow_provider_dropcowboy.clock import Clock
from airflow_provider_dropcowboy.contacts.contact import ContactColumns
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID, POOL_ID, RECORDING_ID
from airflow_provider_dropcowboy.secret import Secret
from tests.clock import BriskClock
from tests.sandbox_process import SandboxProcess

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook


class MakePlan(Protocol):
    def __call__(self, **changes: Any) -> Plan: ...


class RunPlan(Protocol):
    def __call__(
        self,
        plan: Plan,
        rows: Rows,
        *,
        control: Control | None = None,
        suppressed: Rows | None = None,
        clock: Clock | None = None,
    ) -> Summary: ...


def people(count: int, *, first: int = 0) -> list[dict[str, object]]:
    """Rows of a source: so many contacts, each with a number of its own."""
    return [{"id": n, "phone": f"+1504{2_000_000 + n}", "name": f"Zoë{n}"} for n in range(first, first + count)]


def default_plan(base_url: str, *, team_id: str, secret: str, **changes: Any) -> Plan:
    """A voicemail to each row of ``people``; also for tests that run it in another process."""
    settings: Mapping[str, Any] = {
        "account": Account(team_id, Secret(secret), base_url),
        "campaign": "spring",
        "template": RvmTemplate(brand_id=BRAND_ID, recording_id=RECORDING_ID),
        "columns": ContactColumns(key_column="id"),
        "concurrency": 10,
    }
    return Plan(**{**settings, **changes})


@pytest.fixture
def postgres_ledger(postgres_url: str) -> Iterator[Ledger]:
    """An open ledger on PostgreSQL."""
    opened = open_ledger(postgres_url, may_create=True)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def ledger(ledger_url: str) -> Iterator[Ledger]:
    """An open ledger, once on each database."""
    opened = open_ledger(ledger_url, may_create=True)
    yield opened
    opened.engine.dispose()


@pytest.fixture
def plan(sandbox: SandboxProcess) -> MakePlan:
    """Makes plans of campaign "spring" against the sandbox: ``plan(concurrency=1)``."""

    def make(**changes: Any) -> Plan:
        return default_plan(sandbox.base_url, team_id=sandbox.team_id, secret=sandbox.secret, **changes)

    return make


@pytest.fixture
def run(ledger: Ledger) -> RunPlan:
    """Runs a plan to its end."""

    def run_to_end(
        plan: Plan,
        rows: Rows,
        *,
        control: Control | None = None,
        suppressed: Rows | None = None,
        clock: Clock | None = None,
    ) -> Summary:
        numbers = None if suppressed is None else SuppressionList(suppressed, region=plan.columns.region)
        return run_campaign(
            plan,
            ledger,
            rows=rows,
            control=control or Control(),
            suppressed=numbers,
            clock=clock or BriskClock(),
        )

    return run_to_end


@pytest.fixture
def connect(sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch) -> Callable[..., "DropCowboyHook"]:
    """Makes a hook on the sandbox, with other fields of the connection if need be."""

    from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook  # Airflow: not for workers

    def make(**fields: object) -> "DropCowboyHook":
        extra = {"default_brand_id": BRAND_ID, "default_pool_id": POOL_ID, "timeout_s": 5}
        connection = {
            "conn_type": "dropcowboy",
            "login": sandbox.team_id,
            "password": sandbox.secret,
            "host": sandbox.base_url,
            "extra": extra,
            **fields,
        }
        monkeypatch.setenv("AIRFLOW_CONN_DROPCOWBOY_DEFAULT", json.dumps(connection))
        return DropCowboyHook()

    return make


@pytest.fixture
def hook(connect: Callable[..., "DropCowboyHook"]) -> "DropCowboyHook":
    return connect()
