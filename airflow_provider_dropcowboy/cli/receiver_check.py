"""Whether the vendor's results will arrive: the callback URL is asked, as the vendor will ask it."""

from http import HTTPStatus
from typing import TYPE_CHECKING, Final

from airflow_provider_dropcowboy.api.callback_url import CallbackUrls, Ticket
from airflow_provider_dropcowboy.api.wire import NotWritten
from airflow_provider_dropcowboy.cli.finding import Finding
from airflow_provider_dropcowboy.transport.probe import probe

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings

ABOUT: Final = "receiver"
NO_MESSAGE: Final = Ticket("doctor", 0)
"""What a token is made of that belongs to no message: whoever has it can report no result."""


def look_at_receiver(settings: "ConnectionSettings") -> Finding:
    """Whether the callback URL leads to a receiver that knows the connection's secret. Nothing is stored there."""
    base_url = settings.callback_url
    if base_url is None:
        return Finding(
            ABOUT,
            True,
            "no callback_url: what becomes of a message will not be known. To know it, run `dropcowboy receiver`, and "
            "set callback_url and callback_secret.",
        )
    if settings.callback_secret is None:
        return Finding(
            ABOUT,
            True,
            f"results go to {base_url} as it is, since there is no callback_secret: none will come to the ledger",
        )
    reply = probe(CallbackUrls(base_url, settings.callback_secret).url(NO_MESSAGE), verify=settings.verify)
    if isinstance(reply, NotWritten):
        return Finding(
            ABOUT,
            False,
            f"{base_url} was not reached from this machine: {reply.why}. Start `dropcowboy receiver`, look at its "
            "proxy, or correct callback_url. If only this machine cannot reach it, try from outside.",
        )
    match reply.status:
        case HTTPStatus.OK:
            return Finding(ABOUT, True, f"{base_url} is reached from this machine, and knows the callback_secret")
        case HTTPStatus.SERVICE_UNAVAILABLE:
            told = "found no connection or ledger: its own /ready says what is wrong"
            return Finding(ABOUT, False, f"{base_url} answers, but its receiver {told} (HTTP 503).")
        case HTTPStatus.NOT_FOUND if _is_receiver(base_url, settings):
            return Finding(
                ABOUT,
                False,
                f"the receiver at {base_url} does not know the connection's callback_secret, and would refuse every "
                "result. Start it with this connection (--conn; in Airflow [dropcowboy] receiver_conn_ids), or wait a "
                "minute if the secret was just changed.",
            )
        case status:
            return Finding(
                ABOUT,
                False,
                f"{base_url} is reached, but something else answers there (HTTP {status}). Correct callback_url, or "
                "let the proxy pass /callbacks/ on to the receiver.",
            )


def _is_receiver(base_url: str, settings: "ConnectionSettings") -> bool:
    reply = probe(f"{base_url}/health", verify=settings.verify)
    return not isinstance(reply, NotWritten) and (reply.status, reply.body) == (HTTPStatus.OK, b"alive\n")
