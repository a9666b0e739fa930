"""A mirror is the rows of its source, and nothing else."""

import threading
from collections.abc import Iterator

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.v1.vendor import V1
from airflow_provider_dropcowboy.errors import AuthenticationError, GuardError
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.digest import number_digest
from airflow_provider_dropcowboy.ledger.list_contacts import ContactState, Odd, odd_contacts
from airflow_provider_dropcowboy.ledger.lists import current_list
from airflow_provider_dropcowboy.ledger.schema import SUPPRESSIONS
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.transport.client import Client
from tests.integration.lists.between import Between, Body
from tests.integration.lists.conftest import Row, Sync, ids, inside, person, persons
from tests.sandbox_process import SandboxProcess


def calls(sandbox: SandboxProcess) -> dict[str, int]:
    """How often each list route was asked."""
    requests: dict[str, int] = sandbox.stats()["requests"]
    return requests


def test_a_new_list_holds_the_rows_under_its_name(sync: Sync, sandbox: SandboxProcess) -> None:
    summary = sync(persons(3))
    (list_id,) = sandbox.lists()
    assert ids(inside(sandbox)["leads"]) == [0, 1, 2]
    assert (summary.list_id, summary.read, summary.added, summary.contact_count) == (list_id, 3, 3, 3)
    assert not summary.is_rebuilt


def test_an_unchanged_source_asks_the_vendor_nothing(sync: Sync, sandbox: SandboxProcess) -> None:
    first = sync(persons(3))
    before = calls(sandbox)
    again = sync(persons(3))
    assert calls(sandbox) == before
    assert (again.calls, again.unchanged, again.added, again.list_id) == (0, 3, 0, first.list_id)


def test_additions_are_appended_to_the_list_that_is_there(sync: Sync, sandbox: SandboxProcess) -> None:
    first = sync(persons(3))
    again = sync(persons(5))
    assert ids(inside(sandbox)["leads"]) == [0, 1, 2, 3, 4]
    assert (again.list_id, again.added, again.unchanged, again.appends) == (first.list_id, 2, 3, 1)


def test_a_changed_or_removed_row_puts_a_new_list_in_the_old_ones_place(sync: Sync, sandbox: SandboxProcess) -> None:
    first = sync(persons(4))
    again = sync([person(0), person(1, first="Ann"), person(2)])
    held = inside(sandbox)
    assert list(held) == ["leads"]
    assert [contact["first_name"] for contact in held["leads"]] == ["Zoë0", "Ann", "Zoë2"]
    assert again.list_id != first.list_id
    assert (again.is_rebuilt, again.changed, again.removed, again.unchanged) == (True, 1, 1, 2)


def test_a_mirror_that_would_lose_more_than_half_fails_and_changes_nothing(sync: Sync, sandbox: SandboxProcess) -> None:
    sync(persons(10))
    before = calls(sandbox)
    with pytest.raises(GuardError, match="would lose 10 of its 10 contacts; max_shrink allows 50%"):
        sync([])
    assert calls(sandbox) == before
    assert len(inside(sandbox)["leads"]) == 10


def test_a_great_loss_may_be_allowed(sync: Sync, sandbox: SandboxProcess) -> None:
    sync(persons(10))
    summary = sync(persons(1), max_shrink=1.0)
    assert ids(inside(sandbox)["leads"]) == [0]
    assert summary.removed == 9


def test_every_row_is_counted_once(sync: Sync, sandbox: SandboxProcess) -> None:
    sync(persons(3))
    summary = sync(
        [*persons(5), person(1), {"id": None, "mobile": "+15045550100", "first": ""}, person(9, mobile="no")]
    )
    assert summary.read == 8
    counts = (summary.added, summary.unchanged, summary.changed, summary.rejected, summary.unknown)
    assert counts == (2, 3, 0, 0, 0)
    assert (summary.invalid, summary.duplicate, summary.suppressed) == (2, 1, 0)
    assert sum(counts) + summary.invalid + summary.duplicate + summary.suppressed == summary.read


def test_a_suppressed_number_is_not_in_the_list(sync: Sync, sandbox: SandboxProcess, ledger: Ledger) -> None:
    sync(persons(4))
    with ledger.writing() as connection:
        digest = number_digest(ledger.key, Phone("+15042000002"))
        connection.execute(SUPPRESSIONS.insert().values(number_digest=digest, added_at=now(connection), source="test"))
    summary = sync(persons(4))
    assert ids(inside(sandbox)["leads"]) == [0, 1, 3]
    assert (summary.suppressed, summary.removed, summary.unchanged) == (1, 1, 3)


def test_a_contact_may_have_several_numbers(sync: Sync, sandbox: SandboxProcess) -> None:
    fields = {"record_id": "id", "phone": ["mobile", "home"]}
    rows: list[dict[str, object]] = [
        {"id": 1, "mobile": "(504) 555-0101", "home": "504-555-0102"},
        {"id": 2, "mobile": "n/a", "home": "504-555-0103"},
        {"id": 3, "mobile": "n/a", "home": None},
    ]
    summary = sync(rows, fields=fields)
    assert [contact["phone"] for contact in inside(sandbox)["leads"]] == [
        ["+15045550101", "+15045550102"],
        "+15045550103",
    ]
    assert summary.invalid == 1


def test_what_the_vendor_refuses_is_kept_with_its_key_and_not_asked_again(
    sync: Sync, sandbox: SandboxProcess, ledger: Ledger
) -> None:
    def spoil_the_second(_method: str, path: str, body: Body) -> Body:
        if path.endswith("/contacts"):
            body["values"][1][1] = "n/a"
        return body

    with Between(sandbox.base_url) as vendor:
        vendor.asking = spoil_the_second
        account = Account(sandbox.team_id, Secret(sandbox.secret), vendor.base_url)
        summary = sync(persons(3), account=account)
        again = sync(persons(3), account=account)
    assert ids(inside(sandbox)["leads"]) == [0, 2]
    assert (summary.rejected, summary.added, summary.contact_count) == (1, 2, 2)
    assert (again.rejected, again.unchanged, again.calls) == (1, 2, 0)
    current = current_list(ledger, account.name, name="leads")
    assert current is not None
    assert odd_contacts(ledger, current.id, limit=10) == [Odd("1", ContactState.REJECTED, "Invalid phone")]


def test_a_list_that_somebody_else_added_to_is_built_anew_when_it_grows(sync: Sync, sandbox: SandboxProcess) -> None:
    first = sync(persons(3))
    with Client(Account(sandbox.team_id, Secret(sandbox.secret), sandbox.base_url)) as client:
        client.ask(V1().append_contacts(str(first.list_id), ["record_id", "phone"], values=[["99", "+15042000099"]]))
    summary = sync(persons(4))
    assert ids(inside(sandbox)["leads"]) == [0, 1, 2, 3]
    assert summary.is_rebuilt


def test_a_list_that_somebody_deleted_is_built_anew_when_it_grows(sync: Sync, sandbox: SandboxProcess) -> None:
    first = sync(persons(3))
    with Client(Account(sandbox.team_id, Secret(sandbox.secret), sandbox.base_url)) as client:
        client.ask(V1().delete_list(str(first.list_id)))
    sync(persons(4))
    assert ids(inside(sandbox)["leads"]) == [0, 1, 2, 3]


def test_more_contacts_than_one_call_takes_go_in_several(sync: Sync, sandbox: SandboxProcess) -> None:
    summary = sync(persons(20_001))
    assert ids(inside(sandbox)["leads"]) == list(range(20_001))
    assert summary.appends == 3


def test_the_source_is_read_on_while_the_appends_of_a_new_list_are_under_way(
    sync: Sync, sandbox: SandboxProcess
) -> None:
    is_read = threading.Event()
    was_read_meanwhile: list[bool] = []

    def source() -> Iterator[Row]:
        yield from persons(15_000)
        is_read.set()

    def answer_when_it_is_read(_method: str, path: str, body: Body) -> Body:
        if path.endswith("/contacts"):
            was_read_meanwhile.append(is_read.wait(4))
        return body

    with Between(sandbox.base_url) as vendor:
        vendor.asking = answer_when_it_is_read
        account = Account(sandbox.team_id, Secret(sandbox.secret), vendor.base_url)
        sync(source(), account=account, max_concurrency=4)  # of which a sync has one
    assert was_read_meanwhile == [True, True]
    assert ids(inside(sandbox)["leads"]) == list(range(15_000))


def test_refused_credentials_change_nothing(sync: Sync, sandbox: SandboxProcess) -> None:
    with pytest.raises(AuthenticationError):
        sync(persons(3), account=Account(sandbox.team_id, Secret("another-secret"), sandbox.base_url))
    assert sandbox.lists() == {}


def test_no_person_and_no_secret_is_in_a_log(
    sync: Sync, sandbox: SandboxProcess, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.fault("500_after", route="append", times=1)
    sandbox.fault("lose_answer", route="create", times=1)
    with caplog.at_level("DEBUG"):
        summary = sync([*persons(3), person(7, mobile="504-555-CALL")])
    assert "leads" in caplog.text
    for private in ("504200000", "Zoë", "555-CALL", sandbox.secret):
        assert private not in caplog.text
        assert private not in repr(summary)
