"""``dropcowboy campaigns`` lists campaigns; ``pause``, ``resume``, ``unknown`` and ``rejected`` act on them."""

import shlex
from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Final

import click

from airflow_provider_dropcowboy.cli import connection, console, options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from airflow_provider_dropcowboy.ledger.campaigns import Campaign
    from airflow_provider_dropcowboy.ledger.database import Ledger
    from airflow_provider_dropcowboy.ledger.settling import Open
    from airflow_provider_dropcowboy.reports.status import Listed

_campaign: Final = click.argument("campaign", required=False)
_reason: Final = click.option(
    "--reason", required=True, metavar="TEXT", help="How you know. Kept permanently: no names or numbers."
)
_contacts: Final = click.option(
    "--contact", "contacts", multiple=True, metavar="KEY", help="Only this contact. Repeatable.  [default: all]"
)


@click.command()
@click.argument("search", required=False)
@click.option(
    "--state",
    type=click.Choice(["sending", "waiting", "paused", "stopped", "finished"]),
    help="Only campaigns in this state.  [default: all]",
)
@click.option("--dag", "dag_id", metavar="DAG_ID", help="Only campaigns whose last run was of this DAG.")
@click.option("--since", callback=options.read_instant, metavar="TIME", help="Only campaigns that ran since this time.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1), help="Most campaigns to list.")
@options.finds_campaigns
@options.as_json
def campaigns(
    *,
    search: str | None,
    state: str | None,
    dag_id: str | None,
    since: "datetime | None",
    limit: int,
    where: options.Where,
    as_json: bool,
) -> None:
    """List campaigns, the newest first.

    SEARCH is a part of the name. `dropcowboy report NAME` shows one campaign in full.

    \b
    Examples:
      dropcowboy campaigns
      dropcowboy campaigns reminder --state stopped --since 2026-11-24
    """
    from airflow_provider_dropcowboy.reports.status import Phase, read_overview

    found = read_overview(
        connection.open_ledger_of(where.conn),
        search=search,
        account=where.account,
        channel=where.channel,
        dag_id=dag_id,
        since=since,
        phase=None if state is None else Phase(state),
    )
    listed = list(islice(found, limit + 1))
    shown = listed[:limit]
    if as_json:
        console.print_json([_as_dict(each) for each in shown])
    elif shown:
        console.print_table(
            ["campaign", "channel", "state", "last run", "sends"],
            [(each.name, each.channel, _state(each), each.last_run_at, _counts(each)) for each in shown],
        )
        if len(listed) > limit:
            click.echo(f"These are the newest {limit}. More: --limit.", err=True)
    else:
        click.echo("No campaign matches.")


@click.command()
@_campaign
@click.option("--all", "is_all", is_flag=True, help="Every campaign of every account.")
@options.account
@options.optional_conn
def pause(*, campaign: str | None, is_all: bool, account: str | None, conn: str | None) -> None:
    """Stop sending: one campaign, or all.

    Nobody else is contacted until `dropcowboy resume`. Runs under way stop within seconds and fail; what they sent is
    recorded.

    \b
    Examples:
      dropcowboy pause spring
      dropcowboy pause --all
    """
    from airflow_provider_dropcowboy.ledger.limits import pause_all, pause_campaign

    ledger = _open(campaign, is_all, account=account, conn=conn)
    if campaign is None:
        since = console.instant(pause_all(ledger))
        click.echo(f"Paused: all campaigns, since {since}. `dropcowboy resume --all` ends it.")
        return
    for paused in pause_campaign(ledger, campaign, account=account):
        assert paused.paused_at is not None
        click.echo(f"Paused: {console.campaign_label(paused)}, since {console.instant(paused.paused_at)}.")
    click.echo(f"`dropcowboy resume {shlex.quote(campaign)}` ends it.")


@click.command()
@_campaign
@click.option("--all", "is_all", is_flag=True, help="End the pause of all. A campaign paused by name stays paused.")
@options.account
@options.optional_conn
def resume(*, campaign: str | None, is_all: bool, account: str | None, conn: str | None) -> None:
    """Allow sending again. Clear the tasks that the pause stopped: they continue where they were.

    \b
    Examples:
      dropcowboy resume spring
      dropcowboy resume --all
    """
    from airflow_provider_dropcowboy.ledger.limits import read_pauses, resume_all, resume_campaign

    ledger = _open(campaign, is_all, account=account, conn=conn)
    if campaign is None:
        click.echo(f"Resumed: all campaigns, {_was(resume_all(ledger))}.")
        for paused in read_pauses(ledger).campaigns:
            command = f"dropcowboy resume {shlex.quote(paused.name)}"
            click.echo(f"Still paused by itself: {console.campaign_label(paused)} ({command}).")
        return
    for resumed in resume_campaign(ledger, campaign, account=account):
        click.echo(f"Resumed: {console.campaign_label(resumed)}, {_was(resumed.paused_at)}.")
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
@options.finds_campaigns
@options.as_json
def list_unknown(*, campaign: str, where: options.Where, as_json: bool) -> None:
    """List a campaign's sends in doubt, oldest first.

    Each with the time from which it may be settled.
    """
    from airflow_provider_dropcowboy.ledger.settling import list_unknown

    _list(list_unknown, campaign, where, as_json=as_json)


@unknown.command()
@click.argument("campaign")
@click.option(
    "--as",
    "verdict",
    required=True,
    type=click.Choice(["sent", "not-sent"]),
    help="sent: counts as accepted. not-sent: the next run sends it again.",
)
@_reason
@_contacts
@options.finds_campaigns
def settle(*, campaign: str, verdict: str, reason: str, contacts: tuple[str, ...], where: options.Where) -> None:
    """Record whether sends in doubt were accepted.

    A wrong "not-sent" contacts people twice. Sends younger than 75 minutes are left alone: the request may still be on
    its way. Exit code 1 if there are any.

    \b
    Examples:
      dropcowboy unknown settle spring --as sent --reason 'in their log'
      dropcowboy unknown settle spring --as not-sent --contact 4711 \\
          --reason 'not in their log'
    """
    from airflow_provider_dropcowboy.ledger.settling import settle_unknown

    keys = options.read_keys(contacts)
    ledger, found = where.campaigns(campaign)
    settled = [
        settle_unknown(ledger, each, is_sent=verdict == "sent", reason=reason, contact_keys=keys) for each in found
    ]
    click.echo(f"{sum(each.moved for each in settled)} sends of campaign {campaign} are settled as {verdict}.")
    if too_young := sum(each.too_young for each in settled):
        click.echo(f"{too_young} are too young and left as they are; `dropcowboy unknown list` says when.", err=True)
        raise click.exceptions.Exit(console.ExitCode.UNFINISHED)


@click.group()
def rejected() -> None:
    """List and release sends that the API refused."""


@rejected.command("list")
@click.argument("campaign")
@options.finds_campaigns
@options.as_json
def list_rejected(*, campaign: str, where: options.Where, as_json: bool) -> None:
    """List a campaign's refused sends, oldest first.

    Each with the API's reason.
    """
    from airflow_provider_dropcowboy.ledger.settling import list_rejected

    _list(list_rejected, campaign, where, as_json=as_json)


@rejected.command()
@click.argument("campaign")
@_reason
@_contacts
@options.finds_campaigns
def release(*, campaign: str, reason: str, contacts: tuple[str, ...], where: options.Where) -> None:
    """Let the next run send refused messages again.

    Not needed if the request has changed: with another brand, text or recording, the next run sends it anyway.
    """
    from airflow_provider_dropcowboy.ledger.settling import release_rejected

    keys = options.read_keys(contacts)
    ledger, found = where.campaigns(campaign)
    moved = sum(release_rejected(ledger, each, reason=reason, contact_keys=keys).moved for each in found)
    click.echo(f"{moved} sends of campaign {campaign} are released: the next run sends them.")


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


def _open(campaign: str | None, is_all: bool, *, account: str | None, conn: str | None) -> "Ledger":
    if (campaign is not None) == is_all:
        raise click.UsageError("Give either the name of a campaign or --all.")
    if is_all and account is not None:
        raise click.UsageError("--all is every account; leave out --account.")
    return connection.open_ledger_of(conn, may_create=is_all)


def _was(paused_at: "datetime | None") -> str:
    return "not paused before" if paused_at is None else f"paused since {console.instant(paused_at)}"


def _list(
    find: "Callable[[Ledger, Campaign], Sequence[Open]]", name: str, where: options.Where, *, as_json: bool
) -> None:
    from airflow_provider_dropcowboy.ledger.settling import MAX_LISTED

    ledger, campaigns = where.campaigns(name)
    found = [(campaign, find(ledger, campaign)) for campaign in campaigns]
    if as_json:
        sends_of = [(each, send) for each, sends in found for send in sends]
        console.print_json([{"campaign": each.name, "channel": each.channel} | asdict(send) for each, send in sends_of])
        return
    for campaign, sends in found:
        if not sends:
            click.echo(f"campaign {console.campaign_label(campaign)}: none")
            continue
        console.print_table(
            ["contact", "why", "attempt", "claimed", "settle from"],
            [(send.contact_key, send.reason, send.attempt, send.claimed_at, send.settles_at) for send in sends],
            title=f"campaign {console.campaign_label(campaign)}",
        )
        if len(sends) == MAX_LISTED:
            click.echo(f"These are the oldest {MAX_LISTED}; there may be more.")
