"""A list that is appended to holds every row of its sources once, whatever is repeated."""

from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.v1.vendor import V1
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import GuardError, NotTakenError, RejectedError
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.list_contacts import count_contacts, odd_contacts
from airflow_provider_dropcowboy.ledger.lists import current_list
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.ledger.upkeep import mark_restored
from airflow_provider_dropcowboy.lists.upkeep import Upkeep
from airflow_provider_dropcowboy.lists.wanted import ListSummary
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.transport.client import Client
from tests.integration.lists.between import Between, Body
from tests.integration.lists.conftest import Row, Sync, ids, inside, person, persons
from tests.sandbox_process import SandboxProcess

LOST_ANSWERS = ("lose_answer", "reset_after", "truncated_after", "500_after", "html_200_after", "odd_json_after")
LOST_REQUESTS = ("drop_request", "reset_before", "503_before", "redirect_307", "conflict")


@pytest.fixture
def append(sync: Sync) -> Sync:
    """Appends rows to the list "leads"."""

    def run(rows: list[Row], **changes: Any) -> ListSummary:
        return sync(rows, mode="append", **changes)

    return run


def test_rows_are_appended_once_however_often_it_runs(append: Sync, sandbox: SandboxProcess) -> None:
    first = append(persons(3))
    again = append(persons(3))
    assert ids(inside(sandbox)["leads"]) == [0, 1, 2]
    assert (first.added, again.added, again.unchanged, again.calls) == (3, 0, 3, 0)


def test_rows_that_are_new_are_added_and_those_that_are_gone_stay(append: Sync, sandbox: SandboxProcess) -> None:
    first = append(persons(3))
    again = append(persons(3, first=2))
    assert ids(inside(sandbox)["leads"]) == [0, 1, 2, 3, 4]
    assert (again.list_id, again.added, again.unchanged, again.removed) == (first.list_id, 2, 1, 0)


def test_a_changed_row_keeps_its_old_values_in_the_list(append: Sync, sandbox: SandboxProcess) -> None:
    append(persons(2))
    summary = append([person(0, first="Ann"), person(1)])
    assert [contact["first_name"] for contact in inside(sandbox)["leads"]] == ["Zoë0", "Zoë1"]
    assert (summary.changed, summary.unchanged, summary.appends) == (1, 1, 0)


def test_a_changed_row_is_appended_again_if_that_is_asked_for(append: Sync, sandbox: SandboxProcess) -> None:
    append(persons(2))
    for _ in ("changed", "and run again"):
        append([person(0, first="Ann"), person(1)], on_change="append")
    assert [contact["first_name"] for contact in inside(sandbox)["leads"]] == ["Zoë0", "Zoë1", "Ann"]


def test_a_list_may_be_given_by_its_id(append: Sync, sandbox: SandboxProcess) -> None:
    with Client(Account(sandbox.team_id, Secret(sandbox.secret), sandbox.base_url)) as client:
        list_id = client.ask(V1().create_list("made by hand")).list_id
    append(persons(2), list_id=list_id)
    again = append(persons(3), list_id=list_id)
    assert ids(inside(sandbox)["made by hand"]) == [0, 1, 2]
    assert (again.list_id, again.added) == (list_id, 1)


def test_a_list_id_that_the_vendor_does_not_know_is_refused(append: Sync) -> None:
    with pytest.raises(RejectedError, match="knows no contact list 0000"):
        append(persons(2), list_id="0000")


def test_the_id_of_a_list_that_was_replaced_is_refused_with_its_name(append: Sync, sync: Sync) -> None:
    old = sync(persons(3)).list_id
    sync(persons(2))
    with pytest.raises(RejectedError, match="Give list_name='leads'"):
        append(persons(3), list_id=old)


@pytest.mark.parametrize("fault", LOST_ANSWERS + LOST_REQUESTS)
@pytest.mark.parametrize("is_first", [True, False], ids=["new list", "list that is there"])
def test_an_append_in_doubt_is_settled_by_the_count(
    fault: str, is_first: bool, append: Sync, sandbox: SandboxProcess
) -> None:
    if not is_first:
        append(persons(3))
    sandbox.fault(fault, route="append", times=1)
    summary = append(persons(6))
    assert ids(inside(sandbox)["leads"]) == [0, 1, 2, 3, 4, 5]
    assert (summary.unknown, summary.contact_count) == (0, 6)


def test_what_the_count_cannot_settle_is_held_as_unknown_and_never_appended_again(
    append: Sync, sandbox: SandboxProcess, ledger: Ledger
) -> None:
    account = Account(sandbox.team_id, Secret(sandbox.secret), sandbox.base_url)
    append(persons(3))

    def spoil_one(_method: str, path: str, body: Body) -> Body:
        if path.endswith("/contacts"):
            body["values"][0][1] = "n/a"
        return body

    def lose(_method: str, path: str, answer: Any) -> Any:
        return [] if path.endswith("/contacts") else answer

    with Between(sandbox.base_url) as vendor:
        vendor.asking, vendor.answering = spoil_one, lose
        here = Account(sandbox.team_id, Secret(sandbox.secret), vendor.base_url)
        ledger_name = here.name
        # the ledger separates accounts by host, so the list that is there is given by its id
        list_id = next(iter(sandbox.lists()))
        doubtful = append(persons(3, first=10), account=here, list_id=list_id)
        vendor.pass_unchanged()
        again = append(persons(4, first=10), account=here, list_id=list_id)
    assert (doubtful.unknown, doubtful.added) == (3, 0)
    assert (again.unknown, again.added) == (3, 1)
    assert ids(inside(sandbox)["leads"]) == [0, 1, 2, 11, 12, 13]
    current = current_list(ledger, ledger_name, name=list_id)
    assert current is not None
    assert [odd.contact_key for odd in odd_contacts(ledger, current.id, limit=10)] == ["10", "11", "12"]
    assert count_contacts(ledger, current.id).total() == 4
    assert current_list(ledger, account.name, name="leads") is not None


def test_a_vendor_that_takes_nothing_fails_the_run_and_the_next_one_appends(
    append: Sync, sandbox: SandboxProcess
) -> None:
    sandbox.fault("429", route="append")
    with pytest.raises(NotTakenError):
        append(persons(3))
    sandbox.clear_faults()
    append(persons(3))
    assert ids(inside(sandbox)["leads"]) == [0, 1, 2]


def test_after_a_restore_a_list_that_was_made_before_is_not_changed_until_it_is_adopted(
    append: Sync, ledger: Ledger, sandbox: SandboxProcess
) -> None:
    first = append(persons(2))
    assert first.list_id is not None
    mark_restored(ledger)
    due_later = Who(dag_id="daily", due_at=utcnow() + timedelta(hours=1))
    for who in (Who(task_id="dropcowboy list sync"), due_later):
        with pytest.raises(
            GuardError, match=rf"known contact list 'leads' since .*list adopt 'leads' {first.list_id}`"
        ):
            append(persons(3), who=who)
    assert ids(inside(sandbox)["leads"]) == [0, 1]
    account = Account(sandbox.team_id, Secret(sandbox.secret), sandbox.base_url)
    Upkeep(settings=ConnectionSettings(account=account), ledger=ledger).adopt("leads", first.list_id)
    assert append(persons(3)).added == 1
    assert ids(inside(sandbox)["leads"]) == [0, 1, 2]


def test_a_list_that_was_synced_with_another_ledger_is_not_changed(append: Sync, sandbox: SandboxProcess) -> None:
    with pytest.raises(GuardError, match=r"used ledger other before.*Nothing was changed.*list adopt 'leads' ID"):
        append(persons(3), who=Who(dag_id="daily", earlier_ledger="other"))
    assert inside(sandbox) == {}


UUID_KEY = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"


def older_release(patch: pytest.MonkeyPatch) -> None:
    """A contact was named by its key as it was written, and its values counted in the order of the fields."""
    reading = "airflow_provider_dropcowboy.lists.people"
    patch.setattr(f"{reading}.same_person", lambda key: key)
    patch.setattr(f"{reading}.other_notations", lambda _key: ())
    patch.setattr(f"{reading}.same_value", lambda value: value)
    patch.setattr(f"{reading}.sorted", lambda values, **_: list(values), raising=False)


@pytest.mark.parametrize("is_of_older_release", [False, True])
@pytest.mark.parametrize("mode", ["append", "mirror"])
def test_the_order_of_the_fields_and_the_notation_of_a_value_change_nothing(
    sync: Sync, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch, mode: str, is_of_older_release: bool
) -> None:
    fields = {"record_id": "id", "phone": "mobile", "first_name": "first", "custom1": "owes"}
    turned = {"first_name": "first", "custom1": "owes", "record_id": "id", "phone": "mobile"}
    rows = [{"id": UUID_KEY, "mobile": "+15042000001", "first": "Zo\u00eb", "owes": 10.5}]
    same = [{"id": UUID_KEY.replace("-", ""), "mobile": "504-200-0001", "first": "Zoe\u0308", "owes": "10.50"}]
    options: dict[str, Any] = {"mode": mode}
    if mode == "append":
        options["on_change"] = "append"
    with monkeypatch.context() as older:
        if is_of_older_release:
            older_release(older)
        assert sync(rows, fields=fields, **options).added == 1
    for read, written in ((rows, fields), (same, turned), (rows, turned), (same, fields)):
        again = sync(read, fields=written, **options)
        assert (again.unchanged, again.appends, again.is_rebuilt, again.contact_count) == (1, 0, False, 1)
    changed = sync([{**rows[0], "owes": 10.51}], fields=turned, **options)
    assert changed.changed == 1
