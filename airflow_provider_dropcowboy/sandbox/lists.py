"""Contact lists. As at the vendor, no route shows the contacts of a list or removes one."""

import time
import uuid
from dataclasses import dataclass, field
from typing import Final

import phonenumbers

from airflow_provider_dropcowboy.sandbox import validation
from airflow_provider_dropcowboy.sandbox.catalog import CONTACT_FIELDS
from airflow_provider_dropcowboy.sandbox.settings import Settings
from airflow_provider_dropcowboy.sandbox.wire import Answer, Ask, RefusedError, json_answer

MAX_CONTACTS: Final = 10_000  # API v1, POST /list/{list_id}/contacts

Contact = dict[str, object]
"""Field to value as text; a field that repeats has a list of texts. ``phone`` is in E.164."""


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

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._by_id: dict[str, ContactList] = {}

    def __len__(self) -> int:
        return len(self._by_id)

    def reset(self) -> None:
        """Every list is gone."""
        self._by_id.clear()

    def shown(self) -> dict[str, dict[str, object]]:
        """Every list with its contacts, by id."""
        return {
            made.list_id: {**_head(made), "contact_count": len(made.contacts), "contacts": made.contacts}
            for made in self._by_id.values()
        }

    def create(self, ask: Ask) -> Answer:
        """``POST /list``."""
        validation.require_headers(ask, self._settings)
        validation.require_body(ask)
        name = validation.required_text(ask, "list_name")
        made = ContactList(str(uuid.uuid4()), name, time.time_ns() // 1_000_000)
        self._by_id[made.list_id] = made
        return json_answer(_head(made))

    def show(self, ask: Ask) -> Answer:
        """``GET /list/{list_id}``."""
        made = self._find(ask)
        return json_answer({**_head(made), "contact_count": len(made.contacts)})

    def rename(self, ask: Ask) -> Answer:
        """``POST /list/{list_id}``: the answer has no body."""
        made = self._find(ask)
        validation.require_body(ask)
        made.list_name = validation.required_text(ask, "list_name")
        return Answer(200)

    def delete(self, ask: Ask) -> Answer:
        """``DELETE /list/{list_id}``: answers as the live API does, not as its specification says."""
        made = self._find(ask)
        del self._by_id[made.list_id]
        return json_answer({"list_id": made.list_id})

    def append(self, ask: Ask) -> Answer:
        """``POST /list/{list_id}/contacts``: good rows are in, bad ones come back by their index."""
        made = self._find(ask)
        validation.require_body(ask)
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
        validation.require_headers(ask, self._settings)
        made = self._by_id.get(ask.list_id)
        if made is None:
            raise RefusedError(404, "List not found")
        return made


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
