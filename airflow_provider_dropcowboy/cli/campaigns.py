"""What a person does to a campaign: ``dropcowboy pause``, ``resume``, ``unknown`` and ``rejected``."""

import shlex
from typing import TYPE_CHECKING, Final

import click

from airflow_provider_dropcowboy.cli.failures import ExitCode
from airflow_provider_dropcowboy.cli.options import (
    account_option,
    contacts_option,
    json_option,
    names_campaign,
    optional_conn_option,
    read_keys,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from airflow_provider_dropcowboy.ledger.campaigns import Campaign
    from airflow_provider_dropcowboy.ledger.database import Ledger
    from airflow_provider_dropcowboy.ledger.settling import Open

_campaign = click.argument("campaign", required=False)
reason_option: Final = click.option(
    "--reason", required=True, metavar="TEXT", help="How you know. Kept permanently, so leave out names and numbers."
)


@click.command()
@_campaign
@click.option("--all", "is_all", is_flag=True, help="Every campaign of every account.")
@account_option
@optional_conn_option
def pause(*, campaign: str | None, is_all: bool, account: str | None, conn: str | None) -> None:
    """Stop sending: one campaign, or all.

    Nobody else is contacted until `dropcowboy resume`. Runs under way stop within seconds and fail; what they sent is
    recorded.

    \b
    Examples:
      dropcowboy pause spring
      dropcowboy pause --all
    """
    from airflow_provider_dropcowboy.cli.console import campaign_label, instant
    from airflow_provider_dropcowboy.ledger.campaigns import pause_all, pause_campaign

    ledger = _open(campaign, is_all, account=account, conn=conn)
    if campaign is None:
        click.echo(f"Paused: all campaigns, since {instant(pause_all(ledger))}. `dropcowboy resume --all` ends it.")
        return
    for paused in pause_campaign(ledger, campaign, account=account):
        assert paused.paused_at is not None
        click.echo(f"Paused: {campaign_label(paused)}, since {instant(paused.paused_at)}.")
    click.echo(f"`dropcowboy resume {shlex.quote(campaign)}` ends it.")


@click.command()
@_campaign
@click.option("--all", "is_all", is_flag=True, help="End the pause of all. A campaign paused by name stays paused.")
@account_option
@optional_conn_option
def resume(*, campaign: str | None, is_all: bool, account: str | None, conn: str | None) -> None:
    """Allow sending again. Clear the tasks that the pause stopped: they continue where they were.

    \b
    Examples:
      dropcowboy resume spring
      dropcowboy resume --all
    """
    from airflow_provider_dropcowboy.cli.console import campaign_label
    from airflow_provider_dropcowboy.ledger.campaigns import read_pauses, resume_all, resume_campaign

    ledger = _open(campaign, is_all, account=account, conn=conn)
    if campaign is None:
        since = resume_all(ledger)
        click.echo(f"Resumed: all campaigns, {_was(since)}.")
        for paused in read_pauses(ledger).campaigns:
            click.echo(
                f"Still paused by itself: {campaign_label(paused)} (dropcowboy resume {shlex.quote(paused.name)})."
            )
        return
    for resumed in resume_campaign(ledger, campaign, account=account):
        click.echo(f"Resumed: {campaign_label(resumed)}, {_was(resumed.paused_at)}.")
    if read_pauses(ledger).all_since is not None:
        click.echo("Still paused: all campaigns (dropcowboy resume --all).")


@click.group()
def unknown() -> None:
    """List and settle sends in doubt.

    Nobody knows whether Drop Cowboy accepted them. A callback settles a send. Where none comes, look at Drop Cowboy's
    own pages and settle it yourself.
    """


@unknown.command("list")
@click.argument("campaign")
@names_campaign
@json_option
def list_unknown(*, campaign: str, account: str | None, channel: str | None, conn: str | None, as_json: bool) -> None:
    """List a campaign's sends in doubt, oldest first.

    Each with the time from which it may be settled.
    """
    from airflow_provider_dropcowboy.ledger.settling import list_unknown

    _list(list_unknown, campaign, account=account, channel=channel, conn=conn, as_json=as_json)


@unknown.command()
@click.argument("campaign")
@click.option(
    "--as",
    "verdict",
    required=True,
    type=click.Choice(["sent", "not-sent"]),
    help="sent: counts as accepted. not-sent: the next run sends it again.",
)
@reason_option
@contacts_option
@names_campaign
@click.pass_context
def settle(
    ctx: click.Context,
    /,
    *,
    campaign: str,
    verdict: str,
    reason: str,
    contacts: tuple[str, ...],
    account: str | None,
    channel: str | None,
    conn: str | None,
) -> None:
    """Record whether sends in doubt were accepted.

    A wrong "not-sent" contacts people twice. Sends younger than 75 minutes are left alone: the request may still be on
    its way. Exit code 1 if there are any.

    \b
    Examples:
      dropcowboy unknown settle spring --as sent --reason 'in their log'
      dropcowboy unknown settle spring --as not-sent --contact 4711 \\
          --reason 'not in their log'
    """
    from airflow_provider_dropcowboy.cli.connection import open_campaigns
    from airflow_provider_dropcowboy.ledger.settling import settle_unknown

    contact_keys = read_keys(contacts)
    ledger, campaigns = open_campaigns(campaign, account=account, channel=channel, conn=conn)
    settled = [
        settle_unknown(ledger, each, is_sent=verdict == "sent", reason=reason, contact_keys=contact_keys)
        for each in campaigns
    ]
    click.echo(f"{sum(each.moved for each in settled)} sends of campaign {campaign} are settled as {verdict}.")
    too_young = sum(each.too_young for each in settled)
    if too_young:
        click.echo(f"{too_young} are too young and left as they are; `dropcowboy unknown list` says when.", err=True)
        ctx.exit(ExitCode.UNFINISHED)


@click.group()
def rejected() -> None:
    """List and release sends that the API refused."""


@rejected.command("list")
@click.argument("campaign")
@names_campaign
@json_option
def list_rejected(*, campaign: str, account: str | None, channel: str | None, conn: str | None, as_json: bool) -> None:
    """List a campaign's refused sends, oldest first.

    Each with the API's reason.
    """
    from airflow_provider_dropcowboy.ledger.settling import list_rejected

    _list(list_rejected, campaign, account=account, channel=channel, conn=conn, as_json=as_json)


@rejected.command()
@click.argument("campaign")
@reason_option
@contacts_option
@names_campaign
def release(
    *,
    campaign: str,
    reason: str,
    contacts: tuple[str, ...],
    account: str | None,
    channel: str | None,
    conn: str | None,
) -> None:
    """Let the next run send refused messages again.

    Not needed if the request has changed: with another brand, text or recording, the next run sends it anyway.
    """
    from airflow_provider_dropcowboy.cli.connection import open_campaigns
    from airflow_provider_dropcowboy.ledger.settling import release_rejected

    contact_keys = read_keys(contacts)
    ledger, campaigns = open_campaigns(campaign, account=account, channel=channel, conn=conn)
    moved = sum(release_rejected(ledger, each, reason=reason, contact_keys=contact_keys).moved for each in campaigns)
    click.echo(f"{moved} sends of campaign {campaign} are released: the next run asks for them.")


def _open(campaign: str | None, is_all: bool, *, account: str | None, conn: str | None) -> "Ledger":
    from airflow_provider_dropcowboy.cli.connection import open_ledger_of

    if (campaign is not None) == is_all:
        raise click.UsageError("Give either the name of a campaign or --all.")
    if is_all and account is not None:
        raise click.UsageError("--all is every account; leave out --account.")
    return open_ledger_of(conn, may_create=is_all)


def _was(paused_at: "datetime | None") -> str:
    from airflow_provider_dropcowboy.cli.console import instant

    return "not paused before" if paused_at is None else f"paused since {instant(paused_at)}"


def _list(
    find: "Callable[[Ledger, Campaign], Sequence[Open]]",
    name: str,
    *,
    account: str | None,
    channel: str | None,
    conn: str | None,
    as_json: bool,
) -> None:
    from airflow_provider_dropcowboy.cli.connection import open_campaigns
    from airflow_provider_dropcowboy.cli.console import campaign_label, print_json, print_table
    from airflow_provider_dropcowboy.ledger.settling import MAX_LISTED

    ledger, campaigns = open_campaigns(name, account=account, channel=channel, conn=conn)
    found = [(campaign, find(ledger, campaign)) for campaign in campaigns]
    if as_json:
        print_json([_as_dict(campaign, send) for campaign, sends in found for send in sends])
        return
    for campaign, sends in found:
        if not sends:
            click.echo(f"campaign {campaign_label(campaign)}: none")
            continue
        print_table(
            ["contact", "why", "attempt", "claimed", "settle from"],
            [(send.contact_key, send.reason, send.attempt, send.claimed_at, send.settles_at) for send in sends],
            title=f"campaign {campaign_label(campaign)}",
        )
        if len(sends) == MAX_LISTED:
            click.echo(f"These are the oldest {MAX_LISTED}; there may be more.")


def _as_dict(campaign: "Campaign", send: "Open") -> dict[str, object]:
    return {
        "campaign": campaign.name,
        "channel": campaign.channel,
        "contact_key": send.contact_key,
        "foreign_id": send.foreign_id,
        "reason": send.reason,
        "attempt": send.attempt,
        "claimed_at": send.claimed_at,
        "settles_at": send.settles_at,
    }
