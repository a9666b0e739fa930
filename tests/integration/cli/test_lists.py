"""``dropcowboy list``: from a file to a list, and what a person does to lists."""

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.v1.vendor import V1
from airflow_provider_dropcowboy.ledger.list_contacts import LIST_APPENDS, LIST_CONTACTS, hold_unknown, open_appends
from airflow_provider_dropcowboy.ledger.lists import names_of
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.ledger.syncs import Hold, Sync, begin_sync
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.transport.client import Client
from tests.integration.cli.program import Program
from tests.integration.cli.shell import ledger_of, run
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.usefixtures("in_process")

FIELDS = ("--key-column", "id", "--field", "record_id=id", "--field", "phone=phone", "--field", "first_name=first_name")
MIRROR = ("list", "sync", "--list-name", "leads", "--mode", "mirror", *FIELDS)


def names(sandbox: SandboxProcess) -> dict[str, int]:
    """The vendor's lists and how many contacts each has."""
    return {made["list_name"]: made["contact_count"] for made in sandbox.lists().values()}


def make_list(sandbox: SandboxProcess, name: str) -> str:
    """The id of a list that somebody made by hand."""
    with Client(Account(sandbox.team_id, Secret(sandbox.secret), sandbox.base_url)) as client:
        return client.ask(V1().create_list(name)).list_id


def test_a_file_is_mirrored_and_again_nothing_is_asked(contacts: str, sandbox: SandboxProcess) -> None:
    first = run(*MIRROR, "--contacts", contacts, "--json").json
    assert (first["read"], first["added"], first["invalid"], first["duplicate"]) == (5, 3, 1, 1)
    again = run(*MIRROR, "--contacts", contacts, "--json").json
    assert (again["unchanged"], again["calls"], again["list_id"]) == (3, 0, first["list_id"])
    assert names(sandbox) == {"leads": 3}


def test_numbers_of_a_suppression_file_are_left_out(program: Program, contacts: str, sandbox: SandboxProcess) -> None:
    numbers = program.write("stop.csv", "id,area,number\n1,504,555-0101\n2,n/a,n/a\n")
    of_file = ("--suppression", numbers, "--suppression-column", "area", "--suppression-column", "number")
    refused = run(*MIRROR, "--contacts", contacts, *of_file)
    assert refused.code == 2
    assert "--max-unreadable-suppressions lets some pass" in refused.stderr
    assert sandbox.lists() == {}
    synced = run(*MIRROR, "--contacts", contacts, *of_file, "--max-unreadable-suppressions", "1", "--json").json
    assert (synced["added"], synced["suppressed"], synced["unreadable_suppressions"]) == (2, 2, 1)
    assert names(sandbox) == {"leads": 2}


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("--list-id", "7", "--mode", "mirror", *FIELDS), "--list-id is given with --mode mirror, where"),
        (("--list-name", "a", "--on-change", "append", "--mode", "mirror", *FIELDS), "is for --mode append: a mirror"),
        (("--list-name", "a", "--field", "record_id=id"), "--field has no phone: "),
        (("--list-name", "a", "--field", "record_id=id"), "Write --field phone=COLUMN."),
    ],
)
def test_a_wrong_option_of_a_sync_is_named_as_it_is_written(contacts: str, words: tuple[str, ...], named: str) -> None:
    ended = run("list", "sync", *words, "--contacts", contacts)
    assert ended.code == 2
    assert named in ended.stderr


def test_a_mirror_that_would_lose_too_much_names_the_option_that_allows_it(program: Program, contacts: str) -> None:
    run(*MIRROR, "--contacts", contacts)
    ended = run(*MIRROR, "--contacts", program.write("one.csv", "id,phone,first_name\n1,+15045550101,Annabel\n"))
    assert ended.code == 1
    assert "would lose 2 of its 3 contacts; --max-shrink allows 50%" in ended.stderr
    assert "raise --max-shrink for one run" in ended.stderr


def test_a_summary_is_shown_to_people(contacts: str) -> None:
    ended = run(*MIRROR, "--contacts", contacts)
    assert ended.code == 0
    assert ended.stdout.splitlines()[0].startswith("list           leads (")


def test_a_list_is_shown_renamed_and_deleted(contacts: str, sandbox: SandboxProcess) -> None:
    run(*MIRROR, "--contacts", contacts)
    shown = run("list", "show", "leads", "--json").json
    assert (shown["contact_count"], shown["counts"], shown["odd"]) == (3, {"accepted": 3}, [])
    assert "3 contacts" in run("list", "show", "leads").stdout

    assert run("list", "rename", "leads", "clients").code == 0
    assert names(sandbox) == {"clients": 3}
    assert run("list", "show", "clients", "--json").json["list_id"] == shown["list_id"]

    assert run("list", "delete", "clients", "--yes").stdout == f"Deleted: contact list {shown['list_id']}.\n"
    assert names(sandbox) == {}
    gone = run("list", "show", "clients")
    assert (gone.code, gone.stdout) == (2, "")
    assert "knows no contact list 'clients'" in gone.stderr


def test_an_adopted_list_is_replaced_by_the_first_mirror(contacts: str, sandbox: SandboxProcess) -> None:
    list_id = make_list(sandbox, "leads")
    assert run("list", "adopt", "leads", list_id).code == 0
    assert run(*MIRROR, "--contacts", contacts, "--json").json["is_rebuilt"] is True
    assert names(sandbox) == {"leads": 3}
    assert list_id not in sandbox.lists()


def test_a_list_is_adopted_by_its_own_name_only(sandbox: SandboxProcess) -> None:
    refused = run("list", "adopt", "leads", make_list(sandbox, "customers"))
    assert refused.code == 2
    assert "is called 'customers' at Drop Cowboy" in refused.stderr


def test_a_list_that_was_appended_to_by_its_id_gets_a_name(contacts: str, sandbox: SandboxProcess) -> None:
    list_id = make_list(sandbox, "leads")
    run("list", "sync", "--list-id", list_id, *FIELDS, "--contacts", contacts)
    assert run("list", "adopt", "leads", list_id).code == 0
    again = run("list", "sync", "--list-name", "leads", *FIELDS, "--contacts", contacts, "--json").json
    assert (again["list_id"], again["unchanged"], again["appends"]) == (list_id, 3, 0)


@pytest.mark.parametrize(("answer", "count"), [("--inside", 3), ("--not-inside", 6)])
def test_what_is_in_doubt_is_settled_by_a_person(
    answer: str, count: int, program: Program, contacts: str, sandbox: SandboxProcess
) -> None:
    append = ("list", "sync", "--list-name", "leads", *FIELDS, "--contacts", contacts, "--json")
    run(*append)
    account = Account(sandbox.team_id, Secret(sandbox.secret), sandbox.base_url).name
    with ledger_of(program) as ledger:
        (current,) = names_of(ledger, account)
        with ledger.writing() as connection:
            connection.execute(LIST_APPENDS.update().values(state="claimed"))
            connection.execute(LIST_CONTACTS.update().values(state="claimed", contact_key="somebody"))
        sync = begin_sync(ledger, account, name="leads", mode="append", who=Who(), timeout_s=1.0)
        assert isinstance(sync, Sync)
        hold = Hold(ledger, sync)
        hold_unknown(hold, current.id, appends=open_appends(ledger, current.id), counted=3)
        hold.finish({})
    assert run(*append).json["unknown"] == 3
    assert {odd["state"] for odd in run("list", "show", "leads", "--json").json["odd"]} == {"unknown"}
    assert "3 contacts" in run("list", "settle", "leads", answer).stdout
    run(*append)
    assert names(sandbox) == {"leads": count}


def test_a_mirror_that_would_lose_too_much_ends_unfinished(program: Program, contacts: str) -> None:
    run(*MIRROR, "--contacts", contacts)
    empty = program.write("empty.csv", "id,phone,first_name\n")
    ended = run(*MIRROR, "--contacts", empty)
    assert ended.code == 1
    assert "would lose 3 of its 3 contacts" in ended.stderr


def test_a_field_that_the_vendor_does_not_know_is_wrong_use(contacts: str, sandbox: SandboxProcess) -> None:
    ended = run("list", "sync", "--list-name", "x", "--field", "telephone=phone", "--contacts", contacts)
    assert ended.code == 2
    assert "does not know these contact fields: telephone" in ended.stderr
    assert sandbox.lists() == {}
