"""What the API lets a connection do, in words for a person: the Test button's, and those of ``dropcowboy doctor``."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_dropcowboy.errors import DropCowboyError

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.api.catalog import Brand
    from airflow_provider_dropcowboy.api.wire import Reply
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings


def check_access(settings: "ConnectionSettings") -> tuple[bool, str]:
    """Whether the connection can send voicemails, and if not, why and what to do. Nothing is sent.

    :returns: without any secret; Airflow shows it as it is.
    """
    from airflow_provider_dropcowboy.api.catalog import brands
    from airflow_provider_dropcowboy.transport.client import Client

    try:
        with Client(settings.account, timeout_s=settings.timeout_s, verify=settings.verify) as client:
            reply = client.call(brands().request)
        found = brands_of(settings, reply)
    except DropCowboyError as error:
        return False, str(error)
    is_well, text = brand_access(found, settings.default_brand_id)
    return is_well, f"{host_of(settings)} accepts the credentials. {text}"


def brands_of(settings: "ConnectionSettings", reply: "Reply") -> "tuple[Brand, ...]":
    """The account's brands, from what came back for them.

    :raises DropCowboyError: there was no such answer; its text says which of host, network, credentials, funds and
        rights it may be.
    """
    from airflow_provider_dropcowboy.api.answers import error_reason
    from airflow_provider_dropcowboy.api.catalog import brands
    from airflow_provider_dropcowboy.api.replies import read_reply
    from airflow_provider_dropcowboy.api.wire import Answer, NotWritten
    from airflow_provider_dropcowboy.errors import AuthenticationError, NotTakenError

    host = host_of(settings)
    match reply:
        case NotWritten(why=why):
            raise NotTakenError(f"{host} was not reached: {why}. Nothing was sent. {_where_to_look(why)}")
        case Answer(status=HTTPStatus.UNAUTHORIZED | HTTPStatus.PAYMENT_REQUIRED | HTTPStatus.FORBIDDEN as status):
            said = ": ".join(filter(None, (f"HTTP {status}", error_reason(reply.body))))
            remedy = _REFUSALS[HTTPStatus(status)]
            raise AuthenticationError(f"{host} refuses the connection ({said}). Nothing was sent. {remedy}")
        case _:
            return read_reply(brands(), reply)


def brand_access(found: "Sequence[Brand]", default_brand_id: str | None) -> tuple[bool, str]:
    """Whether a voicemail has a brand to be sent as, and what to do if not."""
    allowed = [brand.brand_id for brand in found if brand.api_allowed]
    text = f"{len(allowed)} of {len(found)} brands may be used through the API"
    if default_brand_id is None:
        remedy = "Voicemails need one: ask Drop Cowboy to register and allow it. Texts need none."
        return bool(allowed), f"{text}." if allowed else f"{text}. {remedy}"
    if default_brand_id in allowed:
        return True, f"{text}, default_brand_id among them."
    if default_brand_id in {brand.brand_id for brand in found}:
        return False, f"{text}; default_brand_id is not allowed. Ask Drop Cowboy to allow it, or set another."
    return False, (
        f"{text}; default_brand_id is no brand of the account. `dropcowboy brands` lists all; set another, or "
        "correct the team id."
    )


def host_of(settings: "ConnectionSettings") -> str:
    """Where the connection leads, for a person."""
    return urlsplit(settings.account.base_url).netloc


_REFUSALS = {
    HTTPStatus.UNAUTHORIZED: (
        "The team id (login) or the secret (password) is wrong: the API answers both alike. Copy both again from the "
        "API settings of Drop Cowboy, of the same account."
    ),
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
