"""``docs/reference/command-line.md``, drawn from the program.

``python -m tests.unit.docs.command_line > docs/reference/command-line.md`` writes it.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click

from airflow_provider_dropcowboy.cli.main import program

PAGE: Final = Path(__file__).parents[3] / "docs" / "reference" / "command-line.md"
WIDTH: Final = 100


def page() -> str:
    """What ``--help`` says of every command."""
    settings = program.context_settings  # which click itself would hand on
    context = click.Context(program, info_name="dropcowboy", terminal_width=WIDTH, max_content_width=WIDTH, **settings)
    return "\n".join(["# Command line", *sections(context)])


def sections(context: click.Context) -> Iterator[str]:
    """That of a command, and of those within it."""
    depth = context.command_path.count(" ")
    if depth:
        yield f"\n{'#' * (depth + 1)} {context.command_path}"
    # wrapped lines may end in blanks
    told = "\n".join(line.rstrip() for line in context.command.get_help(context).splitlines())
    yield f"\n```text\n{told}\n```"
    if isinstance(context.command, click.Group):
        for name in context.command.list_commands(context):
            command = context.command.get_command(context, name)
            assert command is not None
            yield from sections(click.Context(command, parent=context, info_name=name))


if __name__ == "__main__":
    click.echo(page())
