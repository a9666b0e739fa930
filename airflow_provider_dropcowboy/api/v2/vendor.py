"""API v2: ``x-key`` and ``x-secret``, idempotency keys, results by code, signed webhooks, contacts of a site."""

import hashlib
import hmac
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar, Final

from airflow_provider_dropcowboy.api.account import Access, Account, Brand, Pool, Recording
from airflow_provider_dropcowboy.api.callbacks import Callback, DeliveryStatus, Reading, Result
from airflow_provider_dropcowboy.api.content import (
    MAX_LONG_SMS_CHARACTERS,
    Channel,
    Content,
    ContentRules,
    Rvm,
    channel_of,
)
from airflow_provider_dropcowboy.api.lists import AppendResult, Cell, ContactList
from airflow_provider_dropcowboy.api.v2 import account as routes
from airflow_provider_dropcowboy.api.v2 import contacts
from airflow_provider_dropcowboy.api.vendor import AccountRoutes, ContactRoutes, SignatureCheck, Vendor
from airflow_provider_dropcowboy.api.wire import Call, Request, Site
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.secret import Secret

KEY_LASTS: Final = timedelta(hours=22)
"""API v2, idempotency: 24 hours. Less the time for which a request may still be written or wait to be carried out."""

TOLERANCE: Final = timedelta(seconds=300)  # API v2, webhook deliveries: either way
PREFIX: Final = "sha256="
VERSION: Final = "v1"  # of the signature, not of the API
MAX_TIMESTAMP_DIGITS: Final = 12

_LINE: Final = "Give phone_line_id: the line's numbers send, or the account's default line."


@dataclass(frozen=True, slots=True)
class Code:
    """One documented code.

    :param meaning: for a person.
    :param remedy: what to do about it; empty: nothing can be done for this message.
    :param suppresses: nobody may contact the number again.
    """

    result: Result
    meaning: str
    remedy: str = ""
    suppresses: bool = False


_D, _F, _M, _A, _O = Result.DELIVERED, Result.FAILED, Result.REJECTED, Result.REFUSED, Result.FAULT

CODES: Final[Mapping[int, Code]] = {
    0: Code(_D, "success"),
    3000: Code(_A, "no funds", "Add funds to the account."),
    3001: Code(_M, "audio not usable", "Use an mp3 or wav file that can be downloaded."),
    3002: Code(_M, "voice missing or bad", "Take a voice_id whose status is ready."),
    3007: Code(_A, "key, secret or scope wrong or expired", "Correct login and password of the connection."),
    3011: Code(_M, "number not in E.164"),
    3012: Code(_M, "number invalid"),
    3013: Code(_A, "line invalid or not the account's", "Take a line that `dropcowboy pools` lists."),
    3014: Code(_A, "audio_url not allowed", "Ask Drop Cowboy to allow audio_url, or upload the file."),
    3015: Code(_M, "text missing", "Give voice_id and tts_body together."),
    3016: Code(_A, "BYOC not enabled", "Ask Drop Cowboy to enable it, or leave byoc_secret out of the connection."),
    3017: Code(_A, "STI id or attestation invalid", "Correct byoc_secret of the connection."),
    3018: Code(_A, "STI id or attestation invalid", "Correct byoc_secret of the connection."),
    3019: Code(_A, "callback URL invalid", "Correct callback_url: a public http(s) URL."),
    3021: Code(_M, "tts_body too long", "Shorten it to 1,200 characters."),
    3022: Code(_M, "trial account: number not verified", "Verify the number, or end the trial."),
    3027: Code(_O, "idempotency key used with another request"),
    3028: Code(_O, "idempotency key malformed"),
    3033: Code(_M, "media deleted, of another account, or not completely uploaded", "Upload it again."),
    3040: Code(_A, "the account sends to test numbers only", "Ask Drop Cowboy to end the testing mode."),
    4000: Code(_F, "voicemail not detected"),
    4001: Code(_F, "mailbox not set up"),
    4002: Code(_F, "mailbox full"),
    4004: Code(_F, "number not reachable"),
    4005: Code(_F, "no answer"),
    4006: Code(_F, "busy"),
    4008: Code(_F, "spam detected"),
    4010: Code(_A, "no line or caller id to send from", "Give pool_id, or set a default line at Drop Cowboy."),
    4011: Code(_M, "text outside calling hours", "Send it again within them: `dropcowboy rejected release`."),
    4013: Code(_M, "too many attempts on the number", "Send it again later: `dropcowboy rejected release`."),
    4016: Code(_F, "on the do-not-contact list", suppresses=True),
    4017: Code(_F, "known litigator", suppresses=True),
    4019: Code(_F, "number reassigned", suppresses=True),  # who consented has it no more: FCC 18-177; 47 CFR 64.1200(m)
    4021: Code(_F, "check of the number failed"),
    6000: Code(_A, "carrier denied the use case", "Look into the Trust Center of Drop Cowboy."),
    6001: Code(_A, "suspended by the carrier", "Look into the Trust Center of Drop Cowboy."),
    6002: Code(_A, "pool suspended", "Look into the Trust Center of Drop Cowboy."),
    6003: Code(_A, "pool not ready", "Wait until Drop Cowboy says that it is ready."),
    6004: Code(_M, "opt-in flagged", "Record the person's consent at Drop Cowboy."),
    6005: Code(_M, "opt-in revoked", suppresses=True),
    6006: Code(_M, "opt-in pending", "Send it again when the person has confirmed."),
    6011: Code(_M, "opt-in missing", "Record the person's consent at Drop Cowboy."),
}
"""An unknown code is a failure, and is logged: the message may have reached the person."""


class SignatureFault(StrEnum):
    """Why a webhook is not trusted; the value is the code of the vendor's own sample receivers."""

    NOT_CONFIGURED = "not_configured"
    MISSING = "missing_signature"
    STALE = "stale_timestamp"
    INVALID = "invalid_signature"


def signature_fault(
    body: bytes, headers: Mapping[str, str], *, secrets: Collection[Secret], at: datetime
) -> SignatureFault | None:
    """Why a webhook must not be trusted; None: the vendor signed these very bytes, a short time ago.

    Call it before the body is parsed. The checks come in the vendor's order (API v2, webhook deliveries).

    :param body: as received, byte for byte.
    :param headers: by their names in lower case, or in any.
    :param secrets: every configured signing secret; each is tried, in constant time.
    :param at: now, aware.
    """
    signature, timestamp = headers.get("x-signature"), headers.get("x-timestamp")
    if not secrets:
        return SignatureFault.NOT_CONFIGURED
    if not signature or not timestamp:
        return SignatureFault.MISSING
    if not _is_recent(timestamp, at):
        return SignatureFault.STALE
    if headers.get("x-signature-version", VERSION) not in {"", VERSION}:
        return SignatureFault.INVALID
    given, signed = signature.encode(), timestamp.encode() + b"." + body
    # a list: no secret is left out once another has matched
    matches = [hmac.compare_digest(given, sign(signed, secret=secret).encode()) for secret in secrets]
    return None if any(matches) else SignatureFault.INVALID


def sign(signed: bytes, *, secret: Secret) -> str:
    """The value of ``X-Signature`` for ``timestamp + "." + body``; the key is the secret's text, not decoded."""
    return PREFIX + hmac.digest(secret.reveal().encode(), signed, hashlib.sha256).hex()


class V2(Vendor):
    """The API at ``api-v2.dropcowboy.com``."""

    version = "v2"
    base_url = "https://api-v2.dropcowboy.com"
    list_rules = contacts.RULES
    rules = ContentRules(
        unknown={
            Channel.RVM: {
                "forwarding_number": "Set the routing of a call back at the phone line, at Drop Cowboy; leave it out.",
                "phone_ivr_id": "Set the routing of a call back at the phone line, at Drop Cowboy; leave it out.",
                "audio_type": "The file itself says it; leave it out.",
            },
            Channel.SMS: {"caller_id": _LINE},
        },
        needed={},
        max_text_characters=MAX_LONG_SMS_CHARACTERS,
        max_tts_characters=1_200,  # API v2, POST /rvm, tts_body
    )
    routes: ClassVar[AccountRoutes | None] = routes
    contacts: ClassVar[ContactRoutes | None] = contacts
    signature_fault: ClassVar[SignatureCheck | None] = staticmethod(signature_fault)
    request_form = "v2/1"
    key_lasts = KEY_LASTS
    names_account = False
    wrong_credentials = (
        "The key (login) or its secret (password) is wrong, or the key lacks the scope balance:read. Make a pair in "
        "the dashboard of Drop Cowboy: its secret is shown once."
    )

    def headers(self, account: Account) -> dict[str, str]:
        """``x-key`` and ``x-secret``."""
        return {"x-key": account.login, "x-secret": account.secret.reveal()}

    def site(self, account: Account, scope: str) -> Call[Site]:
        """``POST /phone/public/embed/token``."""
        return contacts.site(account, scope)

    def send(
        self,
        account: Account,  # noqa: ARG002  # its credentials are in headers alone
        content: Content,
        *,
        phone: Phone,
        foreign_id: str,
        callback_url: str | None,
        key: str | None = None,
    ) -> Request:
        """``POST /rvm`` or ``POST /sms``, with ``Idempotency-Key``."""
        fields = {
            # exactly one of the two names the recipient
            "to": None if content.contact_id else phone.e164,
            "contact_id": content.contact_id,
            **_fields_of(content),
            "foreign_id": foreign_id,
            "callback_url": callback_url,
        }
        body = {name: value for name, value in fields.items() if value is not None}
        headers = {"Idempotency-Key": key} if key else {}
        return Request("POST", f"/{channel_of(content).value}", body=body, headers=headers)

    def read_result(self, callback: Callback) -> Reading | None:
        """By its code; a code that is not documented, and a status without a code, is a failure unless it succeeded."""
        code = CODES.get(callback.reason_code) if callback.reason_code is not None else None
        if code is not None:
            reason = "" if code.result is Result.DELIVERED else f"{callback.reason_code}: {code.meaning}"
            return Reading(code.result, reason, suppresses=code.suppresses or callback.dnc)
        if callback.reason_code is None and callback.status is DeliveryStatus.SUCCESS:
            return Reading(Result.DELIVERED, suppresses=callback.dnc)
        named = "no code" if callback.reason_code is None else f"unknown code {callback.reason_code}"
        reason = f"{named}: {callback.reason}" if callback.reason else named
        return Reading(Result.FAILED, reason, suppresses=callback.dnc, is_known=False)

    def access(self, default_brand_id: str | None = None) -> Call[Access]:  # noqa: ARG002  # brands are optional
        """By ``GET /register/public/integration-readiness``: sends check nothing before they answer 202."""
        call = routes.readiness()
        return Call(call.request, lambda answer: call.read(answer).access())

    def brands(self) -> Call[tuple[Brand, ...]]:
        """No route is known.

        :raises ConfigurationError: always.
        """
        raise ConfigurationError(
            "API v2 has no route that lists brands. Nothing was sent. See them in the Trust Center of Drop Cowboy; a "
            "voicemail needs one only where the account demands registration."
        )

    def recordings(self, *, api_allowed: bool | None = None) -> Call[tuple[Recording, ...]]:  # noqa: ARG002
        """``GET /media/public/media``: what v1 calls a recording is a media file."""
        return routes.media()

    def media(self) -> Call[tuple[Recording, ...]]:
        """``GET /media/public/media``."""
        return routes.media()

    def pools(self) -> Call[tuple[Pool, ...]]:
        """``GET /phone/public/lines``: what v1 calls a pool is a line."""
        return routes.lines()

    def get_list(self, list_id: str) -> Call[ContactList]:
        """``GET /contact/public/contacts``, of one list."""
        return contacts.get_list(list_id)

    def append_contacts(
        self, list_id: str, fields: Sequence[str], *, values: Sequence[Sequence[Cell]], region: str = "US"
    ) -> Call[AppendResult]:
        """``POST /contact/public/contacts``."""
        return contacts.append_contacts(list_id, fields, values=values, region=region)


def _fields_of(content: Content) -> dict[str, object]:
    if isinstance(content, Rvm):
        return {
            "phone_line_id": content.pool_id,
            "media_id": content.recording_id,
            "voice_id": content.voice_id,
            "tts_body": content.tts_body,
            "audio_url": content.audio_url,
            "brand_id": content.brand_id,
            "postal_code": content.postal_code,
            "caller_id": content.caller_id,
            "byoc": _byoc_of(content),
        }
    return {
        "phone_line_id": content.pool_id,
        "body": content.sms_body,
        "media_urls": content.media_urls,
        "media_ids": content.media_ids,
    }


def _byoc_of(content: Rvm) -> Mapping[str, object] | None:
    """The task's attestation, which holds no credential; without one, the connection's ``byoc_secret``."""
    if content.sti_orig_id is None:
        return content.byoc
    return {"sti_orig_id": content.sti_orig_id, "sti_attestation": content.sti_attestation}


def _is_recent(timestamp: str, at: datetime) -> bool:
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > MAX_TIMESTAMP_DIGITS:
        return False
    # whole seconds, as in the vendor's vectors: exactly 300 s old is still in time
    return abs(int(at.timestamp()) - int(timestamp)) <= TOLERANCE.total_seconds()
