"""The command ``dropcowboy doctor``. Its checks are loaded when they run: help must be quick."""

from typing import Final

import click

from airflow_provider_dropcowboy.cli import options
from airflow_provider_dropcowboy.cli.findings import FIX, OK, WARN

COLORS: Final = {OK: "green", WARN: "yellow", FIX: "red"}


@click.command()
@options.conn
def doctor(*, conn: str) -> None:
    """Check everything that a first send needs.

    Connection, API, clocks, ledger, receiver, calling hours and versions. Nothing is sent, and no ledger is created.

    One line a check: "ok", "WARN", or "FIX" with what to do. Exit code 1 if there is something to fix.
    """
    from airflow_provider_dropcowboy.cli.checks import examine

    marks = set()
    for finding in examine(conn):
        mark = click.style(f"{finding.mark:4}", fg=COLORS[finding.mark], bold=finding.mark is FIX)
        click.echo(f"{mark} {finding.about}: {finding.text}")
        marks.add(finding.mark)
    if FIX in marks:
        raise click.exceptions.Exit(1)
