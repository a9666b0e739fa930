"""``dropcowboy unknown`` and ``dropcowboy rejected``, and what the next run does then."""

from datetime import timedelta

import pytest

from airflow_provider_dropcowboy.ledger.schema import HISTORY
from tests.integration.cli.program import Program
from tests.integration.cli.shell import ledger_of, run
from tests.integration.cli.test_send import RVM
from tests.integration.sent import age
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.usefixtures("in_process")

SEND = (*RVM, "--calling-hours", "off")


def test_what_is_in_doubt_is_listed_settled_and_asked_again_only_as_not_sent(
    program: Program, contacts: str, sandbox: SandboxProcess
) -> None:
    command = (*SEND, "--contacts", contacts, "--json")
    sandbox.fault("lose_answer", times=3)
    assert run(*command).json["unknown"] == 3
    sandbox.clear_faults()

    (first, *_) = found = run("unknown", "list", "spring", "--json").json
    assert sorted(send["contact_key"] for send in found) == ["1", "2", "4"]
    assert first["settles_at"] > first["claimed_at"]
    assert "settle from" in run("unknown", "list", "spring").stdout

    early = run("unknown", "settle", "spring", "--as", "not-sent", "--reason", "not in their log")
    assert early.code == 1
    assert "0 sends of campaign spring are settled" in early.stdout
    assert "3 are too young" in early.stderr

    with ledger_of(program) as ledger:
        age(ledger, timedelta(hours=2))
    for contact, verdict in (("1", "sent"), ("2", "not-sent")):
        words = ("--as", verdict, "--reason", "looked it up", "--contact", contact)
        assert run("unknown", "settle", "spring", *words).code == 0
    again = run(*command).json
    assert (again["asked"], again["accepted"], again["unknown"]) == (1, 2, 1)
    assert [send["contact_key"] for send in run("unknown", "list", "spring", "--json").json] == ["4"]
    assert sorted(sandbox.asks().values()) == [1, 1, 2]
    with ledger_of(program) as ledger, ledger.reading() as connection:
        rows = connection.execute(HISTORY.select().order_by(HISTORY.c.id)).all()
    assert [(row.event, row.reason) for row in rows] == [
        ("settled as sent", "looked it up"),
        ("settled as not sent", "looked it up"),
    ]


def test_what_was_refused_is_listed_with_the_reason_and_asked_again_once_released(
    program: Program, contacts: str, sandbox: SandboxProcess
) -> None:
    command = (*SEND, "--contacts", contacts, "--json")
    sandbox.fault("invalid_400", to="+15045550102")
    assert run(*command).json["rejected"] == 1
    sandbox.clear_faults()
    assert run(*command).json["asked"] == 0

    (refused,) = run("rejected", "list", "spring", "--json").json
    assert refused["contact_key"] == "2"
    assert refused["reason"]
    released = run("rejected", "release", "spring", "--reason", "they mended it")
    assert (released.code, released.stdout) == (
        0,
        "1 sends of campaign spring are released: the next run sends them.\n",
    )
    assert run("rejected", "list", "spring").stdout.endswith(": none\n")
    assert run(*command).json["asked"] == 1


def test_settling_takes_a_verdict_and_a_reason(program: Program) -> None:
    for words in (
        ("unknown", "settle", "spring", "--as", "sent"),
        ("unknown", "settle", "spring", "--reason", "because"),
        ("unknown", "settle", "spring", "--as", "perhaps", "--reason", "because"),
        ("rejected", "release", "spring"),
    ):
        ended = run(*words)
        assert (ended.code, ended.stdout) == (2, "")
