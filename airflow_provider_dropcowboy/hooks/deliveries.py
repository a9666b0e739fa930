"""What sensors and triggers look at: the results of a campaign, and a contact list."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_dropcowboy.errors import (
    AuthenticationError,
    DropCowboyError,
    LedgerError,
    NoLedgerError,
    RejectedError,
    SchemaVersionError,
    VendorError,
)

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
    from airflow_provider_dropcowboy.ledger.database import Ledger
    from airflow_provider_dropcowboy.reports.results import Progress


@dataclass(frozen=True, slots=True)
class Results:
    """An open ledger, and whose connection it was found by."""

    ledger: "Ledger"
    settings: "ConnectionSettings"

    def progress(self, campaign: str, *, expire_after: timedelta) -> "Progress":
        """How far the results of the account's campaign have come."""
        from airflow_provider_dropcowboy.reports.results import read_progress

        account = self.settings.account.name
        return read_progress(self.ledger, account, campaign=campaign, expire_after=expire_after)


@contextmanager
def open_results(dropcowboy_conn_id: str) -> Iterator[Results]:
    """The ledger of a connection; all its database connections are closed at the end.

    :raises NoLedgerError: there is none, and it is not made here.
    :raises DropCowboyError: the connection is wrong, or the ledger was not reached.
    """
    from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook
    from airflow_provider_dropcowboy.hooks.ledger import ledger_url
    from airflow_provider_dropcowboy.ledger.database import open_ledger

    settings = DropCowboyHook(dropcowboy_conn_id).settings
    ledger = open_ledger(ledger_url(settings))
    try:
        yield Results(ledger, settings)
    finally:
        ledger.engine.dispose()


def may_pass(error: DropCowboyError) -> bool:
    """Whether looking again later may help: the vendor or the ledger's database was away."""
    if isinstance(error, VendorError):
        return not isinstance(error, AuthenticationError | RejectedError)
    return isinstance(error, LedgerError) and not isinstance(error, NoLedgerError | SchemaVersionError)


@dataclass(frozen=True, slots=True)
class CountedList:
    """A list at the vendor, at one moment."""

    list_id: str
    contact_count: int


def look_at_list(dropcowboy_conn_id: str, *, list_name: str | None, list_id: str | None) -> CountedList | None:
    """The list; None: there is none of this name yet.

    A name is looked up in the ledger anew each time: a mirror has another id after it was rebuilt.

    :raises DropCowboyError: it cannot be found out; ``may_pass`` says whether it can later.
    """
    from airflow_provider_dropcowboy.api.versions import vendor_of
    from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook
    from airflow_provider_dropcowboy.transport.client import Client

    settings = DropCowboyHook(dropcowboy_conn_id).settings
    found = list_id or _id_of(dropcowboy_conn_id, str(list_name))
    if found is None:
        return None
    with Client(settings.account, timeout_s=settings.timeout_s, verify=settings.verify) as client:
        try:
            shown = client.ask(vendor_of(settings.account).lists.get_list(found))
        except RejectedError:
            if list_id is not None:
                raise
            return None  # it was replaced between the two looks
    return CountedList(shown.list_id, shown.contact_count or 0)


def _id_of(dropcowboy_conn_id: str, list_name: str) -> str | None:
    from airflow_provider_dropcowboy.ledger.lists import current_list

    with open_results(dropcowboy_conn_id) as results:
        current = current_list(results.ledger, results.settings.account.name, name=list_name)
    return None if current is None else current.list_id
