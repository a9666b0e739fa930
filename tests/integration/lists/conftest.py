"""Syncs of contact lists against the sandbox, and what it holds afterwards."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.schema import SYNCS
from airflow_provider_dropcowboy.lists.fields import Fields
from airflow_provider_dropcowboy.lists.plan import ListPlan, Mode
from airflow_provider_dropcowboy.lists.stop import Stop
from airflow_provider_dropcowboy.lists.summary import ListSummary
from airflow_provider_dropcowboy.lists.sync import sync_list
from airflow_provider_dropcowboy.secret import Secret
from tests.sandbox_process import SandboxProcess

Row = dict[str, object]
MakePlan = Callable[..., ListPlan]
Sync = Callable[..., ListSummary]

FIELDS = {"record_id": "id", "phone": "mobile", "first_name": "first"}


class NoWait(Stop):
    """Waits that are over at once."""

    def wait(self, seconds: float) -> None:
        self.check()


def person(n: int, *, first: str | None = None, mobile: str | None = None) -> Row:
    """The row of one contact, with a number of its own."""
    return {"id": n, "mobile": f"+1504{2_000_000 + n}" if mobile is None else mobile, "first": first or f"Zoë{n}"}


def persons(count: int, *, first: int = 0) -> list[Row]:
    """So many contacts."""
    return [person(n) for n in range(first, first + count)]


def inside(sandbox: SandboxProcess) -> dict[str, list[dict[str, Any]]]:
    """What is in each list of the vendor's, by the list's name; a name that two lists have fails."""
    lists = list(sandbox.lists().values())
    named = {made["list_name"]: made["contacts"] for made in lists}
    assert len(named) == len(lists), f"two lists have one name: {sorted(made['list_name'] for made in lists)}"
    return named


def ids(contacts: Iterable[Mapping[str, Any]]) -> list[int]:
    """The record ids of contacts, in order; one that is in twice comes twice."""
    return sorted(int(contact["record_id"]) for contact in contacts)


def let_holds_lapse(ledger: Ledger) -> None:
    """Every sync that has not ended was silent for so long that it is taken for dead."""
    with ledger.writing() as connection:
        for row in connection.execute(sa.select(SYNCS.c.id, SYNCS.c.held_until).where(SYNCS.c.ended_at.is_(None))):
            connection.execute(
                SYNCS.update().where(SYNCS.c.id == row.id).values(held_until=row.held_until - timedelta(minutes=10))
            )


@pytest.fixture
def plan(sandbox: SandboxProcess) -> MakePlan:
    """Makes plans of a mirror named "leads" on the sandbox: ``plan(mode=Mode.APPEND)``."""

    def make(**changes: Any) -> ListPlan:
        settings: dict[str, Any] = {
            "account": Account(sandbox.team_id, Secret(sandbox.secret), sandbox.base_url),
            "fields": Fields.parse(FIELDS),
            "list_name": None if "list_id" in changes else "leads",
            "mode": Mode.MIRROR,
            "key_column": "id",
            "timeout_s": 5.0,
        }
        return ListPlan(**{**settings, **changes})

    return make


@pytest.fixture
def sync(ledger: Ledger, plan: MakePlan) -> Sync:
    """Brings a list in step with rows: ``sync(persons(3), mode=Mode.APPEND)``."""

    def run(rows: Iterable[Row], *, stop: Stop | None = None, **changes: Any) -> ListSummary:
        return sync_list(plan(**changes), ledger, rows=rows, stop=stop or NoWait())

    return run
