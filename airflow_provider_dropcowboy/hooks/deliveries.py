"""The ledger of a connection, for what looks at results and never creates one."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow_provider_dropcowboy.errors import DropCowboyError, LedgerError, NoLedgerError, SchemaVersionError

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
    from airflow_provider_dropcowboy.ledger.database import Ledger
    from airflow_provider_dropcowboy.reports.progress import Progress


@dataclass(frozen=True, slots=True)
class Results:
    """An open ledger, and whose connection it was found by."""

    ledger: "Ledger"
    settings: "ConnectionSettings"

    def progress(self, campaign: str, *, expire_after: timedelta) -> "Progress":
        """How far the results of the account's campaign have come."""
        from airflow_provider_dropcowboy.reports.progress import read_progress

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
    """Whether looking again later may help: the ledger is there, and its database was away."""
    return isinstance(error, LedgerError) and not isinstance(error, NoLedgerError | SchemaVersionError)
