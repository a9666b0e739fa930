"""API v2: ``x-key`` and ``x-secret``, idempotency keys, results by code, signed webhooks, contacts of a site."""

from collections.abc import Mapping
from datetime import timedelta
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
from airflow_provider_dropcowboy.api.lists import ListRoutes
from airflow_provider_dropcowboy.api.v2 import account as routes
from airflow_provider_dropcowboy.api.v2 import contacts
from airflow_provider_dropcowboy.api.v2.results import CODES, signature_fault
from airflow_provider_dropcowboy.api.vendor import AccountRoutes, ContactRoutes, SignatureCheck, Vendor
from airflow_provider_dropcowboy.api.wire import Call, Request, Site
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.phone import Phone

KEY_LASTS: Final = timedelta(hours=22)
"""API v2, idempotency: 24 hours. Less the time for which a request may still be written or wait to be carried out."""

_LINE: Final = "Give phone_line_id: the line's numbers send, or the account's default line."


class V2(Vendor):
    """The API at ``api-v2.dropcowboy.com``."""

    version = "v2"
    base_url = "https://api-v2.dropcowboy.com"
    lists: ClassVar[ListRoutes] = contacts
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
