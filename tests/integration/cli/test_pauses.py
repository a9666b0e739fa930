"""``dropcowboy pause`` and ``resume``, and what they do to a send."""

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.ledger.campaigns import bind_campaign
from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.limits import read_pauses
from tests.integration.cli.program import Program
from tests.integration.cli.test_send import RVM
from tests.sandbox_process import SandboxProcess


def test_before_the_first_campaign_all_can_be_paused_and_after_it_everybody_is_asked(
    program: Program, contacts: str, sandbox: SandboxProcess
) -> None:
    assert program.run("pause", "--all").code == 0
    paused = program.run(*RVM, "--contacts", contacts)
    assert paused.code == 1
    assert "dropcowboy resume --all" in paused.stderr
    assert sandbox.asks() == {}

    assert program.run("resume", "--all").stdout.startswith("Resumed: all campaigns, paused since ")
    assert program.run(*RVM, "--contacts", contacts, "--json").json["accepted"] == 3


def test_one_campaign_is_paused_by_its_name_and_a_wrong_name_is_met_with_similar_ones(program: Program) -> None:
    ledger = open_ledger(program.ledger_url, may_create=True)
    bind_campaign(ledger, "team@host", name="spring", channel=Channel.RVM, prefix="0123456789ab")
    wrong = program.run("pause", "sprang")
    assert wrong.code == 2
    assert "Similar names: spring." in wrong.stderr

    assert program.run("pause", "spring").stdout.startswith("Paused: spring (rvm, account team@host), since ")
    assert [paused.name for paused in read_pauses(ledger).campaigns] == ["spring"]
    assert program.run("resume", "spring").stdout.startswith("Resumed: spring (rvm, account team@host), paused since ")
    assert read_pauses(ledger).campaigns == []
    ledger.engine.dispose()


def test_pause_takes_a_campaign_or_all(program: Program) -> None:
    for words in ((), ("spring", "--all"), ("--all", "--account", "team@host")):
        ended = program.run("pause", *words)
        assert (ended.code, ended.stdout) == (2, "")
