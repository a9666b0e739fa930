"""Contact lists: those of API v1, and the contacts of API v2 with the one list that they may be in."""

import uuid
from dataclasses import dataclass, field
from typing import Final

import phonenumbers

from airflow_provider_dropcowboy.sandbox import catalog, protocol
from airflow_provider_dropcowboy.sandbox.protocol import Answer, Ask, RefusedError, enveloped, json_answer

MAX_CONTACTS: Final = 10_000  # API v1, POST /list/{list_id}/contacts

CONTACT_FIELDS: Final = frozenset(
    {
        *("record_id", "first_name", "last_name", "company", "email", "phone", "address1", "address2", "city", "state"),
        *("postal", "country", "custom1", "custom2", "custom3", "custom4", "custom5"),
    }
)
"""API v1, POST /list/{list_id}/contacts."""

STANDARD: Final = ("first_name", "last_name", "email", "main_phone", "company")  # API v2, section 8, PUT

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


class Contacts:
    """The account's contacts and lists. There is one list, empty: the vendor documents no route that makes one."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """There is no contact."""
        self._by_id: dict[str, dict[str, object]] = {}
        self._lists: dict[str, list[str]] = {catalog.LIST_ID: []}

    def number_of(self, contact_id: str) -> str:
        """The number of a contact; empty: there is no such one."""
        return str(self._by_id.get(contact_id, {}).get("main_phone", ""))

    def append(self, ask: Ask) -> Answer:
        """``POST /contact/public/contacts``: rows without a number are rejected by their index.

        A contact is known by its number. ``conflict_mode`` ``append`` fills its empty fields; else they are replaced.
        """
        protocol.require_body(ask)
        given, rows, lists = (ask.body.get(name, []) for name in ("fields", "values", "add_list_ids"))
        if not isinstance(given, list) or not given or not isinstance(rows, list) or not isinstance(lists, list):
            raise RefusedError(400, "fields, values and add_list_ids are arrays")
        names = [str(item.get("type")) if isinstance(item, dict) else "" for item in given]
        members = [protocol.item_of(ask, self._lists, noun="List", item_id=str(list_id)) for list_id in lists]
        by_number = {str(contact["main_phone"]): contact for contact in self._by_id.values()}
        inserted, updated, rejected = (list[dict[str, object]]() for _ in range(3))
        for index, row in enumerate(rows):
            fields = dict(zip(names, row, strict=False)) if isinstance(row, list) else {}
            number = str(fields.get("main_phone") or "")
            if not number:
                rejected.append({"index": index, "reasons": ["missing_identifier"]})
                continue
            contact = by_number.get(number)
            done = inserted if contact is None else updated
            if contact is None:
                contact = by_number[number] = self._add(number)
            fills = ask.body.get("conflict_mode") == "append"
            contact.update({name: value for name, value in fields.items() if not (fills and contact.get(name))})
            contact_id = str(contact["contact_id"])
            for ids in members:
                if contact_id not in ids:
                    ids.append(contact_id)
            done.append({"index": index, "contact_id": contact_id})
        return enveloped({"inserted": inserted, "updated": updated, "rejected": rejected}, status=201)

    def find(self, ask: Ask) -> Answer:
        """``GET /contact/public/contacts``, also by list and by exact number or address, page by page."""
        contacts = list(self._by_id.values())
        if list_id := ask.query.get("list_id") or ask.item_id:
            members = protocol.item_of(ask, self._lists, noun="List", item_id=list_id)
            contacts = [self._by_id[contact_id] for contact_id in members]
        for asked, name in (("phone", "main_phone"), ("email", "email")):
            if wanted := ask.query.get(asked):
                contacts = [contact for contact in contacts if contact.get(name) == wanted]
        offset, limit = (
            protocol.whole_number(ask, "offset", missing=0),
            protocol.whole_number(ask, "limit", missing=100),
        )
        page = list(map(_shown, contacts[offset : offset + limit]))
        return enveloped({"contacts": page, "total_contacts": len(contacts)})

    def show(self, ask: Ask) -> Answer:
        """``GET /contact/public/contacts/{id}``."""
        return enveloped({"contact": _shown(self._find(ask))})

    def change(self, ask: Ask) -> Answer:
        """``PUT /contact/public/contacts/{id}``: the standard fields that are named."""
        contact = self._find(ask)
        protocol.require_body(ask)
        changes = {name: ask.body[name] for name in STANDARD if name in ask.body}
        if not changes:
            raise RefusedError(400, "No updatable fields", code="no_updatable_fields")
        contact.update(changes)
        return enveloped({"contact_id": ask.item_id})

    def delete(self, ask: Ask) -> Answer:
        """``DELETE /contact/public/contacts/{id}``: it is in no list either."""
        self._find(ask)
        del self._by_id[ask.item_id]
        for members in self._lists.values():
            if ask.item_id in members:
                members.remove(ask.item_id)
        return enveloped({"contact_id": ask.item_id, "deleted_at": protocol.now_ms()})

    def consent(self, ask: Ask) -> Answer:
        """``POST /contact/public/contacts/{id}/consent``: one record for each channel."""
        contact = self._find(ask)
        protocol.require_body(ask)
        kind = protocol.required_text(ask, "consent_type")
        for name in ("phone_number", "consent_text", "consent_method"):
            protocol.required_text(ask, name)
        contact["has_sms_consent" if kind == "sms_optin" else "has_tcpa_consent"] = True
        return enveloped({"consent_id": str(uuid.uuid4())}, status=201)

    def _add(self, number: str) -> dict[str, object]:
        contact_id = str(uuid.uuid4())
        contact: dict[str, object] = {
            "contact_id": contact_id,
            "created_at": protocol.now_ms(),
            "dnc": False,
            **dict.fromkeys(("has_tcpa_consent", "has_sms_consent", "has_email_consent"), False),
            "main_phone": number,
            "phone_numbers": [number],
        }
        self._by_id[contact_id] = contact
        return contact

    def _find(self, ask: Ask) -> dict[str, object]:
        return protocol.item_of(ask, self._by_id, noun="Contact")


def _shown(contact: dict[str, object]) -> dict[str, object]:
    """A contact as it is read: its standard fields twice."""
    field_data = [{"type": name, "value": contact[name]} for name in STANDARD if contact.get(name)]
    return {**contact, "field_data": field_data}
