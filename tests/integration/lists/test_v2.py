"""Contact lists by API v2: added to by the routes of contacts; all else is refused by name before anything is read."""

from typing import Any

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.errors import AuthenticationError, ConfigurationError, RejectedError
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.lists.upkeep import Upkeep
from airflow_provider_dropcowboy.sandbox.catalog import LIST_ID, SITE_ID
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.transport.client import Client
from tests.integration.lists.conftest import Row, Sync, person, persons
from tests.sandbox_process import SandboxProcess


@pytest.fixture
def account(sandbox: SandboxProcess) -> Account:
    return Account(sandbox.key, Secret(sandbox.secret), sandbox.v2_url, "team", "v2", SITE_ID)


@pytest.fixture
def append(sync: Sync, account: Account) -> Sync:
    """Appends rows to the one list that is there."""

    def run(rows: Any, **changes: Any) -> Any:
        fields = {"main_phone": "mobile", "first_name": "first"}
        given = {"fields": fields, "mode": "append", "list_id": LIST_ID, "account": account, **changes}
        return sync(rows, **{name: value for name, value in given.items() if value is not None})

    return run


def names_in(account: Account) -> list[str]:
    """The first names in the list."""
    with Client(account) as client:
        call = vendor_of(account).people.list_contacts(LIST_ID, limit=1_000)
        return sorted(str(contact.first_name) for contact in client.ask(call))


def test_rows_are_in_the_list_once_however_often_it_runs(append: Sync, account: Account) -> None:
    first, again = append(persons(150)), append(persons(151))

    assert len(names_in(account)) == 151
    assert (first.added, first.contact_count, first.appends) == (150, 150, 2)
    assert (again.added, again.unchanged, again.contact_count) == (1, 150, 151)


def test_a_lost_answer_adds_nobody_twice(append: Sync, account: Account, sandbox: SandboxProcess) -> None:
    append(persons(2))
    sandbox.fault("lose_answer", route="append_contacts", times=1)
    sandbox.fault("503_before", route="append_contacts", times=1)

    summary = append(persons(5))

    assert names_in(account) == [f"Zoë{n}" for n in range(5)]
    assert (summary.added, summary.unchanged, summary.unknown) == (3, 2, 0)


def test_a_contact_that_was_there_keeps_what_it_had(append: Sync, account: Account) -> None:
    append(persons(1))
    summary = append([person(0, first="Ann")])
    assert (names_in(account), summary.changed, summary.appends) == (["Zoë0"], 1, 0)


def test_a_list_that_is_adopted_is_known_by_its_name(
    append: Sync, account: Account, ledger: Ledger, sandbox: SandboxProcess
) -> None:
    Upkeep(settings=ConnectionSettings(account=account), ledger=ledger).adopt("leads", LIST_ID)
    append(persons(2), list_id=None)
    assert names_in(account) == ["Zoë0", "Zoë1"]


class NeverRead(list[Row]):
    def __iter__(self) -> Any:
        raise AssertionError("the source was read")


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (
            {"mode": "mirror", "list_id": None},
            'mode="mirror": API v2 has no route that .* Make the list in the dashboard',
        ),
        ({"on_change": "append"}, "on_change is append: API v2 has one contact"),
        ({"list_id": None}, "knows no contact list 'leads'. API v2 has no route"),
        ({"fields": {"record_id": "id", "phone": "mobile"}}, "fields: record_id. .* Use company, email, first_name"),
        ({"fields": {"phone": ["mobile", "home"]}}, "A contact of API v2 has one number"),
    ],
)
def test_what_no_route_is_documented_for_is_refused_before_the_source_is_read(
    append: Sync, sandbox: SandboxProcess, changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named):
        append(NeverRead(), **changes)
    assert sandbox.stats()["requests"] == {}


def test_a_connection_without_a_site_says_what_to_set(append: Sync, sandbox: SandboxProcess) -> None:
    other = Account(sandbox.key, Secret(sandbox.secret), sandbox.v2_url, "team", "v2")
    with pytest.raises(ConfigurationError, match="Set site_id in the connection's extra"):
        append(NeverRead(), account=other)


def test_a_wrong_site_and_a_wrong_list_are_told_apart(append: Sync, sandbox: SandboxProcess) -> None:
    other = Account(sandbox.key, Secret(sandbox.secret), sandbox.v2_url, "team", "v2", "another-site")
    with pytest.raises(RejectedError):
        append(persons(1), account=other)
    with pytest.raises(RejectedError, match="knows no contact list nobodys"):
        append(persons(1), list_id="nobodys")


def test_the_key_is_never_shown_to_the_contacts_host(append: Sync, account: Account, sandbox: SandboxProcess) -> None:
    wrong = Account(sandbox.key, Secret("another-secret"), sandbox.v2_url, "team", "v2", SITE_ID)
    with pytest.raises(AuthenticationError) as refused:
        append(persons(1), account=wrong)
    assert "another-secret" not in str(refused.value)
