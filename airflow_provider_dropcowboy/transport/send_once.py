"""One send without a ledger: nothing remembers it, so nothing can tell a second one."""

import logging
from typing import Final, assert_never

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.answers import ODD_SHAPE, Outcome, SendOutcome
from airflow_provider_dropcowboy.api.content import MAX_FOREIGN_ID_CHARACTERS, Content, check_url
from airflow_provider_dropcowboy.api.versions import vendor_of
from airflow_provider_dropcowboy.api.wire import CREDENTIAL_REFUSALS, Answer, Reply
from airflow_provider_dropcowboy.errors import (
    AmbiguousError,
    AuthenticationError,
    ConfigurationError,
    NotTakenError,
    RejectedError,
    VendorError,
)
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.transport.client import Client

log = logging.getLogger(__name__)

NOT_SENT: Final = "Nothing was sent."


def send_once(
    client: Client,
    account: Account,
    *,
    phone: Phone,
    content: Content,
    foreign_id: str,
    callback_url: str | None = None,
) -> None:
    """The vendor has taken this message. One request is written at most, whatever comes back.

    :raises ConfigurationError: the vendor would not take such a message; nothing was sent.
    :raises AmbiguousError: it may have been taken.
    :raises NotTakenError: surely not taken, and it may be asked again.
    :raises VendorError: of another kind: refused, with the vendor's reason.
    """
    vendor = vendor_of(account)
    vendor.rules.check(content)
    if callback_url is not None:
        check_url("callback_url", callback_url)
    given: object = foreign_id
    if not isinstance(given, str) or not given.isprintable():
        raise ConfigurationError(f"A foreign_id is printable text, not {given!r}. {NOT_SENT}")
    if not 0 < len(foreign_id) <= MAX_FOREIGN_ID_CHARACTERS:
        raise ConfigurationError(f"A foreign_id has 1 to {MAX_FOREIGN_ID_CHARACTERS} characters. {NOT_SENT}")
    request = vendor.send(account, content, phone=phone, foreign_id=foreign_id, callback_url=callback_url)
    reply = client.call(request)
    error = _error(reply, vendor.read_send(reply), foreign_id=foreign_id)
    if error:
        raise error


def _error(reply: Reply, outcome: SendOutcome, *, foreign_id: str) -> VendorError | None:
    match outcome.kind:
        case Outcome.ACCEPTED:
            if outcome.odd_shape:
                log.warning(ODD_SHAPE, outcome.odd_shape)
            return None
        case Outcome.REJECTED:
            return RejectedError(f"Drop Cowboy refused this message: {outcome.reason}. {NOT_SENT} Correct the message.")
        case Outcome.RELEASED:
            return NotTakenError(f"The message was not accepted ({outcome.reason}). It may be sent again.")
        case Outcome.REFUSED:
            refusal = isinstance(reply, Answer) and reply.status in CREDENTIAL_REFUSALS
            return (AuthenticationError if refusal else RejectedError)(
                f"Drop Cowboy refused the request ({outcome.reason}). {NOT_SENT} "
                "Check the team id (login), the secret (password) and the host of the connection, and the account."
            )
        case Outcome.UNKNOWN:
            return AmbiguousError(
                f"The message may have been sent ({outcome.reason}); its foreign_id is {foreign_id}. Do not repeat it "
                "before you looked in Drop Cowboy's own log, or waited for its callback."
            )
        case _:
            assert_never(outcome.kind)
