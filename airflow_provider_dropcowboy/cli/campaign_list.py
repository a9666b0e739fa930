"""``dropcowboy campaigns``: the campaigns of a ledger, the newest first."""

from itertools import islice
from typing import TYPE_CHECKING

import click

from airflow_provider_dropcowboy.cli.options import (
    account_option,
    channel_option,
    json_option,
    optional_conn_option,
    read_instant,
)

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_dropcowboy.reports.status import Listed


@click.command()
@click.argument("search", required=False)
@click.option(
    "--state",
    type=click.Choice(["sending", "waiting", "paused", "stopped", "finished"]),
    help="Only campaigns in this state.  [default: all]",
)
@click.option("--dag", "dag_id", metavar="DAG_ID", help="Only campaigns whose last run was of this DAG.")
@click.option("--since", callback=read_instant, metavar="TIME", help="Only campaigns that ran at this time or later.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="Most campaigns to list.")
@channel_option
@account_option
@optional_conn_option
@json_option
def campaigns(
    *,
    search: str | None,
    state: str | None,
    dag_id: str | None,
    since: "datetime | None",
    limit: int,
    channel: str | None,
    account: str | None,
    conn: str | None,
    as_json: bool,
) -> None:
    """List campaigns, the newest first.

    SEARCH is a part of the name. `dropcowboy report NAME` shows one campaign in full.

    \b
    Examples:
      dropcowboy campaigns
      dropcowboy campaigns reminder --state stopped --since 2026-11-24
    """
    from airflow_provider_dropcowboy.cli.connection import open_ledger_of
    from airflow_provider_dropcowboy.cli.console import print_json, print_table
    from airflow_provider_dropcowboy.reports.status import Phase, read_overview

    found = read_overview(
        open_ledger_of(conn),
        search=search,
        account=account,
        channel=channel,
        dag_id=dag_id,
        since=since,
        phase=None if state is None else Phase(state),
    )
    listed = list(islice(found, limit + 1))
    shown = listed[:limit]
    if as_json:
        print_json([_as_dict(each) for each in shown])
        return
    if not shown:
        click.echo("No campaign matches.")
        return
    print_table(
        ["campaign", "channel", "state", "last run", "sends"],
        [(each.name, each.channel, _state(each), each.last_run_at, _counts(each)) for each in shown],
    )
    if len(listed) > limit:
        click.echo(f"These are the newest {limit}. More: --limit.", err=True)


def _state(campaign: "Listed") -> str:
    status = campaign.status
    if status.phase == "waiting" and status.opens_at is not None:
        return f"waiting until {status.opens_at:%Y-%m-%d %H:%M} UTC"
    return status.phase.value


def _counts(campaign: "Listed") -> str:
    return ", ".join(f"{count:,} {state}" for state, count in campaign.counts.items() if count) or "none"


def _as_dict(campaign: "Listed") -> dict[str, object]:
    return {
        "campaign": campaign.name,
        "channel": campaign.channel,
        "account": campaign.account,
        "state": campaign.status.phase.value,
        "dag_id": campaign.dag_id,
        "last_run_at": campaign.last_run_at,
        "opens_at": campaign.status.opens_at,
        "why": campaign.status.why,
        "sends": {state.value: count for state, count in campaign.counts.items() if count},
    }
