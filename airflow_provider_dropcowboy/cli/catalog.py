"""``dropcowboy brands``, ``recordings``, ``media``, ``pools``: what an account may send with."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, TypeVar

import click

from airflow_provider_dropcowboy.cli.options import conn_option, json_option

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.api.catalog import Brand, Pool, Recording
    from airflow_provider_dropcowboy.api.replies import Call
    from airflow_provider_dropcowboy.api.vendor import Vendor
    from airflow_provider_dropcowboy.cli.console import Cell

    Row = TypeVar("Row", Brand, Pool, Recording)


@click.command()
@conn_option
@json_option
def brands(*, conn: str, as_json: bool) -> None:
    """List the account's brands. Pass one that the API may use as --brand-id."""
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
    """List the account's recordings. Pass one that the API may use as --recording-id."""
    _list_recordings(lambda vendor: vendor.recordings(), conn, as_json=as_json)


@click.command()
@conn_option
@json_option
def media(*, conn: str, as_json: bool) -> None:
    """List the account's media."""
    _list_recordings(lambda vendor: vendor.media(), conn, as_json=as_json)


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
