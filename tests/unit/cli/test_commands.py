"""The list of commands and the commands."""

import click
import pytest

from airflow_provider_dropcowboy.cli.main import COMMANDS, program


def commands(group: click.Group) -> list[tuple[str, click.Command]]:
    """Every command, those of groups too, by its whole name."""
    context = click.Context(group)
    found = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        found.append((name, command))
        if isinstance(command, click.Group):
            found += [(f"{name} {inner}", command) for inner, command in commands(command)]
    return found


def test_every_command_that_is_listed_is_there() -> None:
    assert {name for name, _command in commands(program)} >= COMMANDS.keys()


@pytest.mark.parametrize(("name", "command"), commands(program))
def test_every_option_says_what_it_does(name: str, command: click.Command) -> None:
    assert command.help
    for parameter in command.params:
        assert isinstance(parameter, click.Argument) or getattr(parameter, "help", None), (name, parameter.name)


@pytest.mark.parametrize(("name", "command"), commands(program))
def test_a_summary_is_whole_on_a_terminal_of_80_columns(name: str, command: click.Command) -> None:
    summary = command.get_short_help_str(limit=200)
    assert len(summary) < 50
    if name in COMMANDS and command is program.get_command(click.Context(program), name):
        assert summary == COMMANDS[name].help
