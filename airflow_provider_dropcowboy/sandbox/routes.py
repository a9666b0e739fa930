"""What each route of API v1 does: sends, recordings, and contact lists."""

import re
import uuid
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Final

import phonenumbers

from airflow_provider_dropcowboy.sandbox import catalog, protocol
from airflow_provider_dropcowboy.sandbox.callbacks import Callbacks
from airflow_provider_dropcowboy.sandbox.protocol import QUEUED, Answer, Ask, RefusedError, json_answer
from airflow_provider_dropcowboy.sandbox.state import State

MAX_FOREIGN_ID_CHARACTERS: Final = 256  # API v1, POST /rvm, foreign_id
MAX_SMS_CHARACTERS: Final = 160  # API v1, POST /sms, sms_body
AUDIO_TYPES: Final = frozenset({"mp3", "wav"})  # API v1, POST /rvm, audio_type
AUDIO_SOURCES: Final = ("recording_id", "tts_body", "audio_url")
MAX_CONTACTS: Final = 10_000  # API v1, POST /list/{list_id}/contacts

CONTACT_FIELDS: Final = frozenset(
    {
        *("record_id", "first_name", "last_name", "company", "email", "phone", "address1", "address2", "city", "state"),
        *("postal", "country", "custom1", "custom2", "custom3", "custom4", "custom5"),
    }
)
"""API v1, POST /list/{list_id}/contacts."""

_POSTAL_CODE = re.compile(r"[0-9]{5}(-[0-9]{4})?|[A-Za-z][0-9][A-Za-z] ?[0-9][A-Za-z][0-9]")

Contact = dict[str, object]
"""Field to value as text; a field that repeats has a list of texts. ``phone`` is in E.164."""


class Sends:
    """Judges a send, counts it as accepted and sees to its callback."""

    def __init__(self, state: State, callbacks: Callbacks) -> None:
        self._state = state
        self._callbacks = callbacks

    def rvm(self, ask: Ask) -> Answer:
        """Take one ringless voicemail.

        :raises RefusedError: 401 or 400; nothing was sent.
        """
        self._require_sender(ask)
        protocol.required_text(ask, "foreign_id", max_characters=MAX_FOREIGN_ID_CHARACTERS)
        _require_known(ask, "brand_id", known=catalog.BRAND_IDS, is_required=True)
        protocol.require_e164(ask, "phone_number")
        _require_one_audio_source(ask)
        if ask.body.get("forwarding_number") is not None:
            protocol.require_e164(ask, "forwarding_number")
        protocol.optional_text(ask, "phone_ivr_id")
        _require_known(ask, "pool_id", known=catalog.POOL_IDS, is_required=False)
        _require_postal_code(ask)
        protocol.require_url(ask, "callback_url")
        if not isinstance(ask.body.get("byoc", {}), dict):
            raise RefusedError(400, "Invalid byoc: must be an object", field_name="byoc")
        return self._take(ask)

    def sms(self, ask: Ask) -> Answer:
        """Take one text message.

        :raises RefusedError: 401 or 400; nothing was sent.
        """
        self._require_sender(ask)
        protocol.require_e164(ask, "phone_number")
        protocol.require_e164(ask, "caller_id")
        _require_known(ask, "pool_id", known=catalog.POOL_IDS, is_required=True)
        protocol.required_text(ask, "sms_body", max_characters=MAX_SMS_CHARACTERS)
        if ask.body.get("opt_in") is not True:
            raise RefusedError(400, "Invalid opt_in: must be true", field_name="opt_in")
        protocol.optional_text(ask, "foreign_id", max_characters=MAX_FOREIGN_ID_CHARACTERS)
        protocol.require_url(ask, "callback_url")
        return self._take(ask)

    def _require_sender(self, ask: Ask) -> None:
        protocol.require_body(ask)
        protocol.require_body_credentials(ask, self._state.settings)

    def _take(self, ask: Ask) -> Answer:
        self._callbacks.plan(ask, self._state.take(ask))
        return QUEUED


def _require_one_audio_source(ask: Ask) -> None:
    given = [name for name in AUDIO_SOURCES if ask.body.get(name) is not None]
    if len(given) != 1:
        raise RefusedError(
            400,
            "Exactly one audio source is required: recording_id, or voice_id and tts_body, or audio_url",
            field_name=given[1] if given else "recording_id",
        )
    source = given[0]
    protocol.required_text(ask, source)
    if source == "recording_id":
        _require_known(ask, "recording_id", known=catalog.RECORDING_IDS, is_required=True)
    if source == "tts_body":
        protocol.required_text(ask, "voice_id")
    elif ask.body.get("voice_id") is not None:
        raise RefusedError(400, "Invalid voice_id: it belongs to tts_body", field_name="voice_id")
    if source == "audio_url":
        protocol.require_url(ask, "audio_url")
    audio_type = protocol.optional_text(ask, "audio_type")
    if audio_type is not None and audio_type not in AUDIO_TYPES:
        raise RefusedError(400, "Invalid audio_type: mp3 or wav", field_name="audio_type")


def _require_known(ask: Ask, name: str, *, known: Collection[str], is_required: bool) -> None:
    """A field that names one of the account's own things."""
    value = protocol.required_text(ask, name) if is_required else protocol.optional_text(ask, name)
    if value is not None and value not in known:
        raise RefusedError(400, f"Invalid {name}", field_name=name)


def _require_postal_code(ask: Ask) -> None:
    """``postal_code``, where given, is like ``02101``, ``90210-0001`` or ``K1A 0B1``."""
    value = protocol.optional_text(ask, "postal_code")
    if value is not None and not _POSTAL_CODE.fullmatch(value):
        raise RefusedError(400, "Invalid postal_code", field_name="postal_code")


def recordings(ask: Ask) -> Answer:
    """``GET /recording``, filtered by ``api_allowed`` where the query has it."""
    wanted = ask.query.get("api_allowed")
    if wanted not in {None, "true", "false"}:
        raise RefusedError(400, "Invalid api_allowed: true or false", field_name="api_allowed")
    return json_answer([row for row in catalog.RECORDINGS if wanted in {None, str(row["api_allowed"]).lower()}])


@dataclass(slots=True)
class ContactList:
    """One list and all that is in it.

    :param created_at: milliseconds since the epoch, as the API writes it.
    """

    list_id: str
    list_name: str
    created_at: int
    contacts: list[Contact] = field(default_factory=list, repr=False)


class Lists:
    """The account's contact lists."""

    def __init__(self) -> None:
        self.reset()

    def __len__(self) -> int:
        return len(self._by_id)

    def reset(self) -> None:
        """There is no list."""
        self._by_id: dict[str, ContactList] = {}

    def shown(self) -> dict[str, dict[str, object]]:
        """Every list with its contacts, by id."""
        return {
            made.list_id: {**_head(made), "contact_count": len(made.contacts), "contacts": made.contacts}
            for made in self._by_id.values()
        }

    def create(self, ask: Ask) -> Answer:
        """``POST /list``."""
        protocol.require_body(ask)
        name = protocol.required_text(ask, "list_name")
        made = ContactList(str(uuid.uuid4()), name, protocol.now_ms())
        self._by_id[made.list_id] = made
        return json_answer(_head(made))

    def show(self, ask: Ask) -> Answer:
        """``GET /list/{list_id}``."""
        made = self._find(ask)
        return json_answer({**_head(made), "contact_count": len(made.contacts)})

    def rename(self, ask: Ask) -> Answer:
        """``POST /list/{list_id}``: the answer has no body."""
        made = self._find(ask)
        protocol.require_body(ask)
        made.list_name = protocol.required_text(ask, "list_name")
        return Answer(200)

    def delete(self, ask: Ask) -> Answer:
        """``DELETE /list/{list_id}``: answers as the live API does, not as its specification says."""
        made = self._find(ask)
        del self._by_id[made.list_id]
        return json_answer({"list_id": made.list_id})

    def append(self, ask: Ask) -> Answer:
        """``POST /list/{list_id}/contacts``: good rows are in, bad ones come back by their index."""
        made = self._find(ask)
        protocol.require_body(ask)
        names, rows, region = _read_contacts(ask)
        rejected: list[dict[str, object]] = []
        for index, row in enumerate(rows):
            contact = _read_row(row, names, region=region)
            if isinstance(contact, str):
                rejected.append({"index": index, "reason": contact})
            else:
                made.contacts.append(contact)
        return json_answer({"accepted_count": len(rows) - len(rejected), "rejected": rejected})

    def _find(self, ask: Ask) -> ContactList:
        return protocol.item_of(ask, self._by_id, noun="List")


def _head(made: ContactList) -> dict[str, object]:
    return {"list_id": made.list_id, "list_name": made.list_name, "created_at": made.created_at}


def _read_contacts(ask: Ask) -> tuple[list[str], list[object], str]:
    names = ask.body.get("fields")
    rows = ask.body.get("values")
    region = ask.body.get("region", "US")
    if not isinstance(names, list) or not names:
        raise RefusedError(400, "Missing fields: an array of field names", field_name="fields")
    unknown = [index for index, name in enumerate(names) if not isinstance(name, str) or name not in CONTACT_FIELDS]
    if unknown:
        raise RefusedError(400, f"Invalid fields: no such field at index {unknown[0]}", field_name="fields")
    if not isinstance(rows, list):
        raise RefusedError(400, "Missing values: an array of arrays", field_name="values")
    if len(rows) > MAX_CONTACTS:
        raise RefusedError(
            400, f"Invalid values: {len(rows)} contacts, at most {MAX_CONTACTS} a call", field_name="values"
        )
    if not isinstance(region, str) or region not in phonenumbers.SUPPORTED_REGIONS:
        raise RefusedError(400, "Invalid region", field_name="region")
    return names, rows, region


def _read_row(row: object, names: list[str], *, region: str) -> Contact | str:
    """The contact of a row, or why it is rejected."""
    if not isinstance(row, list):
        return "Not an array"
    if len(row) != len(names):
        return f"{len(row)} values for {len(names)} fields"
    contact: Contact = {}
    for name, value in zip(names, row, strict=True):
        if value is not None and (isinstance(value, bool) or not isinstance(value, str | int | float)):
            return f"Invalid {name}"
        text = "" if value is None else str(value).strip()
        if not text:
            continue
        if name == "phone":
            number = _e164(text, region)
            if number is None:
                return "Invalid phone"
            text = number
        _add(contact, name, text)
    return contact if "phone" in contact else "Missing phone"


def _e164(text: str, region: str) -> str | None:
    try:
        number = phonenumbers.parse(text, region)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)


def _add(contact: Contact, name: str, text: str) -> None:
    held = contact.get(name)
    if held is None:
        contact[name] = text
    elif isinstance(held, list):
        held.append(text)
    else:
        contact[name] = [held, text]
