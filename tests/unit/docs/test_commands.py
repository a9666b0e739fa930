"""Every command in the documentation is one that the program knows."""

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import click
import pytest

from airflow_provider_dropcowboy.cli.main import program
from tests.unit.docs import command_line
from tests.unit.docs.examples import Example, examples, mentions

BLOCKS = [example for example in examples() if list(example.commands())]


@pytest.mark.parametrize("example", BLOCKS, ids=lambda example: example.place)
def test_a_command_of_an_example_is_taken(example: Example, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for words in example.commands():
        for name in (word for word in words if Path(word).suffix in {".csv", ".jsonl", ".parquet"}):
            Path(name).touch()
        command, rest = find(words)
        command.make_context(command.name, rest, parent=click.Context(program, **program.context_settings))


@pytest.mark.parametrize(("page", "written"), mentions(), ids=lambda value: value)
def test_a_command_that_is_named_is_there_and_has_its_options(page: str, written: str) -> None:
    alternatives = re.sub(r"[\[\]]", " ", written).split()[1:]
    # such as `dropcowboy unknown list|settle CAMPAIGN`
    for number in range(max(word.count("|") for word in alternatives) + 1):
        words = [word.split("|")[min(number, word.count("|"))] for word in alternatives]
        command, rest = find(words)
        assert {word for word in rest if word.startswith("--")} <= options(command) | {"--help", "--version"}, page


def test_the_reference_is_what_the_program_says() -> None:
    # in a process of its own: click keeps with a command how it was asked for help first, in whatever test
    program = [sys.executable, "-m", "tests.unit.docs.command_line"]
    drawn = subprocess.run(program, capture_output=True, check=True).stdout.decode()
    written = command_line.PAGE.read_text(encoding="utf-8")
    assert written == drawn, f"run `python -m tests.unit.docs.command_line > {command_line.PAGE.name}`"


def find(words: Sequence[str]) -> tuple[click.Command, list[str]]:
    """The command, down to the last that is named, and what is said to it."""
    command: click.Command = program
    rest = list(words)
    while isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
        found = command.get_command(click.Context(command), rest[0])
        assert found is not None, f"no command {rest[0]}"
        command = found
        rest.pop(0)
    return command, rest


def options(command: click.Command) -> set[str]:
    """Of a command, or of all within a group."""
    if isinstance(command, click.Group):
        context = click.Context(command)
        within = (command.get_command(context, name) for name in command.list_commands(context))
        return {option for found in within if found for option in options(found)}
    return {name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)}
