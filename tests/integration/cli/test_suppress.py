"""``dropcowboy suppress``, and who is not asked then."""

import pytest

from tests.integration.cli.program import Program
from tests.integration.cli.shell import run
from tests.integration.cli.test_send import RVM
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.usefixtures("in_process")

SEND = (*RVM, "--calling-hours", "off")


def test_a_suppressed_number_is_not_asked_for_until_it_is_removed(
    program: Program, contacts: str, sandbox: SandboxProcess
) -> None:
    assert run("suppress", "add", "504-555-0102", "--reason", "by letter").stdout.endswith(" is suppressed.\n")
    told = run("suppress", "check", "+15045550102").stdout
    assert " by command line, by letter.\n" in told
    assert "5550102" not in told
    assert run(*SEND, "--contacts", contacts, "--json").json["suppressed"] == 1
    assert "+15045550102" not in sandbox.takes_by_phone()

    assert "no longer" in run("suppress", "remove", "5045550102").stdout
    assert "is not suppressed" in run("suppress", "check", "5045550102").stdout
    assert run(*SEND, "--contacts", contacts, "--json").json["asked"] == 1


def test_who_removes_an_opt_out_reads_how_long_the_law_of_the_place_keeps_it(
    in_process: pytest.MonkeyPatch, program: Program
) -> None:
    in_process.setenv("AIRFLOW__DROPCOWBOY__CALLING_HOURS_RULES", program.write("own.toml", 'version = "1"'))
    for number, law in (
        ("8045550100", "US-VA (Va. Code 59.1-514 ff. (SB 1339 of 2025))"),
        ("5045550100", "US (47 CFR"),
    ):
        run("suppress", "add", number)
        ended = run("suppress", "remove", number)
        assert "no longer" in ended.stdout
        assert f"If the person had opted out: {law}" in ended.stderr
    assert run("suppress", "remove", "5045550100").stderr == ""  # it was not there


def test_a_file_is_imported_and_its_unusable_entries_are_counted(program: Program) -> None:
    rows = [f"504555{last:04}" for last in range(100, 200)] * 12
    name = program.write("stop.csv", "mobile\n" + "\n".join(["12345", *rows]) + "\n")
    first, again = run("suppress", "import", name), run("suppress", "import", name, "--phone-column", "mobile")
    assert (first.code, first.stdout) == (1, "100 numbers are suppressed that were not before.\n")
    assert "1 of 1201 entries cannot be read as phone numbers" in first.stderr
    assert "row 1: " in first.stderr
    assert "12345" not in first.stderr
    assert again.stdout == "0 numbers are suppressed that were not before.\n"
    assert run("suppress", "import", name, "--max-unreadable", "0.1%").code == 0
    assert "is suppressed since" in run("suppress", "check", "5045550150").stdout


def test_a_file_without_any_number_is_refused(program: Program) -> None:
    name = program.write("stop.csv", "mobile,why\nn/a,x\n")
    ended = run("suppress", "import", name, "--phone-column", "mobile")
    assert (ended.code, ended.stdout) == (2, "")
    assert "1 of 1 entries cannot be read" in ended.stderr


@pytest.mark.parametrize(
    "command",
    [
        ("suppress", "add", "504-555-0102"),
        ("suppress", "import", "stop.csv"),
        ("suppress", "remove", "504-555-0102"),
        ("ledger", "forget", "--phone", "504-555-0102"),
        ("pause", "--all"),
    ],
)
def test_a_person_may_write_before_the_first_campaign(program: Program, command: tuple[str, ...]) -> None:
    program.write("stop.csv", "phone\n+15045550401\n")
    ended = run(*command)
    assert ended.code == 0
    assert "Set up a new ledger" in ended.stderr
    assert "Set up a new ledger" not in run(*command).stderr


def test_who_only_looks_is_told_how_a_ledger_is_made(program: Program) -> None:
    for command in (("suppress", "check", "504-555-0102"), ("report", "spring"), ("pause", "spring")):
        ended = run(*command)
        assert ended.code == 2
        assert "`dropcowboy ledger upgrade`" in ended.stderr


def test_a_number_that_cannot_be_used_is_not_repeated(program: Program) -> None:
    for words in (("add", "504-555"), ("check", "call me"), ("remove", "12"), ("add", "5045550101", "--region", "XX")):
        ended = run("suppress", *words)
        assert (ended.code, ended.stdout) == (2, "")
        assert words[1] not in ended.stderr
