"""A connection's ledger: where it is, its results, and the contact lists that it names."""

import logging
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from airflow_provider_dropcowboy import errors
from airflow_provider_dropcowboy.hooks.config import home, setting
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.ledger.database import Ledger
    from airflow_provider_dropcowboy.reports.results import Progress

URL_VARIABLE: Final = "DROPCOWBOY_LEDGER_URL"
EMBEDDED_NAME: Final = "dropcowboy-ledger.db"
SPREADING_EXECUTORS: Final = ("Celery", "Kubernetes", "Edge", "Ecs", "Batch", "Lambda")
"""Executors whose tasks may run on several machines, by a part of their names."""

READ_BY_AIRFLOW_ONLY: Final = frozenset({"cursor", "enable_log_db_messages", "sqlalchemy_scheme"})
"""Keys of a Postgres connection's extra that say how Airflow's own hook reads rows: no other database, no other way."""

log = logging.getLogger(__name__)


def ledger_url(settings: ConnectionSettings | None) -> URL:
    """The URL of the ledger: the same for everything that sends, receives or reports.

    It comes from ``ledger_conn_id`` of the connection, ``[dropcowboy] ledger_conn_id`` of Airflow's configuration, or
    the variable ``DROPCOWBOY_LEDGER_URL``. Without any of them, it is a file under ``AIRFLOW_HOME``.

    :param settings: of the connection; None: there is none.
    :raises ConfigurationError: two of them name different databases, or none is set and tasks run on several machines.
    """
    found: dict[str, URL] = {}
    if settings is not None and settings.ledger_conn_id:
        found["ledger_conn_id of the connection"] = _of_connection(settings.ledger_conn_id)
    if conn_id := setting("dropcowboy", "ledger_conn_id"):
        found["[dropcowboy] ledger_conn_id"] = _of_connection(conn_id)
    if text := os.environ.get(URL_VARIABLE):
        found[URL_VARIABLE] = _parse(text)
    if len({_database(url) for url in found.values()}) > 1:
        raise errors.ConfigurationError(
            f"{' and '.join(found)} name different databases. Nothing was sent: with two ledgers people would be "
            "called twice. Set one of them, or both to the same."
        )
    if found:
        return next(iter(found.values()))
    return _embedded(setting("core", "executor") or "")


@dataclass(frozen=True, slots=True)
class Results:
    """An open ledger, and the connection that names it."""

    ledger: "Ledger"
    settings: ConnectionSettings

    def progress(self, campaign: str, *, expire_after: timedelta) -> "Progress":
        """How far the results of the account's campaign have come."""
        from airflow_provider_dropcowboy.reports.results import read_progress

        account = self.settings.account.name
        return read_progress(self.ledger, account, campaign=campaign, expire_after=expire_after)


@contextmanager
def open_results(dropcowboy_conn_id: str) -> Iterator[Results]:
    """Open the ledger of a connection. At the end, all its database connections are closed.

    :raises NoLedgerError: there is none; this does not make it.
    :raises DropCowboyError: the connection is wrong, or the ledger was not reached.
    """
    from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook
    from airflow_provider_dropcowboy.ledger.database import open_ledger

    settings = DropCowboyHook(dropcowboy_conn_id).settings
    ledger = open_ledger(ledger_url(settings))
    try:
        yield Results(ledger, settings)
    finally:
        ledger.engine.dispose()


def may_pass(error: errors.DropCowboyError) -> bool:
    """Whether a later look may succeed: the vendor or the ledger's database was away."""
    is_final = (errors.AuthenticationError, errors.RejectedError, errors.NoLedgerError, errors.SchemaVersionError)
    return isinstance(error, errors.VendorError | errors.LedgerError) and not isinstance(error, is_final)


@dataclass(frozen=True, slots=True)
class CountedList:
    """A list at the vendor, at one moment."""

    list_id: str
    contact_count: int


def look_at_list(dropcowboy_conn_id: str, *, list_name: str | None, list_id: str | None) -> CountedList | None:
    """Look up a list at the vendor. None: there is none of this name yet.

    A name is looked up in the ledger anew each time: a mirror has another id after it was rebuilt.

    :raises DropCowboyError: the look failed; ``may_pass`` says whether a later look may succeed.
    """
    from airflow_provider_dropcowboy.api.versions import vendor_of
    from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook
    from airflow_provider_dropcowboy.ledger.lists import current_list

    found = list_id
    if list_name is not None:
        with open_results(dropcowboy_conn_id) as results:
            current = current_list(results.ledger, results.settings.account.name, name=list_name)
        found = None if current is None else current.list_id
    if found is None:
        return None
    hook = DropCowboyHook(dropcowboy_conn_id)
    with hook.get_conn() as client:
        try:
            shown = client.ask(vendor_of(hook.account).get_list(found))
        except errors.RejectedError:
            if list_id is not None:
                raise
            return None  # it was replaced between the two looks
    return CountedList(shown.list_id, shown.contact_count or 0)


def _embedded(executor: str) -> URL:
    if any(name in executor for name in SPREADING_EXECUTORS):
        raise errors.ConfigurationError(
            f"The embedded ledger is a file on this machine, but {executor} may run the next try on another one. "
            "Nothing was sent. Set ledger_conn_id in the connection, or DROPCOWBOY_LEDGER_URL, to a PostgreSQL "
            "database: postgresql+psycopg://user:password@host/database."
        )
    return URL.create("sqlite", database=str(home() / EMBEDDED_NAME))


def _of_connection(conn_id: str) -> URL:
    from airflow.sdk import BaseHook

    connection = BaseHook.get_connection(conn_id)
    extra = connection.extra_dejson
    if connection.conn_type == "sqlite":
        _refuse(conn_id, sorted(extra), "is not understood for a ledger on SQLite")
        return URL.create("sqlite", database=connection.host or connection.schema)
    if connection.conn_type not in {"postgres", "postgresql"}:
        raise errors.ConfigurationError(
            f"ledger_conn_id={conn_id!r} is of type {connection.conn_type!r}; the ledger lives on postgres or sqlite."
        )
    return URL.create(
        "postgresql+psycopg",
        username=connection.login,
        password=connection.password,
        host=connection.host,
        port=connection.port,
        database=connection.schema,
        query=_libpq_options(conn_id, extra),
    )


def _libpq_options(conn_id: str, extra: Mapping[str, object]) -> dict[str, str]:
    """What a Postgres connection's extra says to libpq, as Airflow's own hook passes it on.

    :raises ConfigurationError: libpq does not know a key. It would be ignored, and the connection might be less
        safe than meant.
    """
    from airflow_provider_dropcowboy.ledger.postgres import check_driver

    check_driver(URL.create("postgresql+psycopg"))
    from psycopg import pq

    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    given = {
        name: value for name, value in extra.items() if name not in READ_BY_AIRFLOW_ONLY and value not in (None, "")
    }
    # Airflow's switches for other ways to log in say nothing while they are off
    wrong = [name for name, value in given.items() if name not in known and value is not False]
    _refuse(conn_id, wrong, "is not a connection parameter of libpq")
    wrong = [name for name, value in given.items() if name in known and not isinstance(value, str | int)]
    _refuse(conn_id, wrong, "is neither text nor a number")
    # libpq writes a switch as 1 or 0
    return {
        name: str(int(value) if isinstance(value, bool) else value) for name, value in given.items() if name in known
    }


def _refuse(conn_id: str, names: list[str], why: str) -> None:
    if names:
        raise errors.ConfigurationError(
            f"Connection {conn_id!r} of the ledger: {', '.join(names)} in its extra {why}. Nothing was sent. Correct "
            "it, or take it out."
        )


def _database(url: URL) -> tuple[str, ...]:
    """What tells two ledgers apart: the server, the database, and the schema if the search path names one."""
    if url.get_backend_name() == "sqlite":
        return "sqlite", str(Path(url.database or "").resolve())
    query = {name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()}
    host = query.get("host", url.host or "").lower()
    port = query.get("port", str(url.port or 5432))
    path = re.search(r"(?:-c\s*|--)search_path\s*=\s*((?:\\.|\S)+)", query.get("options", ""))
    return host, port, query.get("dbname", url.database or url.username or ""), path[1] if path else ""


def _parse(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError:
        raise errors.ConfigurationError(
            f"{URL_VARIABLE} is not a SQLAlchemy URL. Write postgresql+psycopg://… or sqlite:////absolute/path.db."
        ) from None
    if url.drivername in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg")
    return url
