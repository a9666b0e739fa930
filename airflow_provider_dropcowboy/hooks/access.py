"""Whether a connection can send, in words for a person: for the Test button and for ``dropcowboy doctor``."""

from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_dropcowboy.errors import DropCowboyError

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.api.account import Access
    from airflow_provider_dropcowboy.api.wire import Call, Reply
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings


def check_access(settings: "ConnectionSettings") -> tuple[bool, str]:
    """Whether the connection can send, and if not, why and what to do. Nothing is sent.

    :returns: the verdict, and a text without any secret: Airflow shows it as it is.
    """
    from airflow_provider_dropcowboy.transport.client import Client

    try:
        with Client(settings.account, timeout_s=settings.timeout_s, verify=settings.verify) as client:
            reply = client.call(access_call(settings).request)
        found = read_access(settings, reply)
    except DropCowboyError as error:
        return False, str(error)
    return found.is_ready, f"{host_of(settings)} accepts the credentials. {found.text}"


def access_call(settings: "ConnectionSettings") -> "Call[Access]":
    """The call that says whether the account can send."""
    from airflow_provider_dropcowboy.api.versions import vendor_of

    return vendor_of(settings.account).access(settings.default_brand_id)


def read_access(settings: "ConnectionSettings", reply: "Reply") -> "Access":
    """Whether the account can send, from the reply to ``access_call``.

    :raises DropCowboyError: the reply does not say. The text says what may be wrong: host, network, credentials, funds
        or rights.
    """
    from airflow_provider_dropcowboy.api.reading import error_reason
    from airflow_provider_dropcowboy.api.versions import vendor_of
    from airflow_provider_dropcowboy.api.wire import Answer, NotWritten, read_reply
    from airflow_provider_dropcowboy.errors import AuthenticationError, NotTakenError

    host = host_of(settings)
    match reply:
        case NotWritten(why=why):
            raise NotTakenError(f"{host} was not reached: {why}. Nothing was sent. {_where_to_look(why)}")
        case Answer(status=HTTPStatus.UNAUTHORIZED | HTTPStatus.PAYMENT_REQUIRED | HTTPStatus.FORBIDDEN as status):
            said = ": ".join(filter(None, (f"HTTP {status}", error_reason(reply.body))))
            remedy = _REFUSALS.get(HTTPStatus(status)) or vendor_of(settings.account).wrong_credentials
            raise AuthenticationError(f"{host} refuses the connection ({said}). Nothing was sent. {remedy}")
        case _:
            return read_reply(access_call(settings), reply)


def host_of(settings: "ConnectionSettings") -> str:
    """The host that the connection leads to, for a person."""
    return urlsplit(settings.account.base_url).netloc


_REFUSALS = {
    HTTPStatus.PAYMENT_REQUIRED: "The account has no funds.",
    HTTPStatus.FORBIDDEN: "The account may not use the API: ask Drop Cowboy to allow it.",
}


def _where_to_look(why: str) -> str:
    if "no name server" in why or "unreachable" in why:
        return "This machine has no network, or none that leads there: check network, DNS and proxy."
    if "no such name" in why:
        return "Check the host of the connection."
    if "proxy" in why:
        return "Check the proxy of this machine's environment."
    if "TLS" in why:
        return "Check schema and port of the connection, and verify."
    return "Check host, port and schema of the connection, the network and any proxy."
