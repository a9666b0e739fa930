"""Why a run stops early, as an order and as the error it ends with."""

from typing import Final

from airflow_provider_dropcowboy.api.answers import Outcome, SendOutcome
from airflow_provider_dropcowboy.campaign.control import Order
from airflow_provider_dropcowboy.errors import AuthenticationError, PausedError, VendorDownError

STOPPED: Final = SendOutcome(Outcome.RELEASED, "not written: the run was stopped")
NOT_AGAIN: Final = SendOutcome(Outcome.RELEASED, "not asked again: opted out meanwhile, or the calling hours ended")
CUT_OFF: Final = SendOutcome(Outcome.UNKNOWN, "no answer: the run was ended before it came")


def paused(reason: str) -> Order:
    """A person paused the campaign, or all."""
    text = f"{reason}. What was asked is recorded, nobody else was asked. Resume, then clear the task."
    return Order(reason, error=PausedError(text))


def refused(reason: str) -> Order:
    """An answer that every further message would get as well."""
    text = (
        f"The API refused a request for a cause that holds for every message: {reason}. The run stopped at once; "
        "what it refused counts as released and is asked by the next try. Check team id, secret, host and funds."
    )
    return Order(reason, error=AuthenticationError(text))


def vendor_down(failures: int, reason: str) -> Order:
    """One request failed after the other."""
    text = (
        f'The last {failures} requests failed one after the other, at the end with "{reason}". The run stopped; nobody '
        "else was asked. What may have been taken is unknown, the rest is asked by the next try."
    )
    return Order("the vendor is down", error=VendorDownError(text))
