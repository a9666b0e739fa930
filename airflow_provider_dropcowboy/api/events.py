"""What a webhook of API v2 says (section "Webhook deliveries"); only a verified one is read."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from airflow_provider_dropcowboy.api import _reading as reading
from airflow_provider_dropcowboy.api.callbacks import Callback, callback_of, content_of
from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.errors import CallbackError

RESULTS: Final[Mapping[str, Channel]] = {
    "contact.rvm.status": Channel.RVM,
    "contact.rvm.receipt": Channel.RVM,
    "contact.sms.status": Channel.SMS,
}
"""Events that tell the result of a send, by what was sent."""

OPT_OUTS: Final = ("contact.msg.opt", "contact.msg.opt_out", "contact.consent.revoked")
"""Events after which nobody may contact the person."""

EVENT_TYPES: Final = (*RESULTS, *OPT_OUTS)
"""What a receiver registers for."""

MAX_ID_CHARACTERS: Final = 64
_OPTED_IN: Final = frozenset({"in", "opt_in", "opted_in", "optin"})
_NUMBERS: Final = ("phone_number", "main_phone", "mobile_phone", "to", "from")


@dataclass(frozen=True, slots=True)
class Event:
    """One event.

    :param account: in the ledger's spelling: whose secret signed it.
    :param event_id: the same for each try; two webhooks of one address may give one event two.
    :param at: when it happened; None: it does not say.
    :param result: of a send; it has no ``foreign_id``.
    :param is_single: the send was none of a campaign of the vendor's own.
    :param opted_out: numbers that nobody may contact any more: every number in the event, since the account's own
        are never sent to.
    """

    account: str
    event_id: str
    name: str
    at: datetime | None
    channel: Channel | None = None
    result: Callback | None = None
    opted_out: tuple[str, ...] = field(default=(), repr=False)
    is_single: bool = True


def read_event(raw: bytes, *, account: str) -> Event:
    """The event of a body.

    :raises CallbackError: no JSON object, or none with a name; a result that cannot be read.
    """
    content = content_of(raw)
    name = reading.optional_text(content, "event")
    given = content.get("data")
    if name is None:
        raise CallbackError("A webhook has no event; its payload is kept as it came.")
    told: Mapping[str, object] = given if isinstance(given, dict) else {}
    event_id = reading.optional_text(content, "event_id") or ""
    if not 0 < len(event_id) <= MAX_ID_CHARACTERS or not event_id.isascii() or not event_id.isprintable():
        event_id = hashlib.sha256(raw).hexdigest()
    channel = RESULTS.get(name)
    result = None if channel is None else callback_of({**told, "phone_number": told.get("to")}, raw)
    return Event(
        account,
        event_id,
        name[:MAX_ID_CHARACTERS],
        _at(content),
        channel,
        result,
        opted_out=_opted_out(name, told),
        is_single=not told.get("campaign_id"),
    )


def _at(content: Mapping[str, object]) -> datetime | None:
    milliseconds = reading.optional_count(content, "event_at")
    try:
        return None if milliseconds is None else datetime.fromtimestamp(milliseconds / 1000, UTC)
    except (OverflowError, OSError, ValueError):
        return None


def _opted_out(name: str, told: Mapping[str, object]) -> tuple[str, ...]:
    if name not in OPT_OUTS:
        return ()
    texts = [value for value in told.values() if isinstance(value, str)]
    # the vendor does not document how contact.msg.opt tells in from out: what does not say in is out
    if name == "contact.msg.opt" and any(text.strip().lower().replace("-", "_") in _OPTED_IN for text in texts):
        return ()
    contact = told.get("contact")
    places = (told, contact if isinstance(contact, dict) else {})
    found = (place.get(field_name) for place in places for field_name in _NUMBERS)
    return tuple(dict.fromkeys(number for number in found if isinstance(number, str) and number))
