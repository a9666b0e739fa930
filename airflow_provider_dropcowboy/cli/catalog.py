"""``dropcowboy brands``, ``recordings``, ``media``, ``pools``: what an account may send with, and uploads."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from airflow_provider_dropcowboy.cli.options import conn_option, json_option

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.api.account import Brand, Pool, Recording
    from airflow_provider_dropcowboy.api.vendor import Vendor
    from airflow_provider_dropcowboy.api.wire import Call
    from airflow_provider_dropcowboy.cli.console import Cell

    Row = TypeVar("Row", Brand, Pool, Recording)


@click.command()
@conn_option
@json_option
def brands(*, conn: str, as_json: bool) -> None:
    """List the account's brands. Pass a usable one as --brand-id."""
    _list(
        lambda vendor: vendor.brands(),
        conn,
        as_json=as_json,
        columns=["brand_id", "company", "dba", "registered", "api"],
        cells=lambda brand: [
            brand.brand_id, brand.company_name, brand.dba_name, brand.registered, brand.api_allowed,
        ],
    )  # fmt: skip


@click.command()
@conn_option
@json_option
def recordings(*, conn: str, as_json: bool) -> None:
    """List the account's recordings. Pass a usable one as --recording-id."""
    _list_recordings(lambda vendor: vendor.recordings(), conn, as_json=as_json)


@click.group(invoke_without_command=True)
@conn_option
@json_option
@click.pass_context
def media(ctx: click.Context, /, *, conn: str, as_json: bool) -> None:
    """List the account's media, or upload a file."""
    if ctx.invoked_subcommand is None:
        _list_recordings(lambda vendor: vendor.media(), conn, as_json=as_json)
    else:  # the connection may be named before the subcommand
        ctx.default_map = {ctx.invoked_subcommand: {"conn": conn}}


@media.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="Its name at Drop Cowboy.  [default: that of the file]")
@conn_option
def upload(*, file: Path, name: str | None, conn: str) -> None:
    """Upload an mp3 or wav file. Pass the printed ID as --recording-id.

    API v2 only. Each upload makes another file.
    """
    from airflow_provider_dropcowboy.api.versions import vendor_of
    from airflow_provider_dropcowboy.cli.connection import load_settings
    from airflow_provider_dropcowboy.errors import ConfigurationError
    from airflow_provider_dropcowboy.transport.calls import upload_media
    from airflow_provider_dropcowboy.transport.client import Client

    settings = load_settings(conn)
    if vendor_of(settings.account).routes is None:
        raise ConfigurationError(
            "API v1 has no uploads. Nothing was uploaded. Upload the file in the dashboard of Drop Cowboy; "
            "`dropcowboy recordings` then lists its ID. Or use a connection of API v2."
        )
    with Client(settings.account, timeout_s=settings.timeout_s, verify=settings.verify) as client:
        click.echo(upload_media(client, file, name=name))


@click.command()
@conn_option
@json_option
def pools(*, conn: str, as_json: bool) -> None:
    """List the account's number pools. Pass one as --pool-id."""
    _list(
        lambda vendor: vendor.pools(),
        conn,
        as_json=as_json,
        columns=["pool_id", "name", "service", "numbers", "brand_id"],
        cells=lambda pool: [pool.pool_id, pool.name, pool.service_type, pool.number_count, pool.brand_id],
    )


def _list_recordings(call: "Callable[[Vendor], Call[tuple[Recording, ...]]]", conn: str, *, as_json: bool) -> None:
    _list(
        call,
        conn,
        as_json=as_json,
        columns=["recording_id", "name", "created", "api"],
        cells=lambda recording: [
            recording.media_id, recording.name, recording.created_at, recording.api_allowed,
        ],
    )  # fmt: skip


def _list(
    call: "Callable[[Vendor], Call[tuple[Row, ...]]]",
    conn: str,
    *,
    as_json: bool,
    columns: Sequence[str],
    cells: "Callable[[Row], Sequence[Cell]]",
) -> None:
    from airflow_provider_dropcowboy.api.versions import vendor_of
    from airflow_provider_dropcowboy.cli.connection import fetch, load_settings
    from airflow_provider_dropcowboy.cli.console import print_json, print_table

    settings = load_settings(conn)
    rows = fetch(settings, call(vendor_of(settings.account)))
    if as_json:
        print_json([asdict(row) for row in rows])
    else:
        print_table(columns, map(cells, rows))
