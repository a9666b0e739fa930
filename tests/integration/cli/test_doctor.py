"""``dropcowboy doctor``."""

import json
from datetime import timedelta

import pytest

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.cli.checks import (
    FIX,
    OK,
    WARN,
    Finding,
    compare_clocks,
    examine,
    look_at_rules,
    look_at_triggerer,
)
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.ledger.campaigns import bind_campaign
from airflow_provider_dropcowboy.ledger.database import HEAD, open_ledger, upgrade_ledger
from airflow_provider_dropcowboy.screening.rule_files import load_rulebook
from tests.integration.cli.program import Program
from tests.sandbox_process import SandboxProcess


def test_all_is_well_before_the_first_send_and_no_ledger_is_made(program: Program) -> None:
    ended = program.run("doctor")
    assert (ended.code, ended.stderr) == (0, "")
    # the rules of calling hours grow old while this test does not
    marks = {
        line.split(":")[0].split()[1]: line.split()[0] for line in ended.stdout.splitlines() if "rules" not in line
    }
    assert {name for name, mark in marks.items() if mark != "ok"} == {"receiver", "prices", "triggerer"}
    assert set(marks.values()) == {"ok", "WARN"}
    assert "the first send sets it up" in ended.stdout
    assert not (program.folder / "ledger.db").exists()


def test_what_doctor_finds_ends_with_1_and_shows_no_secret(program: Program) -> None:
    ended = program.run_alone("doctor", connection={"password": "not-the-secret"})
    assert ended.code == 1
    assert "refuses the connection (HTTP 401" in ended.stdout
    assert "not-the-secret" not in ended.stdout + ended.stderr


def test_every_part_of_a_healthy_set_up_is_told(in_process: pytest.MonkeyPatch, program: Program) -> None:
    upgrade_ledger(program.ledger_url)
    findings = list(examine("dropcowboy_default"))
    assert FIX not in {finding.mark for finding in findings}
    told = " ".join(finding.text for finding in findings)
    for words in (
        "accepts the credentials",
        "1 of 2 brands may be used through the API, default_brand_id among them",
        "default_pool_id is a pool of the account",
        "the API's differ by",
        "the ledger's differ by",
        f"with schema {HEAD}",
        "a transaction like a claim takes",
        "no callback_url: results of messages that are sent now will never be known",
        "apache-airflow",
        "the rules 2026.11.28+tests were checked",
        "calling hours use 20",
    ):
        assert words in told


@pytest.mark.parametrize(
    ("connection", "executor", "found"),
    [
        ({"password": ""}, "LocalExecutor", "connection: The Drop Cowboy connection lacks its team id"),
        ({"extra": {"default_brand_id": "none"}}, "LocalExecutor", "default_brand_id is not a brand of the account"),
        ({"extra": {"default_pool_id": "none"}}, "LocalExecutor", "default_pool_id is not a pool of the account"),
        ({"extra": {"ledger_conn_id": "gone"}}, "LocalExecutor", "no connection of the name in ledger_conn_id"),
        ({}, "CeleryExecutor", "CeleryExecutor may run a task on another one"),
        ({"ledger": "sqlite:////dev/null/ledger.db"}, "LocalExecutor", "cannot be written: /dev/null: Not a directory"),
        ({"ledger": "mysql://localhost/ledger"}, "LocalExecutor", "The ledger cannot live on mysql"),
    ],
)
def test_what_is_wrong_is_said_with_what_to_do(
    in_process: pytest.MonkeyPatch, program: Program, connection: dict[str, object], executor: str, found: str
) -> None:
    if (ledger := connection.pop("ledger", None)) is not None:
        in_process.setenv("DROPCOWBOY_LEDGER_URL", str(ledger))
    in_process.setenv("AIRFLOW_CONN_DROPCOWBOY_DEFAULT", json.dumps({**program.connection, **connection}))
    in_process.setenv("AIRFLOW__CORE__EXECUTOR", executor)
    assert found in wrong()


@pytest.mark.parametrize("account", [None, "gateway.example", "{team}@typed.example"])
def test_a_team_that_the_ledger_knows_under_another_name_is_found_with_what_to_set(
    in_process: pytest.MonkeyPatch, program: Program, sandbox: SandboxProcess, account: str | None
) -> None:
    """A sandbox beside production is no move, so that the API is not reached here."""
    upgrade_ledger(program.ledger_url)
    ledger = open_ledger(program.ledger_url)
    before = f"{sandbox.team_id}@old.example"
    for prefix, name in (("a" * 12, before), ("b" * 12, f"{sandbox.team_id}@127.0.0.1:1")):
        bind_campaign(ledger, name, name="spring", channel=Channel.RVM, prefix=prefix)
    ledger.engine.dispose()
    extra = {} if account is None else {"account": account.format(team=sandbox.team_id)}
    moved = {**program.connection, "host": "http://new.invalid", "extra": extra}
    in_process.setenv("AIRFLOW_CONN_DROPCOWBOY_DEFAULT", json.dumps(moved))
    (found,) = (finding for finding in examine("dropcowboy_default") if finding.about == "account")
    assert found.mark == FIX
    assert f'{{"account": "{before}"}}' in found.text
    assert "127.0.0.1:1" not in found.text
    in_process.setenv(
        "AIRFLOW_CONN_DROPCOWBOY_DEFAULT",
        json.dumps({**moved, "extra": {"account": f"{sandbox.team_id}@OLD.example:443"}}),
    )
    assert {finding.mark for finding in examine("dropcowboy_default") if finding.about == "account"} == {OK}


def test_an_api_that_answers_503_is_found(in_process: pytest.MonkeyPatch, sandbox: SandboxProcess) -> None:
    sandbox.fault("503_before", route="any")
    assert "API: GET /brand failed: HTTP 503" in wrong()


@pytest.mark.parametrize("sign", [1, -1])
def test_clocks_that_differ_by_more_than_half_a_minute_are_found(sign: int) -> None:
    assert compare_clocks("the API's", sign * timedelta(seconds=30)).mark == OK
    found = compare_clocks("the API's", sign * timedelta(seconds=31))
    assert found.mark == FIX
    assert "differ by 31 s" in found.text


def test_rules_older_than_90_days_are_warned_of_and_are_no_fault() -> None:
    book = load_rulebook()
    assert book.as_of is not None
    assert look_at_rules(book, today=book.as_of + timedelta(days=90)).mark == OK
    found = look_at_rules(book, today=book.as_of + timedelta(days=91))
    assert found.mark == WARN
    assert "were checked 91 days ago" in found.text
    assert "`dropcowboy rules stale` says more" in found.text
    assert look_at_rules(book, today=book.holidays_until - timedelta(days=89)).mark == WARN


@pytest.mark.parametrize("age_s", [None, 61, 59])
def test_a_triggerer_that_is_not_alive_is_warned_of(age_s: int | None) -> None:
    found = look_at_triggerer(None if age_s is None else utcnow() - timedelta(seconds=age_s))
    assert found.mark is (OK if age_s == 59 else WARN)


def wrong() -> str:
    """The one thing that is wrong, with versions told all the same."""
    findings = list(examine("dropcowboy_default"))
    assert findings[-1].about == "versions"
    (finding,) = [finding for finding in findings if finding.mark == FIX]
    assert isinstance(finding, Finding)
    return f"{finding.about}: {finding.text}"
