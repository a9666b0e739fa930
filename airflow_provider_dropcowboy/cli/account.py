"""``dropcowboy brands``, ``recordings``, ``media``, ``pools``, ``doctor``: what an account has, and if it can send."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from airflow_provider_dropcowboy.cli import console, options

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.api.vendor import Vendor
    from airflow_provider_dropcowboy.api.wire import Call

_RECORDING: Final = {"recording_id": "media_id", "name": "name", "created": "created_at", "api": "api_allowed"}
_BRAND: Final = {
    "brand_id": "brand_id",
    "company": "company_name",
    "dba": "dba_name",
    "registered": "registered",
    "api": "api_allowed",
}
_POOL: Final = {
    "pool_id": "pool_id",
    "name": "name",
    "service": "service_type",
    "numbers": "number_count",
    "brand_id": "brand_id",
}
_COLORS: Final = {"ok": "green", "WARN": "yellow", "FIX": "red"}


@click.command()
@options.conn
@options.as_json
def brands(*, conn: str, as_json: bool) -> None:
    """List the account's brands. Pass a usable one as --brand-id."""
    _list(lambda vendor: vendor.brands(), _BRAND, conn, as_json=as_json)


@click.command()
@options.conn
@options.as_json
def recordings(*, conn: str, as_json: bool) -> None:
    """List the account's recordings. Pass a usable one as --recording-id."""
    _list(lambda vendor: vendor.recordings(), _RECORDING, conn, as_json=as_json)


@click.group(invoke_without_command=True)
@options.conn
@options.as_json
@click.pass_context
def media(ctx: click.Context, /, *, conn: str, as_json: bool) -> None:
    """List the account's media, or upload a file."""
    if ctx.invoked_subcommand is None:
        _list(lambda vendor: vendor.media(), _RECORDING, conn, as_json=as_json)
    else:  # the connection may be named before the subcommand
        ctx.default_map = {ctx.invoked_subcommand: {"conn": conn}}


@media.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Its name at Drop Cowboy.  [default: that of the file]")
@options.conn
def upload(*, file: Path, name: str | None, conn: str) -> None:
    """Upload an mp3 or wav file. Pass the printed ID as --recording-id.

    API v2 only. Each upload makes another file.
    """
    from airflow_provider_dropcowboy.api.versions import vendor_of
    from airflow_provider_dropcowboy.cli import connection
    from airflow_provider_dropcowboy.errors import ConfigurationError
    from airflow_provider_dropcowboy.transport.calls import upload_media

    settings = connection.load_settings(conn)
    if vendor_of(settings.account).routes is None:
        raise ConfigurationError(
            "API v1 has no uploads. Nothing was uploaded. Upload the file in the dashboard of Drop Cowboy; "
            "`dropcowboy recordings` then lists its ID. Or use a connection of API v2."
        )
    with connection.client_of(settings) as client:
        click.echo(upload_media(client, file, name=name))


@click.command()
@options.conn
@options.as_json
def pools(*, conn: str, as_json: bool) -> None:
    """List the account's number pools. Pass one as --pool-id."""
    _list(lambda vendor: vendor.pools(), _POOL, conn, as_json=as_json)


@click.command()
@options.conn
def doctor(*, conn: str) -> None:
    """Check everything that a first send needs.

    Connection, API, clocks, ledger, receiver, calling hours and versions. Nothing is sent, and no ledger is created.

    One line a check: "ok", "WARN", or "FIX" with what to do. Exit code 1 if there is something to fix.
    """
    from airflow_provider_dropcowboy.cli.checks import FIX, examine  # help must be quick

    marks = set()
    for finding in examine(conn):
        mark = click.style(f"{finding.mark:4}", fg=_COLORS[finding.mark], bold=finding.mark == FIX)
        click.echo(f"{mark} {finding.about}: {finding.text}")
        marks.add(finding.mark)
    if FIX in marks:
        raise click.exceptions.Exit(1)


def _list(call: "Callable[[Vendor], Call[Any]]", columns: Mapping[str, str], conn: str, *, as_json: bool) -> None:
    """Print what the vendor lists.

    :param columns: by heading, the fields to show in a table; JSON has them all.
    """
    from airflow_provider_dropcowboy.api.versions import vendor_of
    from airflow_provider_dropcowboy.cli import connection

    settings = connection.load_settings(conn)
    rows = [asdict(row) for row in connection.fetch(settings, call(vendor_of(settings.account)))]
    if as_json:
        console.print_json(rows)
    else:
        console.print_table(list(columns), [[row[field] for field in columns.values()] for row in rows])
