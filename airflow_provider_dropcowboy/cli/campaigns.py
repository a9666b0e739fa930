"""How commands name a campaign, and what they find by that name."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import click

from airflow_provider_dropcowboy.cli.options import optional_conn_option

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.ledger.database import Ledger
    from airflow_provider_dropcowboy.ledger.runs import Campaign

Function = Callable[..., None]

channel_option: Final = click.option(
    "--channel", type=click.Choice(["rvm", "sms"]), help="Only voicemails, or only texts.  [default: both]"
)
account_option: Final = click.option(
    "--account", metavar="TEAM@HOST", help="If several accounts have a campaign of that name."
)
contacts_option: Final = click.option(
    "--contact", "contacts", multiple=True, metavar="KEY", help="Only this contact. Repeatable.  [default: all]"
)


def names_campaign(function: Function) -> Function:
    """The options by which a command finds its campaigns in the ledger; ``CAMPAIGN`` itself is its argument."""
    for option in (optional_conn_option, channel_option, account_option):
        function = option(function)
    return function


def open_campaigns(
    name: str, *, account: str | None, channel: str | None, conn: str | None
) -> "tuple[Ledger, list[Campaign]]":
    """The ledger, and the campaigns of that name in it, one a channel.

    :raises DropCowboyError: there is no such ledger or campaign, or the name is not enough.
    """
    from airflow_provider_dropcowboy.api.messages import Channel
    from airflow_provider_dropcowboy.ledger.lookup import find_campaigns

    ledger = open_for(conn)
    return ledger, find_campaigns(ledger, name, account=account, channel=None if channel is None else Channel(channel))


def open_for(conn: str | None, *, may_create: bool = False) -> "Ledger":
    """The ledger of a connection.

    :param may_create: set it up if there is none, and say so: for what a person writes before the first campaign, such
        as opt-outs. In another ledger than the sender's they would keep nobody from being contacted.
    """
    from airflow_provider_dropcowboy.cli.connection import find_ledger_place
    from airflow_provider_dropcowboy.ledger.database import find_ledger, open_ledger

    place = find_ledger_place(conn)
    if not may_create:
        return open_ledger(place)
    ledger = find_ledger(place)
    if ledger is None:
        ledger = open_ledger(place, may_create=True)
        click.echo(f"Set up a new ledger: {ledger}. Senders must use the same one.", err=True)
    return ledger


def keys(contacts: tuple[str, ...]) -> list[str] | None:
    """Contact keys in each notation in which the ledger may hold them; None: no contact was named."""
    from airflow_provider_dropcowboy.contacts.key import other_notations, same_person

    read = [read_key(contact) for contact in contacts]
    return [text for key in read for text in (same_person(key), *other_notations(key))] or None


def read_key(contact: str) -> str:
    """A contact key as the ledger writes it.

    :raises click.UsageError: it names nobody; the text does not repeat it.
    """
    from airflow_provider_dropcowboy.contacts.key import ContactKeyError, canonical_key

    try:
        return canonical_key(contact)
    except ContactKeyError as error:
        raise click.UsageError(f"--contact: {error}.") from None


def title(campaign: "Campaign") -> str:
    """A campaign as it is shown above its figures."""
    return f"campaign {campaign.name} ({campaign.channel}, account {campaign.account})"
