"""The program itself: help, version, completion."""

import subprocess
import sys
from importlib.metadata import version

from tests.integration.cli.program import Program


def test_help_and_version_are_there_before_airflow_is_loaded(program: Program) -> None:
    for words in (("--help",), ("-h",), ("send", "rvm", "-h"), ("doctor", "-h"), ("ledger", "info", "-h")):
        ended = program.run_alone(*words)
        assert ended.code == 0
        assert ended.stdout.startswith("Usage: dropcowboy")
        assert max(map(len, ended.stdout.splitlines())) <= 80
    assert program.run_alone("--version").stdout == f"dropcowboy {version('airflow-provider-dropcowboy')}\n"
    look = (
        "import sys; from airflow_provider_dropcowboy.cli.main import program\n"
        "for words in (['-h'], ['send', 'sms', '-h'], ['report', '-h'], ['campaigns', '-h'], ['doctor', '-h']):\n"
        "    program.main(words, standalone_mode=False)\n"
        "heavy = {'airflow', 'sqlalchemy', 'alembic', 'aiohttp', 'requests', 'pandas', 'pendulum', 'rich'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    looked = subprocess.run([sys.executable, "-c", look], capture_output=True, text=True, timeout=60, check=True)
    assert looked.stdout.splitlines()[-1] == "[]"


def test_a_shell_completes_commands_and_options(program: Program) -> None:
    for typed, wanted in (
        ("dropcowboy re", {"recordings", "resume"}),
        ("dropcowboy send rvm --audio", {"--audio-url"}),
    ):
        program.environment = {
            "_DROPCOWBOY_COMPLETE": "bash_complete",
            "COMP_WORDS": typed,
            "COMP_CWORD": str(len(typed.split()) - 1),
        }
        offered = {line.partition(",")[2] for line in program.run_alone().stdout.splitlines()}
        assert wanted <= offered


def test_the_sandbox_is_one_of_its_commands(program: Program) -> None:
    ended = program.run_alone("sandbox", "--help")
    assert ended.code == 0
    assert "--team-id" in ended.stdout
