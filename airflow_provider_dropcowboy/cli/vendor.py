"""One look at the vendor. A person at a shell asks again by hand, so nothing is asked twice here."""

from typing import TypeVar
from urllib.parse import urlsplit

from airflow_provider_dropcowboy.api.catalog import brands
from airflow_provider_dropcowboy.api.replies import Call, read_reply
from airflow_provider_dropcowboy.api.wire import NotWritten, Reply, Request
from airflow_provider_dropcowboy.cli.failures import UnreachedError
from airflow_provider_dropcowboy.errors import NotTakenError
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
from airflow_provider_dropcowboy.transport.client import Client

T = TypeVar("T")


def ask(settings: ConnectionSettings, call: Call[T]) -> T:
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
    reply_of(settings, brands().request)
