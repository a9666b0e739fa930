"""What one contact gets, and the request that asks for it (API v1, ``POST /rvm`` and ``POST /sms``)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.states import State

MAX_SMS_CHARACTERS: Final = 160  # API v1, POST /sms, sms_body
MAX_FOREIGN_ID_CHARACTERS: Final = 256  # API v1, POST /rvm, foreign_id


def count_sms_characters(text: str) -> int:
    """The length of a text as the vendor's server, which runs on Node, counts it: an emoji is two.

    Source: API v1 says "160 characters" and no more; the stricter reading costs no refused message.
    """
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


class Channel(StrEnum):
    """How a message reaches a person; also the route's name."""

    RVM = "rvm"
    SMS = "sms"

    @property
    def path(self) -> str:
        """Path of the route below the base URL."""
        return f"/{self.value}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rvm:
    """A ringless voicemail, with exactly one audio source."""

    brand_id: str
    recording_id: str | None = None
    voice_id: str | None = None
    tts_body: str | None = field(default=None, repr=False)
    audio_url: str | None = field(default=None, repr=False)
    audio_type: str | None = None
    forwarding_number: str | None = field(default=None, repr=False)
    phone_ivr_id: str | None = None
    pool_id: str | None = None
    postal_code: str | None = field(default=None, repr=False)
    byoc: Mapping[str, object] | None = field(default=None, repr=False)

    def fields(self) -> dict[str, object]:
        """The body's fields that are set, without credentials, number and ids."""
        return _set_fields(
            brand_id=self.brand_id,
            recording_id=self.recording_id,
            voice_id=self.voice_id,
            tts_body=self.tts_body,
            audio_url=self.audio_url,
            audio_type=self.audio_type,
            forwarding_number=self.forwarding_number,
            phone_ivr_id=self.phone_ivr_id,
            pool_id=self.pool_id,
            postal_code=self.postal_code,
            byoc=self.byoc,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Sms:
    """A text message to someone who opted in."""

    caller_id: str = field(repr=False)
    pool_id: str
    sms_body: str = field(repr=False)

    def fields(self) -> dict[str, object]:
        """The body's fields, without credentials, number and ids; ``opt_in`` is what the row was screened for."""
        return {"caller_id": self.caller_id, "pool_id": self.pool_id, "sms_body": self.sms_body, "opt_in": True}


Content = Rvm | Sms


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """One contact's message of one campaign.

    :param foreign_id: keyed digest of account, campaign, contact key and channel; the name of the send everywhere.
    :param earlier_ids: names under which it may have been sent before, when the account or the contact
        key was spelled in another way.
    :param number_digest: keyed digest of the number.
    :param content_digest: keyed digest of what is asked for: differs when text, brand, pool or recording differ.
    :param caps: most attempts on the number in a time, such as ``(3, timedelta(days=1))``, over all campaigns.
    :param closes_at: aware; no byte is written after it, since the calling hours end. None: they do not.
    :param stop: why it is not to be asked for in this run, as a verdict and its reason; None: it is. What was asked
        before stands all the same.
    :param opens_at: aware: when a stopped message may be asked for; None: nobody waits for it.
    :param rule: by which it was screened, for an auditor.
    :param postal_code: of the contact: one of the places where the person may be.
    """

    foreign_id: str
    contact_key: str = field(repr=False)
    phone: Phone
    content: Content
    number_digest: str
    content_digest: str
    earlier_ids: tuple[str, ...] = ()
    caps: tuple[tuple[int, timedelta], ...] = ()
    closes_at: datetime | None = None
    stop: tuple[State, str] | None = None
    opens_at: datetime | None = None
    rule: str | None = None
    postal_code: str | None = field(default=None, repr=False)

    @property
    def channel(self) -> Channel:
        """The route it goes by."""
        return Channel.RVM if isinstance(self.content, Rvm) else Channel.SMS


def send_body(
    account: Account, phone: Phone, content: Content, *, foreign_id: str, callback_url: str | None
) -> dict[str, object]:
    """The JSON body of one send; it holds the secret, so it is never logged (see ``secret.redact``)."""
    body: dict[str, object] = {
        "team_id": account.team_id,
        "secret": account.secret.reveal(),
        "foreign_id": foreign_id,
        "phone_number": phone.e164,
        **content.fields(),
    }
    if callback_url:
        body["callback_url"] = callback_url
    return body


def _set_fields(**fields: object) -> dict[str, object]:
    return {name: value for name, value in fields.items() if value is not None}
