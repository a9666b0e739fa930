"""API v1: ``x-team-id`` and ``x-secret``, no idempotency key, unsigned results, contact lists.

No route lists all lists, reads their contacts or removes one.
"""

from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Final, TypeVar
from urllib.parse import quote

from airflow_provider_dropcowboy.api import reading
from airflow_provider_dropcowboy.api.account import Access, Account, Brand, Pool, Recording
from airflow_provider_dropcowboy.api.callbacks import Callback, DeliveryStatus, Reading, Result
from airflow_provider_dropcowboy.api.content import MAX_SMS_CHARACTERS, Channel, Content, ContentRules, Rvm, channel_of
from airflow_provider_dropcowboy.api.lists import AppendResult, Cell, ContactList, ListRules, RejectedRow
from airflow_provider_dropcowboy.api.vendor import Vendor
from airflow_provider_dropcowboy.api.wire import Answer, Call, Request
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.phone import Phone, is_region

T = TypeVar("T")

BRANDS: Final = "brands"

_V2: Final = "or use a connection of API v2: api_version in its extra."
_CONTACTS: Final = dict.fromkeys(("contact_id", "contact_id_column"), f"Leave it out: the number is sent to; {_V2}")
_PICTURES: Final = f"Leave it out: API v1 sends no pictures; {_V2}"
_BYOC: Final = f"Leave it out: byoc_secret of the connection says it on API v1; {_V2}"

_RVM_FIELDS: Final = (
    "brand_id", "recording_id", "voice_id", "tts_body", "audio_url", "audio_type", "forwarding_number", "phone_ivr_id",
    "pool_id", "postal_code", "byoc",
)  # fmt: skip
"""Of ``POST /rvm``, by the names that they have in ``Rvm`` too; where one has no value, it is left out."""

_RVM_VALUES: Final = attrgetter(*_RVM_FIELDS)

_SMS_FIELDS: Final = ("caller_id", "pool_id", "sms_body")
"""Of ``POST /sms``, likewise; each is always there."""


class V1(Vendor):
    """The API at ``api.dropcowboy.com/v1``."""

    version = "v1"
    base_url = "https://api.dropcowboy.com/v1"
    path_prefix = "/v1"
    list_rules = ListRules(max_rows=10_000)  # API v1, POST /list/{list_id}/contacts
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
        body: dict[str, object] = {
            "team_id": account.login,
            "secret": account.secret.reveal(),
            "foreign_id": foreign_id,
            "phone_number": phone.e164,
        }
        if isinstance(content, Rvm):
            fields = zip(_RVM_FIELDS, _RVM_VALUES(content), strict=True)
            body |= {name: value for name, value in fields if value is not None}
        else:
            # opt_in is what the row was screened for
            body |= {**{name: getattr(content, name) for name in _SMS_FIELDS}, "opt_in": True}
        if callback_url:
            body["callback_url"] = callback_url
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

    def create_list(self, list_name: str) -> Call[ContactList]:
        """``POST /list``."""
        request = Request("POST", "/list", body={"list_name": _list_name(list_name)})
        return Call(request, _read_list, "Look for a list of this name in Drop Cowboy; delete it there, or use its id.")

    def get_list(self, list_id: str) -> Call[ContactList]:
        """``GET /list/{list_id}``."""
        return Call(Request("GET", _path(list_id), is_safe=True), _read_list)

    def rename_list(self, list_id: str, list_name: str) -> Call[None]:
        """``POST /list/{list_id}``."""
        request = Request("POST", _path(list_id), body={"list_name": _list_name(list_name)})
        return Call(
            request, _read_nothing, "Read the list's name; renaming it once more to the same name does no harm."
        )

    def delete_list(self, list_id: str) -> Call[None]:
        """``DELETE /list/{list_id}``, which cannot be undone."""
        return Call(Request("DELETE", _path(list_id)), _read_nothing, "Read the list: a 404 says that it is gone.")

    def append_contacts(
        self, list_id: str, fields: Sequence[str], *, values: Sequence[Sequence[Cell]], region: str = "US"
    ) -> Call[AppendResult]:
        """``POST /list/{list_id}/contacts``. What it appends can only be removed with the whole list."""
        self.list_rules.check(fields)
        if not is_region(region):
            raise ConfigurationError(
                f"region is {region!r}. No contact was sent. "
                "Write the two letters of a country (ISO 3166), such as US or GB."
            )
        self.list_rules.check_rows(fields, values)
        body = {"fields": list(fields), "values": [list(row) for row in values], "region": region}
        request = Request("POST", f"{_path(list_id)}/contacts", body=body)
        return Call(request, _read_append, "Compare the list's contact_count with what it should be.")


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
    remedy = "`dropcowboy brands` lists all; set another, or correct the team id."
    return Access(BRANDS, False, f"{text}; default_brand_id is not a brand of the account. {remedy}")


def _path(list_id: str) -> str:
    _require_text("list_id", list_id, mend="Give the id that Drop Cowboy shows for the list.")
    # a path's "." and ".." lead to other routes, however they are quoted: DELETE /list/.. would be DELETE /
    if not list_id.strip(" .") or not list_id.isprintable():
        raise ConfigurationError(
            f"list_id is {list_id!r}, which no list has. Nothing was sent. "
            "Give the id that Drop Cowboy shows for the list."
        )
    return f"/list/{quote(list_id, safe='')}"


def _list_name(list_name: str) -> str:
    _require_text("list_name", list_name, mend="Give the list a name.")
    return list_name


def _require_text(name: str, value: object, *, mend: str) -> None:
    if not isinstance(value, str) or not value.strip():
        what = f"is {value!r}" if value and not isinstance(value, str) else "is empty"
        raise ConfigurationError(f"The {name} {what}. Nothing was sent. {mend}")


def _read_list(answer: Answer) -> ContactList:
    return reading.record(ContactList, reading.as_object(reading.read_json(answer.body)))


def _read_append(answer: Answer) -> AppendResult:
    content = reading.as_object(reading.read_json(answer.body))
    rejected = reading.as_objects(content.get("rejected") or [])
    return AppendResult(
        accepted_count=reading.count(content, "accepted_count"),
        rejected=tuple(
            RejectedRow(reading.count(row, "index"), reading.scrub(reading.optional_text(row, "reason") or ""))
            for row in rejected
        ),
    )


def _read_nothing(answer: Answer) -> None:
    """Nothing, JSON that names no refusal (the vendor's own tests expect ``{"list_id": …}``), or a bare ``OK``.

    :raises ValueError: the body is a refusal, or a proxy's page.
    """
    if (words := reading.refusal(answer.body)) is not None:
        raise ValueError(f"it says: {words}")
    if reading.read_json(answer.body) is None and answer.body.strip().lower() not in _DONE:
        raise ValueError("neither empty nor JSON")


_DONE: Final = (b"", b"ok", b"null")
"""Bodies without JSON of a change that was made; Express' ``sendStatus(200)`` writes OK."""
