"""``dropcowboy send``: a file, an answer, and nobody asked twice."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from airflow_provider_dropcowboy.sandbox.catalog import RECORDING_ID
from tests.integration.cli.program import Program
from tests.sandbox_process import SandboxProcess

RVM = ("send", "rvm", "--campaign", "spring", "--key-column", "id", "--recording-id", RECORDING_ID)


def test_a_command_that_runs_twice_asks_nobody_twice(program: Program, contacts: str, sandbox: SandboxProcess) -> None:
    first = program.run(*RVM, "--contacts", contacts)
    again = program.run(*RVM, "--contacts", contacts, "--json")
    assert (first.code, again.code) == (0, 0)
    assert again.json["read"] == 5
    assert (again.json["accepted"], again.json["invalid"], again.json["duplicate"]) == (3, 1, 1)
    assert (again.json["asked"], again.json["already"]) == (0, 3)
    assert sandbox.takes_by_phone() == {"+15045550101": 1, "+15045550102": 1, "+15045550104": 1}


def test_a_source_without_rows_has_its_summary_too(program: Program) -> None:
    program.write("none.csv", "id,phone\n")
    ended = program.run(*RVM, "--contacts", "none.csv", "--json")
    assert (ended.code, ended.json["read"], ended.json["asked"]) == (0, 0, 0)


def test_the_answer_is_a_table_of_eighty_columns_without_colours(program: Program, contacts: str) -> None:
    ended = program.run(*RVM, "--contacts", contacts)
    lines = [line.split() for line in ended.stdout.splitlines()]
    assert ["read", "5"] in lines
    assert ["accepted", "3"] in lines
    assert ["invalid", "1", "phone:", "too", "short", "(1)"] in lines
    assert ["sent", "now", "3"] in lines
    assert max(map(len, ended.stdout.splitlines())) <= 80
    assert "\x1b" not in ended.stdout + ended.stderr


def test_a_terminal_shows_a_bar_of_the_rows_and_the_log_above_it(program: Program, contacts: str) -> None:
    ended = program.run_on_terminal(*RVM, "--contacts", contacts, "--json")
    assert ended.code == 0
    assert ended.json["accepted"] == 3
    assert "0/5" in ended.stderr
    assert "campaign spring: 5 rows read" in ended.stderr


def test_a_pipe_is_read_once_on_a_terminal_too(program: Program) -> None:
    pipe = program.folder / "due.csv"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as writer:
        writer.submit(pipe.write_text, "id,phone\n1,5045550101\n2,5045550102\n")
        ended = program.run_on_terminal(*RVM, "--contacts", pipe.name, "--json")
    assert (ended.code, ended.json["accepted"]) == (0, 2)


def test_a_dry_run_sends_nothing_and_makes_no_ledger(program: Program, contacts: str, sandbox: SandboxProcess) -> None:
    ended = program.run(*RVM, "--contacts", contacts, "--dry-run", "--json")
    assert ended.code == 0
    assert (ended.json["ready"], ended.json["asked"]) == (3, 0)
    assert sandbox.asks() == {}
    assert not (program.folder / "ledger.db").exists()


def test_a_text_goes_only_to_those_who_opted_in(program: Program, contacts: str, sandbox: SandboxProcess) -> None:
    ended = program.run(
        *("send", "sms", "--contacts", contacts, "--campaign", "spring", "--key-column", "id", "--json"),
        *("--caller-id", "+15045550100", "--sms-body", "Hi {first_name}", "--opt-in-column", "consented"),
    )
    assert ended.code == 0
    assert (ended.json["accepted"], ended.json["suppressed"]) == (2, 1)
    texts = {send["first_body"]["sms_body"] for send in sandbox.sends().values()}
    assert texts == {"Hi Annabel", "Hi Desdemona"}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_command_records_what_it_asked_and_the_next_asks_the_rest(
    program: Program, sandbox: SandboxProcess, number: signal.Signals
) -> None:
    numbers = [f"+1504555{last:04}" for last in range(100, 700)]
    contacts = program.write("many.csv", "id,phone\n" + "".join(f"{phone},{phone}\n" for phone in numbers))
    command = (*RVM, "--contacts", contacts, "--concurrency", "4", "--json")
    sandbox.settings(latency_ms=500)
    running = program.start(*command)
    sandbox.wait_for_asks(8)
    interrupted = program.end(running, number)
    assert interrupted.code == 130
    assert f"{number.name} came" in interrupted.stderr
    assert "Traceback" not in interrupted.stderr
    accepted = interrupted.json["accepted"]
    assert 8 <= accepted < 600
    assert "unknown" not in interrupted.json

    sandbox.settings(latency_ms=0)
    rest = program.run(*command)
    assert rest.code == 0
    assert (rest.json["asked"], rest.json["accepted"]) == (600 - accepted, 600)
    assert sandbox.takes_by_phone() == dict.fromkeys(numbers, 1)


def test_neither_secrets_nor_numbers_nor_texts_are_shown(
    program: Program, contacts: str, sandbox: SandboxProcess
) -> None:
    sandbox.faults(
        {"name": "invalid_400", "to": "+15045550101"},
        {"name": "lose_answer", "to": "+15045550104"},
    )
    ended = program.run_alone(
        *("--debug", "send", "sms", "--contacts", contacts, "--campaign", "spring", "--key-column", "id"),
        *("--caller-id", "+15045550100", "--sms-body", "Hi {first_name}", "--opt-in"),
    )
    assert "rejected" in ended.stdout
    assert "unknown" in ended.stdout
    shown = ended.stdout + ended.stderr
    for hidden in (sandbox.secret, "callback-secret-1", "5045550", "555-010", "Annabel", "Desdemona"):
        assert hidden not in shown
