"""``dropcowboy ledger``: look at it, copy and upgrade it, and what a person tells it."""

from datetime import datetime, timedelta
from pathlib import Path

import click

from airflow_provider_dropcowboy.cli import connection, console, options


@click.group()
def ledger() -> None:
    """Inspect, back up, upgrade and prune the ledger.

    Or delete a person from it, or record that it was restored.
    """


@ledger.command()
@options.optional_conn
def info(*, conn: str | None) -> None:
    """Show where the ledger is and what is paused."""
    from airflow_provider_dropcowboy.ledger.database import HEAD, open_ledger
    from airflow_provider_dropcowboy.ledger.limits import read_pauses
    from airflow_provider_dropcowboy.ledger.upkeep import read_facts

    url = connection.find_ledger_url(conn)
    opened = open_ledger(url)
    facts, pauses = read_facts(opened), read_pauses(opened)
    console.print_pairs(
        [
            ("place", connection.redacted_url(url)),
            ("ledger", opened.ledger_id),
            ("schema", HEAD),
            ("began", opened.born_at),
            ("campaigns", facts.campaigns),
            ("sending now", f"{facts.live_runs} runs with {facts.connections} connections"),
            ("restored", facts.restored_at),
            ("all paused", pauses.all_since),
            *(
                (
                    "paused",
                    f"{paused.name} ({paused.channel}, {paused.account}) since {console.instant(paused.paused_at)}",
                )
                for paused in pauses.campaigns
                if paused.paused_at is not None
            ),
        ]
    )


@ledger.command()
@options.optional_conn
def upgrade(*, conn: str | None) -> None:
    """Upgrade the ledger's tables to this version.

    Creates them if there are none. Stop the senders of an older package first: they refuse the new tables.
    """
    from airflow_provider_dropcowboy.ledger.database import upgrade_ledger

    url = connection.find_ledger_url(conn)
    version = upgrade_ledger(url)
    click.echo(f"The ledger at {connection.redacted_url(url)} has schema {version}.")


@ledger.command()
@click.option(
    "--older-than",
    required=True,
    callback=options.read_time,
    metavar="TIME",
    help="Time since the last event of a message, such as 90d. At least 8 days.",
)
@options.optional_conn
def prune(*, older_than: timedelta, conn: str | None) -> None:
    """Delete personal data of old, finished messages.

    Contact key, number, network and callback payloads are deleted. What keeps a message from being sent twice stays,
    and so do counts, costs and the suppression list. Sends in doubt are left alone: settle them first.
    """
    from airflow_provider_dropcowboy.ledger.upkeep import prune

    pruned = prune(connection.open_ledger_of(conn), older_than=older_than)
    click.echo(f"Pruned: {pruned.sends} sends and {pruned.callbacks} callbacks.")
    if pruned.in_doubt:
        click.echo(f"{pruned.in_doubt} sends are in doubt and left as they are (dropcowboy unknown list).", err=True)


@ledger.command()
@click.option("--phone", required=True, metavar="NUMBER", help="Number of the person to forget.")
@click.option(
    "--reason",
    default="wants to be forgotten",
    show_default=True,
    metavar="TEXT",
    help="Reason, kept with the suppression.",
)
@options.region
@options.optional_conn
def forget(*, phone: str, reason: str, region: str, conn: str | None) -> None:
    """Delete a person, and suppress the number.

    Everything personal is deleted. The ledger keeps only a digest of the number. Your own tables and exports are not
    touched: delete the person there too.
    """
    from airflow_provider_dropcowboy.ledger.upkeep import forget

    number = options.read_phone(phone, region)
    forgotten = forget(connection.open_ledger_of(conn, may_create=True), number, reason=reason)
    click.echo(f"{number} is forgotten in {forgotten.sends} sends and {forgotten.callbacks} callbacks, and suppressed.")


@ledger.command()
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@options.optional_conn
def backup(*, file: Path, conn: str | None) -> None:
    """Back up the embedded ledger into FILE.

    Senders and receivers may keep running. PostgreSQL has pg_dump for that. The copy is complete and of one moment;
    `cp` is neither. An existing file is never overwritten. Every contacted number and the ledger's key are in the
    copy: only its owner may read it.
    """
    from airflow_provider_dropcowboy.clock import utcnow
    from airflow_provider_dropcowboy.ledger.embedded import back_up

    url = connection.find_ledger_url(conn)
    place = connection.redacted_url(url)
    if url.get_backend_name() != "sqlite":
        raise click.UsageError(
            f"The ledger at {place} is on PostgreSQL. Nothing was copied. Back up the whole database: "
            f"pg_dump --format=custom --file={file} {url.database or 'DATABASE'}. Its triggers are needed too, which "
            "--table leaves out."
        )
    begun_at = utcnow()
    back_up(Path(str(url.database)), file)
    click.echo(
        f"The ledger at {place} is in {file}. It is complete until {console.instant(begun_at)}: after a restore "
        f"from it, run `dropcowboy ledger restored`."
    )


@ledger.command()
@click.argument("campaign")
@options.channel
@options.conn
def adopt(*, campaign: str, channel: str | None, conn: str) -> None:
    """Let a campaign send on a restored or new ledger.

    The ledger may be missing earlier sends. Anyone missing from it will be contacted again, so compare it with Drop
    Cowboy's own pages first.
    """
    from airflow_provider_dropcowboy.api.content import Channel
    from airflow_provider_dropcowboy.campaign.messages import Identity, check_campaign_name
    from airflow_provider_dropcowboy.ledger.database import open_ledger
    from airflow_provider_dropcowboy.ledger.upkeep import adopt_campaign

    name = check_campaign_name(campaign)
    settings = connection.load_settings(conn)
    account = settings.account.name
    ledger = open_ledger(connection.ledger_url_of(settings))
    for each in Channel if channel is None else [Channel(channel)]:
        prefix = Identity(ledger.key, account, name, each).prefix
        adopt_campaign(ledger, account, name=name, channel=each, prefix=prefix)
        click.echo(f"Adopted: {name} ({each}, account {account}). Clear its task, or send again.")


@ledger.command()
@click.option(
    "--at",
    callback=options.read_instant,
    metavar="INSTANT",
    help="Time from which the ledger is complete again.  [default: now]",
)
@options.optional_conn
def restored(*, at: datetime | None, conn: str | None) -> None:
    """Record that the ledger was restored.

    Or that its database lost its last commits. DAG runs that were due before, and campaigns and contact lists that
    began before, send nothing until you adopt the campaign or list.
    """
    from airflow_provider_dropcowboy.clock import utcnow
    from airflow_provider_dropcowboy.ledger.upkeep import mark_restored

    if at is not None and at > utcnow():
        raise click.UsageError("--at lies ahead: every run that falls due until then would be refused.")
    watermark = console.instant(mark_restored(connection.open_ledger_of(conn, may_create=True), at=at))
    click.echo(
        f"DAG runs that were due before {watermark}, and campaigns and contact lists that began before, send "
        "nothing until you adopt them (dropcowboy ledger adopt, dropcowboy list adopt)."
    )
