"""``dropcowboy send`` keeps calling hours, caps and limits, and shows what it says of each row."""

import json
from pathlib import Path

from airflow_provider_dropcowboy.sandbox.catalog import RECORDING_ID
from tests.integration.cli.program import Program
from tests.sandbox_process import SandboxProcess

RVM = ("send", "rvm", "--key-column", "id", "--recording-id", RECORDING_ID)
BANNED = '\n[[rule]]\nregion = ["US-LA"]\nban = "prerecorded"\ncite = "none"\nsource = "tests"\nconfidence = "S"\n'
RULES = Path(__file__).parents[2] / "data" / "always_open.toml"


def test_a_dry_run_writes_each_row_with_its_verdict_into_the_file_that_was_named(
    program: Program, contacts: str, sandbox: SandboxProcess
) -> None:
    ended = program.run(
        *(*RVM, "--contacts", contacts, "--campaign", "spring", "--dry-run", "--json"),
        *("--limit", "2", "--rows-output", "rows.jsonl"),
    )
    assert ended.code == 0
    assert "+1504" not in ended.stdout + ended.stderr
    file = program.folder / "rows.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    assert len(rows) == ended.json["read"] == 5
    assert {(row["contact_key"], row["phone_number"], row["state"], row["reason"]) for row in rows} == {
        ("1", "+15045550101", "ready", None),
        ("2", "+15045550102", "ready", None),
        ("4", "+15045550104", "held", "over the campaign's limit of 2"),
        ("3", None, "invalid", "phone: too short"),
        ("1", None, "duplicate", "the same key came before"),
    }
    assert {(row["campaign"], row["channel"]) for row in rows} == {("spring", "rvm")}
    assert "calling hours" in next(row["rule"] for row in rows if row["state"] == "ready")
    assert file.stat().st_mode & 0o077 == 0
    assert sandbox.asks() == {}


def test_a_file_of_rows_belongs_to_a_dry_run(program: Program, contacts: str) -> None:
    ended = program.run(*RVM, "--contacts", contacts, "--campaign", "spring", "--rows-output", "rows.jsonl")
    assert ended.code != 0
    assert "--rows-output belongs to --dry-run" in ended.stderr
    assert not (program.folder / "rows.jsonl").exists()


def test_a_limit_and_a_budget_hold_over_all_commands_of_a_campaign(
    program: Program, contacts: str, sandbox: SandboxProcess
) -> None:
    program.connection["extra"]["price_rvm_usd"] = 0.01
    line = (*RVM, "--contacts", contacts, "--campaign", "spring", "--json")
    assert program.run(*line, "--limit", "1").json["asked"] == 1
    assert program.run(*line, "--limit", "1").json["asked"] == 0
    assert program.run(*line, "--budget-usd", "0.02").json["asked"] == 1
    assert sandbox.takes()["takes"] == 2


def test_a_number_that_was_called_often_enough_is_not_called_for_another_campaign(
    program: Program, contacts: str
) -> None:
    line = (*RVM, "--contacts", contacts, "--max-attempts", "1", "--repeat-window", "off", "--json", "--campaign")
    assert program.run(*line, "spring").json["asked"] == 3
    assert program.run(*line, "summer", "--dry-run").json["capped"] == 3
    assert program.run(*line, "summer").json["capped"] == 3
    assert program.run(*line, "summer", "--no-cap").json["asked"] == 3


def test_the_same_content_does_not_go_to_a_number_under_another_campaign(program: Program, contacts: str) -> None:
    line = (*RVM, "--contacts", contacts, "--json", "--campaign")
    assert program.run(*line, "spring").json["asked"] == 3
    assert program.run(*line, "spring, typed wrongly").json["capped"] == 3


def test_a_suppression_list_that_holds_no_number_somewhere_stops_the_command_unless_it_may(
    program: Program, contacts: str, sandbox: SandboxProcess
) -> None:
    opted_out = program.write("opted_out.csv", "id,number\n7,504.555.0101\n8,n/a\n")
    line = (*RVM, "--contacts", contacts, "--campaign", "spring", "--suppression", opted_out, "--json")
    refused = program.run(*line)
    assert refused.code == 2
    assert "1 of 2 entries cannot be read" in refused.stderr
    assert sandbox.asks() == {}
    allowed = program.run(*line, "--suppression-column", "number", "--max-unreadable-suppressions", "1")
    assert (allowed.json["suppressed"], allowed.json["unreadable_suppressions"]) == (1, 1)
    assert "1 of 2 entries cannot be read" in allowed.stderr
    assert sandbox.takes_by_phone() == {"+15045550102": 1, "+15045550104": 1}
    assert "1 entries could not be read" in program.run("report", "spring").stdout


def test_a_command_that_is_refused_too_often_stops(program: Program, sandbox: SandboxProcess) -> None:
    numbers = [f"+1504555{last:04}" for last in range(100, 700)]
    contacts = program.write("many.csv", "id,phone\n" + "".join(f"{phone},{phone}\n" for phone in numbers))
    sandbox.fault("invalid_400", share=0.5)
    ended = program.run(*RVM, "--contacts", contacts, "--campaign", "spring", "--concurrency", "5")
    assert ended.code == 1
    assert "the task allows 20.0%" in ended.stderr
    assert sandbox.takes()["asks"] < 150


def test_a_dry_run_foresees_cost_times_and_places(program: Program, contacts: str) -> None:
    line = (*RVM, "--contacts", contacts, "--campaign", "spring", "--dry-run", "--concurrency", "5")
    unpriced = program.run(*line)
    assert "would send  3" in unpriced.stdout
    assert "not known: the connection has no price_rvm_usd" in unpriced.stdout
    assert "US-LA" in unpriced.stdout
    assert "10 requests a second, 0.5 s each" in unpriced.stdout
    program.connection["extra"]["price_rvm_usd"] = 0.01
    forecast = program.run(*line, "--json", "--rate-per-s", "2").json["forecast"]
    assert (forecast["sends"], forecast["cost_usd"], forecast["rate_per_s"]) == (3, 0.03, 2.0)
    assert forecast["states"] == {"US-LA": {"ready": 3}}
    assert forecast["zones"] == {"America/Chicago": {"ready": 3}}
    assert forecast["begins_at"] < forecast["ends_at"]


def test_calling_hours_and_the_bans_of_states_hold_unless_switched_off(program: Program, contacts: str) -> None:
    rules = program.write("rules.toml", RULES.read_text().replace('"tests"', '"banned"', 1) + BANNED)
    program.environment["AIRFLOW__DROPCOWBOY__CALLING_HOURS_RULES"] = str(program.folder / rules)
    line = (*RVM, "--contacts", contacts, "--campaign", "spring", "--dry-run", "--json")
    assert program.run(*line).json["suppressed"] == 3
    assert program.run(*line, "--message-kind", "informational").json["ready"] == 3
    assert program.run(*line, "--calling-hours", "off").json["ready"] == 3


def test_a_sales_voicemail_needs_the_consent_that_the_law_of_its_place_wants(program: Program) -> None:
    name = program.write(
        "asked.csv", "id,phone,agreed\n1,5045550101,express\n2,5045550102,relationship\n3,5045550103,\n"
    )
    rule = BANNED.replace('ban = "prerecorded"', 'consent = ["express"]')
    rules = program.write("rules.toml", RULES.read_text().replace('"tests"', '"consent"', 1) + rule)
    program.environment["AIRFLOW__DROPCOWBOY__CALLING_HOURS_RULES"] = str(program.folder / rules)
    line = (*RVM, "--contacts", name, "--campaign", "spring", "--dry-run", "--json")
    without = program.run(*line)
    assert without.json["suppressed"] == 3
    assert "no consent: 3 people were not called" in without.stderr
    agreed = program.run(*line, "--consent-column", "agreed").json
    assert (agreed["ready"], agreed["suppressed"]) == (1, 2)
    assert program.run(*line, "--message-kind", "informational").json["ready"] == 3
