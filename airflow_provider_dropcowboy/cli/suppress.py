"""``dropcowboy suppress``: numbers that nobody asks for."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from airflow_provider_dropcowboy.cli import connection, console, options

if TYPE_CHECKING:
    from datetime import datetime

    from airflow_provider_dropcowboy.phone import Phone

SOURCE: Final = "command line"

phone_argument: Final = click.argument("phone")
why_option: Final = click.option("--reason", metavar="TEXT", help="Reason, without names or numbers.")


@click.group()
def suppress() -> None:
    """Keep numbers from being contacted.

    The list applies to every campaign that uses this ledger. Callbacks add people who opted out.
    """


@suppress.command()
@phone_argument
@why_option
@options.region
@options.optional_conn
def add(*, phone: str, reason: str | None, region: str, conn: str | None) -> None:
    """Add a number to the list.

    Runs under way heed it from their next batch on.
    """
    from airflow_provider_dropcowboy.ledger.suppressions import suppress

    number = options.read_phone(phone, region)
    is_new = suppress(connection.open_ledger_of(conn, may_create=True), [number], source=SOURCE, reason=reason) == 1
    click.echo(f"{number} is suppressed." if is_new else f"{number} was suppressed already.")


@suppress.command()
@phone_argument
@options.region
@options.optional_conn
def remove(*, phone: str, region: str, conn: str | None) -> None:
    """Remove a number from the list.

    It may be contacted again, even if the person had opted out.
    """
    from airflow_provider_dropcowboy.ledger.suppressions import find_suppression, unsuppress

    number = options.read_phone(phone, region)
    ledger = connection.open_ledger_of(conn, may_create=True)
    found = find_suppression(ledger, number)
    was_there = unsuppress(ledger, number)
    click.echo(f"{number} is no longer suppressed." if was_there else f"{number} was not suppressed.")
    if found is not None and (law := _law_on_opt_outs(number, found.added_at)):
        click.echo(f"If the person had opted out: {law}. Then add it again.", err=True)


def _law_on_opt_outs(number: "Phone", added_at: "datetime") -> str | None:
    """The law that keeps an opt-out longest, if one as old as this still holds."""
    from airflow_provider_dropcowboy.clock import utcnow

    hours = connection.load_hours("state", channel="sms", message_kind="informational")
    assert hours is not None  # it is not off
    laws = [rule for rule in hours.laws(number.e164, postal_code=None, at=utcnow()) if rule.opt_out]
    longest = max(laws, key=lambda rule: rule.opt_out or timedelta(), default=None)
    if longest is None or longest.opt_out is None or added_at + longest.opt_out <= utcnow():
        return None
    return f"{longest.label} keeps it until {added_at + longest.opt_out:%Y-%m-%d}"


@suppress.command()
@phone_argument
@options.region
@options.optional_conn
def check(*, phone: str, region: str, conn: str | None) -> None:
    """Show whether a number is on the list, and why."""
    from airflow_provider_dropcowboy.ledger.suppressions import find_suppression

    number = options.read_phone(phone, region)
    found = find_suppression(connection.open_ledger_of(conn), number)
    if found is None:
        click.echo(f"{number} is not suppressed.")
        return
    why = f", {found.reason}" if found.reason else ""
    click.echo(f"{number} is suppressed since {console.instant(found.added_at)} by {found.source}{why}.")


@suppress.command("import")
@click.argument("file", type=options.FILE)
@click.option(
    "--phone-column",
    "columns",
    multiple=True,
    metavar="COLUMN",
    help="Column of the number; repeat it for area code and number.  [default: the only column that fits]",
)
@click.option(
    "--max-unreadable",
    default="0",
    show_default=True,
    callback=options.read_allowance,
    metavar="N|SHARE",
    help="Most entries that may be unreadable: 10, or a share such as 0.1%. Above it, the exit code is 1.",
)
@why_option
@options.region
@options.optional_conn
def import_file(
    *,
    file: Path,
    columns: tuple[str, ...],
    max_unreadable: float,
    reason: str | None,
    region: str,
    conn: str | None,
) -> None:
    """Add all numbers of a file to the list.

    The file is .csv, .jsonl, .ndjson (each also .gz) or .parquet. Importing it again adds nothing twice, and continues
    where a killed import stopped. Exit code 1 if an entry is not a phone number: all others are suppressed, and that
    person is not.
    """
    from airflow_provider_dropcowboy.contacts.suppression import SuppressionList, UnreadableSuppressionsError
    from airflow_provider_dropcowboy.ledger.suppressions import suppress

    options.check_region(region)
    failure: UnreadableSuppressionsError | None = None
    ledger = connection.open_ledger_of(conn, may_create=True)
    with options.rows_of("FILE", file, columns=columns or None) as rows:
        numbers = SuppressionList(
            rows,
            columns=columns or None,
            max_unreadable=max_unreadable,
            region=region,
            column_argument="--phone-column",
            limit_argument="--max-unreadable",
        )

        def readable() -> "Iterator[Phone]":
            nonlocal failure
            try:
                yield from numbers
            except UnreadableSuppressionsError as error:
                failure = error

        added = suppress(ledger, readable(), source=SOURCE, reason=reason)
    if failure is not None and not numbers.numbers:
        raise failure
    click.echo(f"{added} numbers are suppressed that were not before.")
    if failure is not None:
        click.echo(f"{failure}", err=True)
        raise click.exceptions.Exit(console.ExitCode.UNFINISHED)
    if numbers.unreadable:
        click.echo(f"{numbers.unreadable} of {numbers.entries} entries cannot be read as phone numbers.", err=True)
