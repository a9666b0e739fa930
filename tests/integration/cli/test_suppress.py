"""``dropcowboy suppress``, and who is not asked then."""

import pytest

from tests.integration.cli.program import Program
from tests.integration.cli.shell import ledger_of, run
from tests.integration.cli.test_send import RVM
from tests.sandbox_process import SandboxProcess

pytestmark = pytest.mark.usefixtures("in_process")

SEND = (*RVM, "--calling-hours", "off")


def test_a_suppressed_number_is_not_asked_for_until_it_is_removed(
    program: Program, contacts: str, sandbox: SandboxProcess
) -> None:
    with ledger_of(program):
        pass
    assert run("suppress", "add", "504-555-0102", "--reason", "by letter").stdout.endswith(" is suppressed.\n")
    told = run("suppress", "check", "+15045550102").stdout
    assert " by command line, by letter.\n" in told
    assert "5550102" not in told
    assert run(*SEND, "--contacts", contacts, "--json").json["suppressed"] == 1
    assert "+15045550102" not in sandbox.takes_by_phone()

    assert "no longer" in run("suppress", "remove", "5045550102").stdout
    assert "is not suppressed" in run("suppress", "check", "5045550102").stdout
    assert run(*SEND, "--contacts", contacts, "--json").json["asked"] == 1


def test_a_file_is_imported_and_its_unusable_rows_are_counted(program: Program) -> None:
    with ledger_of(program):
        pass
    rows = [f"504555{last:04}" for last in range(100, 200)] * 12
    name = program.write("stop.csv", "mobile\n" + "\n".join(["12345", *rows]) + "\n")
    command = ("suppress", "import", name, "--phone-column", "mobile")
    first, again = run(*command), run(*command)
    assert (first.code, first.stdout) == (1, "100 numbers are suppressed that were not before.\n")
    assert "1 rows have no usable number: row 1: " in first.stderr
    assert "12345" not in first.stderr
    assert again.stdout == "0 numbers are suppressed that were not before.\n"
    assert "is suppressed since" in run("suppress", "check", "5045550150").stdout


def test_a_number_that_cannot_be_used_is_not_repeated(program: Program) -> None:
    for words in (("add", "504-555"), ("check", "call me"), ("remove", "12"), ("add", "5045550101", "--region", "XX")):
        ended = run("suppress", *words)
        assert (ended.code, ended.stdout) == (2, "")
        assert words[1] not in ended.stderr
