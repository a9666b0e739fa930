"""Good requests, as the sandbox's parts get them from the socket."""

from collections.abc import Callable, Mapping

from airflow_provider_dropcowboy.sandbox import catalog
from airflow_provider_dropcowboy.sandbox.protocol import Ask

MakeAsk = Callable[..., Ask]

CREDENTIALS = {"team_id": "sandbox-team", "secret": "sandbox-secret"}
HEADERS = {"x-team-id": "sandbox-team", "x-secret": "sandbox-secret"}

RVM = {
    **CREDENTIALS,
    "foreign_id": "one",
    "brand_id": catalog.BRAND_ID,
    "recording_id": catalog.RECORDING_ID,
    "phone_number": "+15045550100",
}
SMS = {
    **CREDENTIALS,
    "foreign_id": "one",
    "phone_number": "+15045550100",
    "caller_id": "+15045550199",
    "pool_id": catalog.POOL_ID,
    "sms_body": "Your order is ready.",
    "opt_in": True,
}


def ask(route: str, body: Mapping[str, object]) -> Ask:
    """A request with good headers; a field that is ``None`` is left out."""
    return Ask(route, HEADERS, body={name: value for name, value in body.items() if value is not None})
