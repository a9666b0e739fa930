"""``dropcowboy unknown`` and ``dropcowboy rejected``: what a person decides of sends."""

from typing import TYPE_CHECKING, Final

import click

from airflow_provider_dropcowboy.cli.campaigns import contacts_option, names_campaign
from airflow_provider_dropcowboy.cli.failures import ExitCode
from airflow_provider_dropcowboy.cli.options import json_option

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_dropcowboy.ledger.database import Ledger
    from airflow_provider_dropcowboy.ledger.runs import Campaign
    from airflow_provider_dropcowboy.ledger.settling import Open

reason_option: Final = click.option(
    "--reason", required=True, metavar="TEXT", help="How you know. Kept for good, so without a person's name or number."
)


@click.group()
def unknown() -> None:
    """Look at sends of which nobody knows whether they were taken, and settle them.

    A callback settles one by itself. A person does so after looking at Drop Cowboy's own pages.
    """


@unknown.command("list")
@click.argument("campaign")
@names_campaign
@json_option
def list_unknown(*, campaign: str, account: str | None, channel: str | None, conn: str | None, as_json: bool) -> None:
    """List a campaign's sends in doubt, oldest first, and from when on each may be settled."""
    from airflow_provider_dropcowboy.ledger.settling import list_unknown

    _list(list_unknown, campaign, account=account, channel=channel, conn=conn, as_json=as_json)


@unknown.command()
@click.argument("campaign")
@click.option(
    "--as",
    "verdict",
    required=True,
    type=click.Choice(["sent", "not-sent"]),
    help="sent: counts as accepted. not-sent: the next run asks again.",
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
    """Say of sends in doubt whether they were taken. A wrong "not-sent" calls people twice.

    What is younger than 75 minutes is left: its request may still be on its way. Exit code 1 if there is any.

    \b
    Examples:
      dropcowboy unknown settle spring --as sent --reason 'in their log'
      dropcowboy unknown settle spring --as not-sent --contact 4711 \\
          --reason 'not in their log'
    """
    from airflow_provider_dropcowboy.cli.campaigns import keys, open_campaigns
    from airflow_provider_dropcowboy.ledger.settling import settle_unknown

    contact_keys = keys(contacts)
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
    """Look at sends that the API refused, and release them."""


@rejected.command("list")
@click.argument("campaign")
@names_campaign
@json_option
def list_rejected(*, campaign: str, account: str | None, channel: str | None, conn: str | None, as_json: bool) -> None:
    """List a campaign's refused sends with the API's reason, oldest first."""
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
    """Let the next run ask again for what was refused, with the same request.

    Not needed where the request is another one by now: another brand, text or recording is asked for by itself.
    """
    from airflow_provider_dropcowboy.cli.campaigns import keys, open_campaigns
    from airflow_provider_dropcowboy.ledger.settling import release_rejected

    contact_keys = keys(contacts)
    ledger, campaigns = open_campaigns(campaign, account=account, channel=channel, conn=conn)
    moved = sum(release_rejected(ledger, each, reason=reason, contact_keys=contact_keys).moved for each in campaigns)
    click.echo(f"{moved} sends of campaign {campaign} are released: the next run asks for them.")


def _list(
    find: "Callable[[Ledger, Campaign], Sequence[Open]]",
    name: str,
    *,
    account: str | None,
    channel: str | None,
    conn: str | None,
    as_json: bool,
) -> None:
    from airflow_provider_dropcowboy.cli.campaigns import open_campaigns, title
    from airflow_provider_dropcowboy.cli.console import print_json, print_table
    from airflow_provider_dropcowboy.ledger.settling import MAX_LISTED

    ledger, campaigns = open_campaigns(name, account=account, channel=channel, conn=conn)
    found = [(campaign, find(ledger, campaign)) for campaign in campaigns]
    if as_json:
        print_json([_as_dict(campaign, send) for campaign, sends in found for send in sends])
        return
    for campaign, sends in found:
        if not sends:
            click.echo(f"{title(campaign)}: none")
            continue
        print_table(
            ["contact", "why", "attempt", "claimed", "settle from"],
            [(send.contact_key, send.reason, send.attempt, send.claimed_at, send.settles_at) for send in sends],
            title=title(campaign),
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
