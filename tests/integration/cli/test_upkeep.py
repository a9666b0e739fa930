"""``dropcowboy ledger prune``, ``forget``, ``adopt`` and ``restored``."""

import shutil
import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import make_url

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.ledger.campaigns import find_campaigns
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.ledger.upkeep import PERSONAL, read_facts
from tests.integration.cli.program import Program
from tests.integration.cli.shell import ledger_of, run
from tests.integration.cli.test_send import RVM
from tests.integration.sent import Sent, age
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.usefixtures("in_process")

SEND = (*RVM, "--calling-hours", "off")


def test_a_pruned_ledger_knows_nobody_and_nobody_is_asked_twice(
    program: Program, contacts: str, sandbox: SandboxProcess
) -> None:
    assert run(*SEND, "--contacts", contacts).code == 0
    with ledger_of(program) as ledger:
        age(ledger, timedelta(days=100))
        pruned = run("ledger", "prune", "--older-than", "90d")
        assert (pruned.code, pruned.stdout) == (0, "Pruned: 3 sends and 0 callbacks.\n")
        with ledger.reading() as connection:
            rows = connection.execute(SENDS.select().with_only_columns(*PERSONAL)).all()
    assert [tuple(row) for row in rows] == [(None, None, None)] * 3
    assert run(*SEND, "--contacts", contacts, "--json").json["asked"] == 0
    (life,) = run("report", "spring", "--contact", "2", "--json").json
    assert (life["state"], life["phone_number"]) == ("expired", None)


def test_too_short_a_time_and_none_are_wrong_use(program: Program) -> None:
    with ledger_of(program):
        pass
    for words in ((), ("--older-than", "7d"), ("--older-than", "90")):
        assert run("ledger", "prune", *words).code == 2


def test_a_person_is_forgotten_by_number(program: Program, contacts: str, sandbox: SandboxProcess) -> None:
    assert run(*SEND, "--contacts", contacts).code == 0
    told = run("ledger", "forget", "--phone", "(504) 555-0102")
    assert (told.code, told.stdout) == (0, "+1********02 is forgotten in 1 sends and 0 callbacks, and suppressed.\n")
    assert "suppressed since" in run("suppress", "check", "5045550102").stdout
    other = run(*SEND, "--contacts", contacts, "--campaign", "autumn", "--repeat-window", "off", "--json").json
    assert (other["asked"], other["suppressed"]) == (2, 1)


def test_a_restored_ledger_refuses_older_runs_until_their_campaign_is_adopted(program: Program) -> None:
    with ledger_of(program) as ledger:
        account = run("ledger", "restored", "--at", "2026-11-24T08:00:00Z")
        assert account.code == 0
        assert "due before 2026-11-24 08:00:00 UTC" in account.stdout
        assert f"{read_facts(ledger).restored_at}" == "2026-11-24 08:00:00+00:00"
        adopted = run("ledger", "adopt", "spring")
        assert adopted.code == 0
        assert adopted.stdout.count("Adopted: spring (") == 2
        assert {each.channel for each in find_campaigns(ledger, "spring")} == {Channel.RVM, Channel.SMS}


def test_the_same_command_after_a_restore_contacts_nobody_twice(
    program: Program, contacts: str, sandbox: SandboxProcess, tmp_path: Path
) -> None:
    unknown = (*SEND, "--contacts", contacts, "--campaign", "autumn", "--repeat-window", "off")
    run(*SEND, "--contacts", contacts, "--limit", "1")
    ledger, copy = Path(str(make_url(program.ledger_url).database)), tmp_path / "copy.db"
    with closing(sqlite3.connect(ledger)) as connection:
        connection.execute("VACUUM INTO ?", [str(copy)])
    run(*SEND, "--contacts", contacts)
    run(*unknown)
    assert sorted(sandbox.asks().values()) == [1] * 6
    for name in ("", "-wal", "-shm"):
        Path(f"{ledger}{name}").unlink(missing_ok=True)
    shutil.copy(copy, ledger)
    assert run("ledger", "restored").code == 0
    again = run(*SEND, "--contacts", contacts)
    assert again.code == 1
    assert "Nothing was sent" in again.stderr
    assert "`dropcowboy ledger adopt 'spring'` and run it again" in again.stderr
    assert "does not know campaign 'autumn', which may have been sent before" in run(*unknown).stderr
    assert sorted(sandbox.asks().values()) == [1] * 6


def test_one_channel_may_be_adopted_alone(program: Program) -> None:
    with ledger_of(program) as ledger:
        assert run("ledger", "adopt", "spring", "--channel", "sms").code == 0
        assert [each.channel for each in find_campaigns(ledger, "spring")] == [Channel.SMS]


def test_a_watermark_in_the_future_and_an_empty_name_are_refused(program: Program) -> None:
    with ledger_of(program) as ledger:
        assert run("ledger", "restored", "--at", "2126-01-01").code == 2
        assert read_facts(ledger).restored_at is None
        assert run("ledger", "adopt", " ").code == 2


def test_sends_in_doubt_are_named_when_pruning_leaves_them(program: Program) -> None:
    with ledger_of(program) as ledger:
        Sent(ledger).claim(1)
        age(ledger, timedelta(days=100))
    ended = run("ledger", "prune", "--older-than", "90d")
    assert ended.stdout == "Pruned: 0 sends and 0 callbacks.\n"
    assert "1 sends are in doubt" in ended.stderr
