"""Syncs of contact lists against the sandbox, and what it holds afterwards."""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.ledger.syncs import SYNCS
from airflow_provider_dropcowboy.lists.arguments import ListArguments
from airflow_provider_dropcowboy.lists.sync import sync_list
from airflow_provider_dropcowboy.lists.vendor import Stop
from airflow_provider_dropcowboy.lists.wanted import ListSummary
from airflow_provider_dropcowboy.secret import Secret
from tests.sandbox_process import SandboxProcess

Row = dict[str, object]
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
def sync(ledger: Ledger, sandbox: SandboxProcess) -> Sync:
    """Brings the mirror "leads" in step with rows: ``sync(persons(3))``, or ``sync(persons(3), mode="append")``."""

    def run(
        rows: Iterable[Row],
        *,
        stop: Stop | None = None,
        account: Account | None = None,
        max_concurrency: int = 90,
        who: Who | None = None,
        **changes: Any,
    ) -> ListSummary:
        name = {} if "list_id" in changes else {"list_name": "leads"}
        given = {"contacts": (), "fields": FIELDS, "mode": "mirror", "key_column": "id", **name, **changes}
        settings = ConnectionSettings(
            account=account or Account(sandbox.team_id, Secret(sandbox.secret), sandbox.base_url),
            max_concurrency=max_concurrency,
            timeout_s=5.0,
        )
        arguments = ListArguments.read(given)
        return sync_list(arguments, settings, ledger, rows=rows, stop=stop or NoWait(), who=who or Who())

    return run
