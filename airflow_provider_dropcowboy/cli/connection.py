"""What a command reaches through a connection: its settings as Airflow resolves them, its ledger, and the vendor.

The one file of the command line that imports Airflow, which takes two seconds: only where nothing else will do.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

import click

from airflow_provider_dropcowboy.api.versions import DEFAULT, vendor_of
from airflow_provider_dropcowboy.api.wire import Call, NotWritten, Reply, Request, read_reply
from airflow_provider_dropcowboy.cli.console import DEFAULT_CONN, UnreachedError
from airflow_provider_dropcowboy.errors import ConfigurationError, NotTakenError
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import URL

    from airflow_provider_dropcowboy.hooks.config import WrittenConnection
    from airflow_provider_dropcowboy.hooks.connection import Connection
    from airflow_provider_dropcowboy.ledger.database import Ledger
    from airflow_provider_dropcowboy.screening.calling_hours import CallingHours
    from airflow_provider_dropcowboy.transport.client import Client

T = TypeVar("T")

ENVIRONMENT: Final = "env:"


class NoConnectionError(ConfigurationError):
    """Airflow knows no connection of that id."""


def load_settings(conn: str) -> ConnectionSettings:
    """The settings of a connection.

    :param conn: connection id, or ``env:NAME`` of a variable that holds a connection's URI or JSON.
    :raises NoConnectionError: there is none.
    :raises ConfigurationError: it cannot be read, or a field of it is wrong.
    """
    if (plain := _without_airflow(conn)) is not None:
        return ConnectionSettings.of(plain)
    with _airflow():
        connection = _from_variable(conn) if conn.startswith(ENVIRONMENT) else _from_airflow(conn)
        return ConnectionSettings.of(connection)


def ledger_url_of(settings: ConnectionSettings) -> "URL":
    """Where the ledger of a connection is.

    :raises ConfigurationError: it is named wrongly, or two places are named.
    """
    from airflow_provider_dropcowboy.hooks.config import setting
    from airflow_provider_dropcowboy.hooks.ledger import ledger_url

    with _airflow(is_needed=bool(settings.ledger_conn_id or setting("dropcowboy", "ledger_conn_id"))):
        try:
            return ledger_url(settings)
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "airflow":  # its text may repeat a connection's URI
                raise
    raise ConfigurationError("Airflow knows no connection of the name in ledger_conn_id. Nothing was sent. Create it.")


def load_hours(mode: str, *, channel: str, message_kind: str) -> "CallingHours | None":
    """Who judges calling hours, by Airflow's setting of the user's own rules; None: nobody does.

    :raises ConfigurationError: the user's rules cannot be read.
    """
    from airflow_provider_dropcowboy.hooks.config import calling_hours

    with _airflow(is_needed=False):
        return calling_hours(mode, channel=channel, message_kind=message_kind)


def load_own_rules() -> str | None:
    """The text of the user's own rules of calling hours, by Airflow's setting; None: it names no file.

    :raises ConfigurationError: the file cannot be read.
    """
    from airflow_provider_dropcowboy.hooks.config import own_rules

    with _airflow(is_needed=False):
        return own_rules()


def find_ledger_url(conn: str | None) -> "URL":
    """Where the ledger is, for a command that asks the vendor nothing.

    :param conn: None: that of ``dropcowboy_default`` if there is such a connection, else what Airflow's configuration
        or the environment says.
    """
    try:
        settings = load_settings(conn or DEFAULT_CONN)
    except NoConnectionError:
        if conn is not None:
            raise
        # of a connection, only ledger_conn_id says where the ledger is; this one has none
        from airflow_provider_dropcowboy.api.account import Account
        from airflow_provider_dropcowboy.secret import Secret

        settings = ConnectionSettings(account=Account("-", Secret("-"), DEFAULT.base_url))
    return ledger_url_of(settings)


def redacted_url(url: "URL") -> str:
    """A database's URL without user, password and options."""
    from sqlalchemy import URL

    return URL.create(url.drivername, host=url.host, port=url.port, database=url.database).render_as_string()


def open_ledger_of(conn: str | None, *, may_create: bool = False) -> "Ledger":
    """The ledger of a connection.

    :param may_create: set it up if there is none, and say so: for what a person writes before the first campaign, such
        as opt-outs. In another ledger than the sender's they would keep nobody from being contacted.
    """
    from airflow_provider_dropcowboy.ledger.database import find_ledger, open_ledger

    url = find_ledger_url(conn)
    if not may_create:
        return open_ledger(url)
    ledger = find_ledger(url)
    if ledger is None:
        ledger = open_ledger(url, may_create=True)
        click.echo(f"Set up a new ledger: {ledger}. Senders must use the same one.", err=True)
    return ledger


def client_of(settings: ConnectionSettings) -> "Client":
    """A client for single calls; it is a context manager."""
    from airflow_provider_dropcowboy.transport.client import Client

    return Client(settings.account, timeout_s=settings.timeout_s, verify=settings.verify)


def fetch(settings: ConnectionSettings, call: Call[T]) -> T:
    """The value of a call.

    :raises UnreachedError: the vendor was not reached, or asks to be left alone.
    :raises VendorError: it answered something else.
    """
    try:
        return read_reply(call, reply_of(settings, call.request))
    except NotTakenError as error:
        raise UnreachedError(str(error)) from error


def reply_of(settings: ConnectionSettings, request: Request) -> Reply:
    """What came back for a request.

    :raises UnreachedError: no byte of it was written.
    """
    with client_of(settings) as client:
        reply = client.call(request)
    if isinstance(reply, NotWritten):
        raise UnreachedError(
            f"{urlsplit(settings.account.base_url).netloc} was not reached: {reply.why}. Nothing was sent. "
            "Check host, port and schema of the connection, the network and any proxy."
        )
    return reply


def check_reached(settings: ConnectionSettings) -> None:
    """Nothing, if the vendor answers anything at all: checked before anyone is claimed.

    :raises UnreachedError: nothing was sent.
    """
    reply_of(settings, vendor_of(settings.account).access().request)


def triggerer_beat() -> "datetime | None":
    """The last sign of life of a triggerer; None: there is none, or Airflow's database is not reached."""
    from airflow_provider_dropcowboy.hooks.config import is_set_up

    if not is_set_up():
        return None
    with _airflow():
        try:
            import sqlalchemy as sa
            from airflow.jobs.job import Job
            from airflow.utils.session import create_session

            with create_session() as session:
                job = Job.job_type == "TriggererJob", Job.state == "running"
                beat: datetime | None = session.scalar(sa.select(sa.func.max(Job.latest_heartbeat)).where(*job))
        except Exception:  # noqa: BLE001  # no Airflow is set up here, or its database is away: nothing is known
            return None
        return beat


def executor() -> str:
    """Which executor Airflow is set to."""
    from airflow_provider_dropcowboy.hooks.config import setting

    with _airflow(is_needed=False):
        return setting("core", "executor") or ""


@contextmanager
def _airflow(*, is_needed: bool = True) -> Iterator[None]:
    """Airflow as a program that is no task sees it, and silent on stdout, which is for the answer alone.

    :param is_needed: False: it may be imported within, and mostly is not.
    """
    # as Airflow's own `connections` commands do: without it, its metadata database is not read
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    # Airflow's log handlers take the stdout that they find when it is imported
    with redirect_stdout(sys.stderr):
        yield
    if not is_needed and "airflow" not in sys.modules:
        return
    # its handlers are the root's: without this they would show every library's INFO
    logging.getLogger().setLevel(logging.WARNING)


def _without_airflow(conn: str) -> "WrittenConnection | None":
    """The connection, if the environment has it as plain JSON; None: Airflow has to look.

    :raises NoConnectionError: it is nowhere: Airflow was never set up here.
    """
    from airflow_provider_dropcowboy.hooks.config import is_set_up, read_connection, setting

    if conn.startswith(ENVIRONMENT):
        return read_connection(os.environ.get(conn.removeprefix(ENVIRONMENT), ""))
    if setting("secrets", "backend"):
        return None
    text = os.environ.get(f"AIRFLOW_CONN_{conn.upper()}")
    if text is None and not is_set_up():
        raise _no_connection(conn)
    return read_connection(text or "")


def _from_airflow(conn_id: str) -> "Connection":
    from airflow.providers.common.compat.sdk import AirflowNotFoundException
    from airflow.sdk import BaseHook

    try:
        connection: Connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        pass
    else:
        return connection
    raise _no_connection(conn_id)


def _no_connection(conn_id: str) -> NoConnectionError:
    return NoConnectionError(
        f"Airflow knows no connection {conn_id!r}, or cannot read it. Nothing was sent. Create it "
        f"(`airflow connections add {conn_id} --conn-type dropcowboy …`), set AIRFLOW_CONN_{conn_id.upper()}, "
        "or give --conn env:NAME."
    )


def _from_variable(conn: str) -> "Connection":
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowException

    name = conn.removeprefix(ENVIRONMENT)
    text = os.environ.get(name, "").strip()
    if not text:
        raise ConfigurationError(f"--conn {conn}: the environment has no variable {name!r}, or it is empty.")
    try:
        if text.startswith("{"):
            return Connection.from_json(text, conn_id=name)
        if "://" in text:
            return Connection.from_uri(text, conn_id=name)
    except (AirflowException, AttributeError, KeyError, TypeError, ValueError):  # their texts repeat the value
        pass
    raise ConfigurationError(
        f"--conn {conn}: the variable {name!r} holds no connection. Write JSON like "
        '{"conn_type": "dropcowboy", "login": "team id", "password": "secret"}, or a URI like '
        "dropcowboy://team-id:secret@"
    )
