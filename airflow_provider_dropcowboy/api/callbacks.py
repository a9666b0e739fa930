"""Where the vendor posts what became of a send, and what it says: in a callback, or in an event of a webhook.

A callback goes to a URL that only the vendor knows, or somebody who got it from them. An event is read only when its
signature was verified (API v2, section "Webhook deliveries").
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final

from airflow_provider_dropcowboy.api import reading
from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.errors import CallbackError
from airflow_provider_dropcowboy.row_value import row_value
from airflow_provider_dropcowboy.secret import Secret, hmac_sha256

PATH: Final = "/callbacks/"
KEY_ID_CHARACTERS: Final = 8
MAC_CHARACTERS: Final = 32

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
_FEES: Final = ("product_cost", "compliance_fee", "tts_fee")
# a fee read as a float would add up to 0.10189999999999999; one decoder, since callbacks come by the thousand
_JSON: Final = json.JSONDecoder(parse_float=Decimal)


class DeliveryStatus(StrEnum):
    """How a send ended."""

    SUCCESS = "success"
    FAILURE = "failure"
    OTHER = "other"  # another word, or none: what it means, the version of the API says


class Result(StrEnum):
    """What a callback says became of a message."""

    DELIVERED = "delivered"
    FAILED = "failed"
    REJECTED = "rejected"  # the message was refused, and nothing was sent: another one may be
    REFUSED = "refused"  # the account or the request was refused, and nothing was sent: no other message will be
    FAULT = "fault"  # a request of ours was wrong, and says nothing about the message


@dataclass(frozen=True, slots=True)
class Reading:
    """A callback as the version of the API means it that the send went by.

    :param reason: why, for a person and for counting; empty: none.
    :param is_known: the vendor documents it so.
    """

    result: Result
    reason: str = ""
    suppresses: bool = False
    is_known: bool = True


@row_value(kw_only=True)
class Callback:
    """One result. Only ``status`` is always there; nothing in it is proven to be the vendor's.

    :param phone_number: as the vendor wrote it, normally E.164.
    :param reason: why it failed, in the vendor's words, without numbers and quoted values.
    :param dnc: the person wants no more calls.
    :param cost_usd: product, compliance and text-to-speech fees together; None: it names no amount.
    """

    status: DeliveryStatus
    foreign_id: str | None = None
    drop_id: str | None = None
    phone_number: str | None = field(default=None, repr=False)
    reason: str = ""
    reason_code: int | None = None
    dnc: bool = False
    cost_usd: Decimal | None = None
    network_name: str | None = None


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


def read_callback(raw: bytes) -> Callback:
    """The result that a payload reports; missing and unknown fields are fine, and so is a field of an odd type.

    A callback comes once: whatever can be read of it is, as long as it says how the send ended.

    :raises CallbackError: no JSON object, or neither a status nor a code in it; the text repeats nothing of it.
    """
    return _callback_of(content_of(raw))


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
    result = None if channel is None else _callback_of({**told, "phone_number": told.get("to")})
    return Event(
        account,
        event_id,
        name[:MAX_ID_CHARACTERS],
        reading.optional_instant(content, "event_at"),
        channel,
        result,
        opted_out=_opted_out(name, told),
        is_single=not told.get("campaign_id"),
    )


def _callback_of(content: Mapping[str, object]) -> Callback:
    """The result that an object reports.

    :raises CallbackError: neither a status nor a code is in it.
    """
    reason, network = _text(content, "reason"), content.get("network")
    return Callback(
        status=_status(content),
        foreign_id=_text(content, "foreign_id"),
        drop_id=_text(content, "drop_id"),
        phone_number=_text(content, "phone_number"),
        reason=reading.scrub(reason) if reason else "",
        reason_code=_whole_number(content, "reason_code"),
        dnc=str(content.get("dnc")).strip().lower() in {"true", "1", "yes"},
        cost_usd=_cost_usd(content),
        network_name=_text(network, "name") if isinstance(network, dict) else None,
    )


def content_of(raw: bytes) -> Mapping[str, object]:
    """The JSON object of a body.

    :raises CallbackError: it is none.
    """
    try:
        return reading.as_object(_JSON.decode(raw.decode("utf-8-sig")))
    except (ValueError, ArithmeticError, RecursionError):
        raise CallbackError("A callback is not a JSON object; its payload is kept as it came.") from None


def _status(content: Mapping[str, object]) -> DeliveryStatus:
    written = (_text(content, "status") or "").strip().lower()
    if not written and _whole_number(content, "reason_code") is None:
        raise CallbackError("A callback says in no word how the send ended; its payload is kept as it came.")
    return DeliveryStatus(written) if written in {"success", "failure"} else DeliveryStatus.OTHER


def _text(content: Mapping[str, object], name: str) -> str | None:
    found = content.get(name)
    if type(found) is not str:  # most are, and callbacks come by the thousand
        found = reading.optional_text(content, name)
    if not found:
        return None
    if found.isascii() and "\0" not in found:
        return found
    # a NUL or half a surrogate pair is valid JSON, but no database stores it: the whole batch of callbacks would fail
    return found.replace("\0", "").encode(errors="replace").decode() or None


def _whole_number(content: Mapping[str, object], name: str) -> int | None:
    value = content.get(name)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _cost_usd(content: Mapping[str, object]) -> Decimal | None:
    amounts = [amount for name in _FEES if (amount := reading.optional_amount(content, name)) is not None]
    return sum(amounts, Decimal(0)) if amounts else None


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


@row_value()
class Ticket:
    """What a verified URL says: which request of which send the callback is about."""

    foreign_id: str
    attempt: int


def key_id(secret: Secret) -> str:
    """Which secret a token was made with; it does not give the secret away."""
    return hashlib.sha256(b"dropcowboy key id\0" + secret.reveal().encode()).hexdigest()[:KEY_ID_CHARACTERS]


class CallbackUrls:
    """Makes the URL of each request.

    :param base_url: public base URL of the receiver.
    """

    def __init__(self, base_url: str, secret: Secret) -> None:
        self._start = base_url.rstrip("/") + PATH
        self._key = secret.reveal().encode()
        self._key_id = key_id(secret)

    def url(self, ticket: Ticket) -> str:
        """``{base}/callbacks/{foreign_id}.{attempt}.{key id}.{HMAC}``: no secret and no personal data in it."""
        mac = _mac(self._key, ticket)
        return f"{self._start}{ticket.foreign_id}.{ticket.attempt}.{self._key_id}.{mac}"


def keys_of(secrets: Iterable[Secret]) -> dict[str, bytes]:
    """Secrets by their ids: the one in use, and retired ones under which sends are still open."""
    return {key_id(secret): secret.reveal().encode() for secret in secrets}


def read_token(token: str, keys: Mapping[str, bytes]) -> Ticket | None:
    """The ticket of a URL's last part; None: forged, or made with a secret that is not known here."""
    parts = token.split(".")
    if len(parts) != 4 or not token.isascii() or not parts[1].isdigit() or len(parts[1]) > 6:
        return None
    foreign_id, attempt, named, mac = parts
    key = keys.get(named)
    if key is None:
        return None
    ticket = Ticket(foreign_id, int(attempt))
    return ticket if hmac.compare_digest(mac, _mac(key, ticket)) else None


def names_other_key(token: str, keys: Mapping[str, bytes]) -> bool:
    """Whether a URL's last part is written like a token of a secret that is not among these."""
    parts = token.split(".")
    return len(parts) == 4 and len(parts[2]) == KEY_ID_CHARACTERS and parts[2] not in keys


def _mac(key: bytes, ticket: Ticket) -> str:
    return hmac_sha256(key, f"{ticket.foreign_id}.{ticket.attempt}".encode())[:MAC_CHARACTERS]
