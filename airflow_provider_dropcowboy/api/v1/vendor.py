"""API v1: ``x-team-id`` and ``x-secret``, no idempotency key, unsigned results, contact lists."""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final, TypeVar, assert_never

from airflow_provider_dropcowboy.api import reading
from airflow_provider_dropcowboy.api.account import Access, Account, Brand, Pool, Recording
from airflow_provider_dropcowboy.api.callbacks import Callback, DeliveryStatus, Reading, Result
from airflow_provider_dropcowboy.api.content import (
    MAX_SMS_CHARACTERS,
    Channel,
    Content,
    ContentRules,
    Rvm,
    Sms,
    channel_of,
)
from airflow_provider_dropcowboy.api.lists import ListRoutes
from airflow_provider_dropcowboy.api.v1 import lists
from airflow_provider_dropcowboy.api.v1.lists import RULES
from airflow_provider_dropcowboy.api.vendor import Vendor
from airflow_provider_dropcowboy.api.wire import Call, Request
from airflow_provider_dropcowboy.phone import Phone

T = TypeVar("T")

BRANDS: Final = "brands"

_V2: Final = "or use a connection of API v2: api_version in its extra."
_CONTACTS: Final = dict.fromkeys(("contact_id", "contact_id_column"), f"Leave it out: the number is sent to; {_V2}")
_PICTURES: Final = f"Leave it out: API v1 sends no pictures; {_V2}"
_BYOC: Final = f"Leave it out: byoc_secret of the connection says it on API v1; {_V2}"


class V1(Vendor):
    """The API at ``api.dropcowboy.com/v1``."""

    version = "v1"
    base_url = "https://api.dropcowboy.com/v1"
    path_prefix = "/v1"
    lists: ClassVar[ListRoutes] = lists
    list_rules = RULES
    rules = ContentRules(
        unknown={
            Channel.RVM: {
                **_CONTACTS,
                **dict.fromkeys(("sti_orig_id", "sti_attestation", "caller_id"), _BYOC),
            },
            Channel.SMS: {**_CONTACTS, **dict.fromkeys(("media_urls", "media_ids"), _PICTURES)},
        },
        needed={
            Channel.RVM: {
                "brand_id": "Give one, or set default_brand_id in the connection. `dropcowboy brands` lists them."
            },
            Channel.SMS: {
                "caller_id": "Write the number that texts are sent from, such as +15045550100.",
                "pool_id": "Give one, or set default_pool_id in the connection. `dropcowboy pools` lists them.",
            },
        },
        max_text_characters=MAX_SMS_CHARACTERS,
    )
    request_form = "v1/1"
    wrong_credentials = (
        "The team id (login) or the secret (password) is wrong: the API answers both alike. Copy both again from the "
        "API settings of Drop Cowboy, of the same account."
    )

    def headers(self, account: Account) -> dict[str, str]:
        """``x-team-id`` and ``x-secret``."""
        return {"x-team-id": account.login, "x-secret": account.secret.reveal()}

    def send(
        self,
        account: Account,
        content: Content,
        *,
        phone: Phone,
        foreign_id: str,
        callback_url: str | None,
        key: str | None = None,  # noqa: ARG002  # v1 knows none
    ) -> Request:
        """``POST /rvm`` or ``POST /sms``, which read the credentials from the body alone."""
        body = send_body(account, content, phone=phone, foreign_id=foreign_id, callback_url=callback_url)
        return Request("POST", f"/{channel_of(content).value}", body=body)

    def read_result(self, callback: Callback) -> Reading | None:
        """By its status alone."""
        match callback.status:
            case DeliveryStatus.SUCCESS:
                return Reading(Result.DELIVERED, callback.reason, suppresses=callback.dnc)
            case DeliveryStatus.FAILURE:
                return Reading(Result.FAILED, callback.reason, suppresses=callback.dnc)
            case DeliveryStatus.OTHER:
                return None

    def access(self, default_brand_id: str | None = None) -> Call[Access]:
        """By ``GET /brand``: no route of v1 checks the credentials alone."""
        call = self.brands()
        return Call(call.request, lambda answer: _access(call.read(answer), default_brand_id))

    def brands(self) -> Call[tuple[Brand, ...]]:
        """``GET /brand``."""
        return _records(Brand, "/brand")

    def recordings(self, *, api_allowed: bool | None = None) -> Call[tuple[Recording, ...]]:
        """``GET /recording``."""
        query = {} if api_allowed is None else {"api_allowed": "true" if api_allowed else "false"}
        return _records(Recording, "/recording", query)

    def media(self) -> Call[tuple[Recording, ...]]:
        """``GET /media``: rows as of ``GET /recording``."""
        return _records(Recording, "/media")

    def pools(self) -> Call[tuple[Pool, ...]]:
        """``GET /pool``."""
        return _records(Pool, "/pool")


def _records(kind: type[T], path: str, query: Mapping[str, str] | None = None) -> Call[tuple[T, ...]]:
    request = Request("GET", path, query=query or {}, is_safe=True)
    return Call(request, lambda answer: reading.records(kind, reading.as_objects(reading.read_json(answer.body))))


def _access(found: Sequence[Brand], default_brand_id: str | None) -> Access:
    """Whether a voicemail has a brand to be sent as, and what to do if not."""
    allowed = [brand.brand_id for brand in found if brand.api_allowed]
    text = f"{len(allowed)} of {len(found)} brands may be used through the API"
    if default_brand_id is None:
        remedy = "Voicemails need one: ask Drop Cowboy to register and allow it. Texts need none."
        return Access(BRANDS, bool(allowed), f"{text}." if allowed else f"{text}. {remedy}")
    if default_brand_id in allowed:
        return Access(BRANDS, True, f"{text}, default_brand_id among them.")
    if default_brand_id in {brand.brand_id for brand in found}:
        remedy = "Ask Drop Cowboy to allow it, or set another."
        return Access(BRANDS, False, f"{text}; default_brand_id is not allowed. {remedy}")
    return Access(
        BRANDS,
        False,
        f"{text}; default_brand_id is not a brand of the account. `dropcowboy brands` lists all; set another, or "
        "correct the team id.",
    )


def send_body(
    account: Account, content: Content, *, phone: Phone, foreign_id: str, callback_url: str | None
) -> dict[str, object]:
    """The JSON body of one send; it holds the secret, so it is never logged."""
    body: dict[str, object] = {
        "team_id": account.login,
        "secret": account.secret.reveal(),
        "foreign_id": foreign_id,
        "phone_number": phone.e164,
        **fields_of(content),
    }
    if callback_url:
        body["callback_url"] = callback_url
    return body


def fields_of(content: Content) -> dict[str, object]:
    """The body's fields that are set, without credentials, number and ids."""
    match content:
        case Rvm():
            fields = {
                "brand_id": content.brand_id,
                "recording_id": content.recording_id,
                "voice_id": content.voice_id,
                "tts_body": content.tts_body,
                "audio_url": content.audio_url,
                "audio_type": content.audio_type,
                "forwarding_number": content.forwarding_number,
                "phone_ivr_id": content.phone_ivr_id,
                "pool_id": content.pool_id,
                "postal_code": content.postal_code,
                "byoc": content.byoc,
            }
            return {name: value for name, value in fields.items() if value is not None}
        case Sms():
            # opt_in is what the row was screened for
            return {
                "caller_id": content.caller_id,
                "pool_id": content.pool_id,
                "sms_body": content.sms_body,
                "opt_in": True,
            }
        case _:
            assert_never(content)
