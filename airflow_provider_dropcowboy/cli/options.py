"""Options that several commands have, worded once, and how their values are read."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import click

from airflow_provider_dropcowboy.argument_kinds import read_duration
from airflow_provider_dropcowboy.contacts.suppression import allowance_of

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.phone import Phone

Function = Callable[..., None]

DEFAULT_CONN: Final = "dropcowboy_default"

conn_option: Final = click.option(
    "--conn",
    default=DEFAULT_CONN,
    show_default=True,
    metavar="ID|env:NAME",
    help="Airflow connection, or the environment variable that holds one as URI or JSON.",
)

optional_conn_option: Final = click.option(
    "--conn",
    metavar="ID|env:NAME",
    help=f"Airflow connection whose ledger to use.  [default: that of {DEFAULT_CONN}, else Airflow's setting or "
    "DROPCOWBOY_LEDGER_URL]",
)

json_option: Final = click.option("--json", "as_json", is_flag=True, help="Print the output as JSON.")

region_option: Final = click.option(
    "--region", default="US", show_default=True, metavar="CC", help="Country of numbers without a country code."
)

channel_option: Final = click.option(
    "--channel", type=click.Choice(["rvm", "sms"]), help="Only voicemails, or only texts.  [default: both]"
)
account_option: Final = click.option(
    "--account", metavar="TEAM@HOST", help="Needed if several accounts have a campaign of that name."
)
contacts_option: Final = click.option(
    "--contact", "contacts", multiple=True, metavar="KEY", help="Only this contact. Repeatable.  [default: all]"
)


def names_campaign(function: Function) -> Function:
    """The options by which a command finds its campaigns in the ledger; ``CAMPAIGN`` itself is its argument."""
    for option in (optional_conn_option, channel_option, account_option):
        function = option(function)
    return function


def read_time(_ctx: click.Context, _param: click.Parameter, value: str) -> timedelta:
    """``90d``, ``12h`` or ``30m``."""
    duration = read_duration(value)
    if not duration:
        raise click.BadParameter(f"{value!r} is not a duration. Write it like 90d, 12h or 30m.")
    return duration


def read_instant(_ctx: click.Context, _param: click.Parameter, value: str | None) -> datetime | None:
    """ISO 8601; UTC if it names no zone."""
    if value is None:
        return None
    try:
        instant = datetime.fromisoformat(value.strip())
    except ValueError:
        raise click.BadParameter(
            f"{value!r} is not a point in time. Write it like 2026-11-24T08:00:00+00:00."
        ) from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def read_allowance(_ctx: click.Context, _param: click.Parameter, value: str) -> float:
    """``10`` is a number of entries, an int; ``0.001`` and ``0.1%`` are a share of them, a float."""
    allowed = allowance_of(value)
    if allowed is None:
        raise click.BadParameter(f"{value!r} is neither a number of entries (10) nor a share of them (0.1%).")
    return allowed


def read_phone(text: str, region: str) -> "Phone":
    """The number that was typed.

    :raises click.UsageError: it is none; the text does not repeat it.
    """
    from airflow_provider_dropcowboy.phone import Phone, PhoneError

    check_region(region)
    try:
        return Phone.parse(text, region=region)
    except PhoneError as error:
        raise click.UsageError(f"The number cannot be used: {error}.") from None


def check_region(region: str) -> None:
    """Nothing, if numbers without a country code can be read as numbers of this country.

    :raises click.UsageError: they cannot.
    """
    from airflow_provider_dropcowboy.phone import is_region

    if not is_region(region):
        raise click.UsageError(f"--region {region!r} is not a country with phone numbers. Write it like US.")


def read_key(contact: str) -> str:
    """A contact key as the ledger writes it.

    :raises click.UsageError: it names nobody; the text does not repeat it.
    """
    from airflow_provider_dropcowboy.contacts.key import ContactKeyError, canonical_key

    try:
        return canonical_key(contact)
    except ContactKeyError as error:
        raise click.UsageError(f"--contact: {error}.") from None


def read_keys(contacts: tuple[str, ...]) -> list[str] | None:
    """Contact keys in each notation in which the ledger may hold them; None: no contact was named."""
    from airflow_provider_dropcowboy.contacts.key import other_notations, same_person

    read = [read_key(contact) for contact in contacts]
    return [text for key in read for text in (same_person(key), *other_notations(key))] or None
