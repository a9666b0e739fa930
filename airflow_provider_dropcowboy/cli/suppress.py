"""``dropcowboy suppress``: numbers that nobody asks for."""

from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from airflow_provider_dropcowboy.cli.failures import ExitCode
from airflow_provider_dropcowboy.cli.options import optional_conn_option

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.phone import Phone

SOURCE: Final = "command line"
MAX_SHOWN: Final = 10

region_option: Final = click.option(
    "--region", default="US", show_default=True, metavar="CC", help="Country of numbers without a country code."
)
phone_argument: Final = click.argument("phone")
why_option: Final = click.option("--reason", metavar="TEXT", help="Why. Without a person's name or number.")


@click.group()
def suppress() -> None:
    """Keep numbers from being asked for, by every campaign that uses this ledger.

    Callbacks add those who asked not to be called again by themselves.
    """


@suppress.command()
@phone_argument
@why_option
@region_option
@optional_conn_option
def add(*, phone: str, reason: str | None, region: str, conn: str | None) -> None:
    """Put a number on the list. Runs under way heed it from their next batch on."""
    from airflow_provider_dropcowboy.cli.campaigns import open_for
    from airflow_provider_dropcowboy.ledger.suppressions import suppress

    number = read_phone(phone, region)
    is_new = suppress(open_for(conn), [number], source=SOURCE, reason=reason) == 1
    click.echo(f"{number} is suppressed." if is_new else f"{number} was suppressed already.")


@suppress.command()
@phone_argument
@region_option
@optional_conn_option
def remove(*, phone: str, region: str, conn: str | None) -> None:
    """Take a number off the list: it may be asked for again, also if the person had opted out."""
    from airflow_provider_dropcowboy.cli.campaigns import open_for
    from airflow_provider_dropcowboy.ledger.suppressions import unsuppress

    number = read_phone(phone, region)
    was_there = unsuppress(open_for(conn), number)
    click.echo(f"{number} is no longer suppressed." if was_there else f"{number} was not suppressed.")


@suppress.command()
@phone_argument
@region_option
@optional_conn_option
def check(*, phone: str, region: str, conn: str | None) -> None:
    """Say whether a number is on the list, since when and why."""
    from airflow_provider_dropcowboy.cli.campaigns import open_for
    from airflow_provider_dropcowboy.cli.console import instant
    from airflow_provider_dropcowboy.ledger.suppressions import find_suppression

    number = read_phone(phone, region)
    found = find_suppression(open_for(conn), number)
    if found is None:
        click.echo(f"{number} is not suppressed.")
        return
    why = f", {found.reason}" if found.reason else ""
    click.echo(f"{number} is suppressed since {instant(found.added_at)} by {found.source}{why}.")


@suppress.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, readable=True, path_type=Path))
@click.option("--phone-column", default="phone", show_default=True, metavar="COLUMN", help="The number.")
@why_option
@region_option
@optional_conn_option
@click.pass_context
def import_file(
    ctx: click.Context,
    /,
    *,
    file: Path,
    phone_column: str,
    reason: str | None,
    region: str,
    conn: str | None,
) -> None:
    """Put all numbers of a file on the list: .csv, .jsonl, .ndjson (each also .gz) or .parquet.

    Doing it again adds nothing twice. Exit code 1 if a row holds no usable number: that person is not suppressed.
    """
    from airflow_provider_dropcowboy.cli.campaigns import open_for
    from airflow_provider_dropcowboy.contacts.contact import Unusable
    from airflow_provider_dropcowboy.contacts.files import read_rows
    from airflow_provider_dropcowboy.contacts.mapping import ContactColumns, read_contacts
    from airflow_provider_dropcowboy.ledger.suppressions import MAX_ADDED, suppress

    ledger = open_for(conn)
    added, waiting = 0, []
    unusable: list[str] = []
    with file.open("rb") as opened:
        contacts = read_contacts(read_rows(opened, file.name), ContactColumns(phone_column=phone_column, region=region))
        for row, contact in enumerate(contacts, start=1):
            if isinstance(contact, Unusable):
                unusable.append(f"row {row}: {contact.reason}")
                continue
            waiting.append(contact.phone)
            if len(waiting) == MAX_ADDED:
                added += suppress(ledger, waiting, source=SOURCE, reason=reason)
                waiting.clear()
        added += suppress(ledger, waiting, source=SOURCE, reason=reason)
    click.echo(f"{added} numbers are suppressed that were not before.")
    if unusable:
        more = f"; {len(unusable) - MAX_SHOWN} more" if len(unusable) > MAX_SHOWN else ""
        click.echo(f"{len(unusable)} rows have no usable number: {'; '.join(unusable[:MAX_SHOWN])}{more}.", err=True)
        ctx.exit(ExitCode.UNFINISHED)


def read_phone(text: str, region: str) -> "Phone":
    """The number that was typed.

    :raises click.UsageError: it is none; the text does not repeat it.
    """
    from airflow_provider_dropcowboy.phone import Phone, PhoneError, is_region

    if not is_region(region):
        raise click.UsageError(f"--region {region!r} is no country that has phone numbers. Write it like US.")
    try:
        return Phone.parse(text, region=region)
    except PhoneError as error:
        raise click.UsageError(f"The number cannot be used: {error}.") from None
