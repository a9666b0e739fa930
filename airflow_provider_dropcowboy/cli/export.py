"""``dropcowboy export``: each send of a campaign with what became of it, as a file."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from airflow_provider_dropcowboy.cli.campaigns import names_campaign

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from airflow_provider_dropcowboy.reports.deliveries import Delivery


@click.command()
@click.argument("campaign")
@click.option(
    "--output",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Named *.jsonl, *.csv or *.parquet. A file that is there is replaced once the new one is complete.",
)
@names_campaign
def export(*, campaign: str, output: Path, account: str | None, channel: str | None, conn: str | None) -> None:
    """Write each send of a campaign with its state, reason, instants and cost. Keys and numbers are in the file.

    \b
    Example:
      dropcowboy export spring --output spring.parquet
    """
    from itertools import chain

    from airflow_provider_dropcowboy.cli.campaigns import open_campaigns
    from airflow_provider_dropcowboy.reports.deliveries import read_campaign
    from airflow_provider_dropcowboy.reports.files import writer_for

    write = writer_for(output.name)
    ledger, campaigns = open_campaigns(campaign, account=account, channel=channel, conn=conn)
    counted = _Counted(chain.from_iterable(read_campaign(ledger, each) for each in campaigns))
    unfinished = output.with_name(f".{output.name}.unfinished")
    try:
        unfinished.unlink(missing_ok=True)  # of an export that was killed; this one is for its owner only
        with os.fdopen(os.open(unfinished, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "wb") as file:
            write(counted, file)
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)
    click.echo(f"{counted.count} sends of campaign {campaign} are in {output}.")


class _Counted:
    """Deliveries, counted as they are read."""

    def __init__(self, deliveries: "Iterable[Delivery]") -> None:
        self.count = 0
        self._deliveries = deliveries

    def __iter__(self) -> "Iterator[Delivery]":
        for delivery in self._deliveries:
            self.count += 1
            yield delivery
