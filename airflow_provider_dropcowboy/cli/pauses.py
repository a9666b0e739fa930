"""``dropcowboy pause`` and ``dropcowboy resume``: for the moment in which sending must stop."""

import shlex
from typing import TYPE_CHECKING

import click

from airflow_provider_dropcowboy.cli.options import optional_conn_option

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_dropcowboy.ledger.database import Ledger
    from airflow_provider_dropcowboy.ledger.pauses import Pausable

_campaign = click.argument("campaign", required=False)
_account = click.option("--account", metavar="TEAM@HOST", help="If several accounts have a campaign of that name.")


@click.command()
@_campaign
@click.option("--all", "is_all", is_flag=True, help="Every campaign of every account.")
@_account
@optional_conn_option
def pause(*, campaign: str | None, is_all: bool, account: str | None, conn: str | None) -> None:
    """Stop sending: nobody else is asked for until `dropcowboy resume`.

    Runs under way stop within seconds and fail; what they asked is recorded.

    \b
    Examples:
      dropcowboy pause spring
      dropcowboy pause --all
    """
    from airflow_provider_dropcowboy.cli.console import instant
    from airflow_provider_dropcowboy.ledger.pauses import pause_all, pause_campaign

    ledger = _open(campaign, is_all, account=account, conn=conn)
    if campaign is None:
        click.echo(f"Paused: all campaigns, since {instant(pause_all(ledger))}. `dropcowboy resume --all` ends it.")
        return
    for paused in pause_campaign(ledger, campaign, account=account):
        assert paused.paused_at is not None
        click.echo(f"Paused: {_name(paused)}, since {instant(paused.paused_at)}.")
    click.echo(f"`dropcowboy resume {shlex.quote(campaign)}` ends it.")


@click.command()
@_campaign
@click.option("--all", "is_all", is_flag=True, help="End the pause of all; one of a campaign by itself stays.")
@_account
@optional_conn_option
def resume(*, campaign: str | None, is_all: bool, account: str | None, conn: str | None) -> None:
    """Allow sending again. Clear the tasks that the pause stopped: they go on where they were.

    \b
    Examples:
      dropcowboy resume spring
      dropcowboy resume --all
    """
    from airflow_provider_dropcowboy.ledger.pauses import read_pauses, resume_all, resume_campaign

    ledger = _open(campaign, is_all, account=account, conn=conn)
    if campaign is None:
        since = resume_all(ledger)
        click.echo(f"Resumed: all campaigns, {_was(since)}.")
        for paused in read_pauses(ledger).campaigns:
            click.echo(f"Still paused by itself: {_name(paused)} (dropcowboy resume {shlex.quote(paused.name)}).")
        return
    for resumed in resume_campaign(ledger, campaign, account=account):
        click.echo(f"Resumed: {_name(resumed)}, {_was(resumed.paused_at)}.")
    if read_pauses(ledger).all_since is not None:
        click.echo("Still paused: all campaigns (dropcowboy resume --all).")


def _open(campaign: str | None, is_all: bool, *, account: str | None, conn: str | None) -> "Ledger":
    from airflow_provider_dropcowboy.cli.campaigns import open_for

    if (campaign is not None) == is_all:
        raise click.UsageError("Give either the name of a campaign or --all.")
    if is_all and account is not None:
        raise click.UsageError("--all is every account; leave out --account.")
    return open_for(conn, may_create=is_all)


def _name(campaign: "Pausable") -> str:
    return f"{campaign.name} ({campaign.channel}, account {campaign.account})"


def _was(paused_at: "datetime | None") -> str:
    from airflow_provider_dropcowboy.cli.console import instant

    return "not paused before" if paused_at is None else f"paused since {instant(paused_at)}"
