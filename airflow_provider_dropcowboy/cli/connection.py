"""What a command reaches through a connection: its settings as Airflow resolves them, its ledger, and the vendor.

The one file of the command line that imports Airflow, which takes two seconds.
"""

import logging
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import urlsplit

import click
import sqlalchemy as sa

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.api.replies import Call, read_reply
from airflow_provider_dropcowboy.api.versions import DEFAULT, vendor_of
from airflow_provider_dropcowboy.api.wire import NotWritten, Reply, Request
from airflow_provider_dropcowboy.cli.failures import UnreachedError
from airflow_provider_dropcowboy.cli.options import DEFAULT_CONN
from airflow_provider_dropcowboy.errors import ConfigurationError, NotTakenError
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
from airflow_provider_dropcowboy.ledger.database import Ledger, find_ledger, open_ledger
from airflow_provider_dropcowboy.ledger.lookup import find_campaigns
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.transport.client import Client

if TYPE_CHECKING:
    from datetime import datetime

    from airflow.sdk import Connection

    from airflow_provider_dropcowboy.ledger.runs import Campaign
    from airflow_provider_dropcowboy.screening.calling_hours import CallingHours

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
    with _airflow():
        connection = _from_variable(conn) if conn.startswith(ENVIRONMENT) else _from_airflow(conn)
        return ConnectionSettings.of(connection)


def ledger_url_of(settings: ConnectionSettings) -> sa.URL:
    """Where the ledger of a connection is.

    :raises ConfigurationError: it is named wrongly, or two places are named.
    """
    from airflow_provider_dropcowboy.hooks.ledger import ledger_url

    with _airflow():
        from airflow.sdk.exceptions import AirflowException

        try:
            return ledger_url(settings)
        except AirflowException:  # its text may repeat a connection's URI
            pass
    raise ConfigurationError("Airflow knows no connection of the name in ledger_conn_id. Nothing was sent. Create it.")


def load_hours(mode: str, *, channel: str, message_kind: str) -> "CallingHours | None":
    """Who judges calling hours, by Airflow's setting of the user's own rules; None: nobody does.

    :raises ConfigurationError: the user's rules cannot be read.
    """
    from airflow_provider_dropcowboy.hooks.calling_hours import calling_hours

    with _airflow():
        return calling_hours(mode, channel=channel, message_kind=message_kind)


def load_own_rules() -> str | None:
    """The text of the user's own rules of calling hours, by Airflow's setting; None: it names no file.

    :raises ConfigurationError: the file cannot be read.
    """
    from airflow_provider_dropcowboy.hooks.calling_hours import own_rules

    with _airflow():
        return own_rules()


def find_ledger_url(conn: str | None) -> sa.URL:
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
        settings = ConnectionSettings(account=Account("-", Secret("-"), DEFAULT.base_url))
    return ledger_url_of(settings)


def redacted_url(url: sa.URL) -> str:
    """A database's URL without user, password and options."""
    return sa.URL.create(url.drivername, host=url.host, port=url.port, database=url.database).render_as_string()


def open_ledger_of(conn: str | None, *, may_create: bool = False) -> Ledger:
    """The ledger of a connection.

    :param may_create: set it up if there is none, and say so: for what a person writes before the first campaign, such
        as opt-outs. In another ledger than the sender's they would keep nobody from being contacted.
    """
    url = find_ledger_url(conn)
    if not may_create:
        return open_ledger(url)
    ledger = find_ledger(url)
    if ledger is None:
        ledger = open_ledger(url, may_create=True)
        click.echo(f"Set up a new ledger: {ledger}. Senders must use the same one.", err=True)
    return ledger


def open_campaigns(
    name: str, *, account: str | None, channel: str | None, conn: str | None
) -> "tuple[Ledger, list[Campaign]]":
    """The ledger, and the campaigns of that name in it, one a channel.

    :raises DropCowboyError: there is no such ledger or campaign, or the name is not enough.
    """
    ledger = open_ledger_of(conn)
    return ledger, find_campaigns(ledger, name, account=account, channel=None if channel is None else Channel(channel))


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
    with Client(settings.account, timeout_s=settings.timeout_s, verify=settings.verify) as client:
        reply = client.call(request)
    if isinstance(reply, NotWritten):
        raise UnreachedError(
            f"{urlsplit(settings.account.base_url).netloc} was not reached: {reply.why}. Nothing was sent. "
            "Check host, port and schema of the connection, the network and any proxy."
        )
    return reply


def check_reached(settings: ConnectionSettings) -> None:
    """Nothing, if the vendor answers anything at all: asked before anyone is claimed.

    :raises UnreachedError: nothing was sent.
    """
    reply_of(settings, vendor_of(settings.account).access().request)


def triggerer_beat() -> "datetime | None":
    """The last sign of life of a triggerer; None: there is none, or Airflow's database is not reached."""
    with _airflow():
        try:
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
    with _airflow():
        from airflow.providers.common.compat.sdk import conf

        name: str = conf.get("core", "executor", fallback="")
        return name


@contextmanager
def _airflow() -> Iterator[None]:
    """Airflow as a program that is no task sees it, and silent on stdout, which is for the answer alone."""
    # as Airflow's own `connections` commands do: without it, its metadata database is not asked
    os.environ.setdefault("_AIRFLOW_PROCESS_CONTEXT", "server")
    # Airflow's log handlers take the stdout that they find when it is imported
    with redirect_stdout(sys.stderr):
        yield
    # its handlers are the root's: without this they would show every library's INFO
    logging.getLogger().setLevel(logging.WARNING)


def _from_airflow(conn_id: str) -> "Connection":
    from airflow.providers.common.compat.sdk import AirflowNotFoundException
    from airflow.sdk import BaseHook

    try:
        connection: Connection = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        pass
    else:
        return connection
    raise NoConnectionError(
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
