"""``dropcowboy doctor``: everything a first send needs, checked without sending."""

from typing import TYPE_CHECKING

import click

from airflow_provider_dropcowboy.cli.options import conn_option

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.cli.surroundings import Finding


@click.command()
@conn_option
@click.pass_context
def doctor(ctx: click.Context, /, *, conn: str) -> None:
    """Check everything that a first send needs.

    Connection, API, clocks, ledger, receiver, calling hours and versions. Nothing is sent, and no ledger is created.

    One line a check: "ok", "WARN", or "FIX" with what to do. Exit code 1 if there is something to fix.
    """
    from airflow_provider_dropcowboy.cli.checks import examine

    is_well = True
    for finding in examine(conn):
        is_well &= finding.is_ok
        _show(finding)
    if not is_well:
        ctx.exit(1)


def _show(finding: "Finding") -> None:
    if finding.is_warning:
        mark = click.style("WARN", fg="yellow")
    else:
        mark = click.style("ok  ", fg="green") if finding.is_ok else click.style("FIX ", fg="red", bold=True)
    click.echo(f"{mark} {finding.about}: {finding.text}")
