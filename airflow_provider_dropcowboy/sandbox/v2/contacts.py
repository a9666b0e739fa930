"""Contacts of API v2, for whoever has a site's token: on this host, where the vendor has another one for them."""

import time
import uuid
from collections.abc import Mapping
from typing import Final

from airflow_provider_dropcowboy.sandbox import catalog
from airflow_provider_dropcowboy.sandbox.clock import Clock
from airflow_provider_dropcowboy.sandbox.protocol import Answer, Ask, RefusedError, require_body, required_text
from airflow_provider_dropcowboy.sandbox.settings import Settings
from airflow_provider_dropcowboy.sandbox.v2.protocol import enveloped, require_key

SCOPE: Final = "contacts"  # API v2, section 8
MAX_TTL_S: Final = 3_600  # API v2, section 1, POST /phone/public/embed/token
STANDARD: Final = ("first_name", "last_name", "email", "main_phone", "company")  # API v2, section 8, PUT


class Contacts:
    """The account's contacts and lists. There is one list, empty: the vendor documents no route that makes one.

    :ivar settings: of the sandbox.
    """

    def __init__(self, settings: Settings, *, clock: Clock) -> None:
        self.settings = settings
        self._clock = clock
        self.reset()

    def reset(self) -> None:
        """There is no contact, and no token."""
        self._by_id: dict[str, dict[str, object]] = {}
        self._lists: dict[str, list[str]] = {catalog.LIST_ID: []}
        self._tokens: dict[str, tuple[float, frozenset[str]]] = {}

    def number_of(self, contact_id: str) -> str:
        """The number of a contact; empty: there is no such one."""
        return str(self._by_id.get(contact_id, {}).get("main_phone", ""))

    def grant(self, ask: Ask) -> Answer:
        """``POST /phone/public/embed/token``."""
        require_key(ask, self.settings)
        require_body(ask)
        scopes, ttl_s = ask.body.get("scope"), ask.body.get("ttl_seconds", MAX_TTL_S)
        if required_text(ask, "site_id") != catalog.SITE_ID:
            raise RefusedError(404, "Site not found")
        if not isinstance(scopes, list) or not isinstance(ttl_s, int) or not 0 < ttl_s <= MAX_TTL_S:
            raise RefusedError(400, "Invalid scope or ttl_seconds")
        token, ends_s = str(uuid.uuid4()), self._clock.now_s() + ttl_s
        self._tokens[token] = ends_s, frozenset(map(str, scopes))
        return enveloped({"token": token, "expires_at": (time.time_ns() // 1_000_000) + ttl_s * 1_000})

    def append(self, ask: Ask) -> Answer:
        """``POST /contact/public/contacts``: rows without a number are rejected by their index.

        A contact is known by its number. ``conflict_mode`` ``append`` fills its empty fields; else they are replaced.
        """
        self._require_token(ask)
        require_body(ask)
        names = [str(field.get("type")) for field in _dicts(ask.body.get("fields"))]
        rows, lists = ask.body.get("values"), ask.body.get("add_list_ids", [])
        if not names or not isinstance(rows, list) or not isinstance(lists, list):
            raise RefusedError(400, "fields, values and add_list_ids are arrays")
        for list_id in lists:
            self._list(str(list_id))
        by_number = {str(contact["main_phone"]): contact for contact in self._by_id.values()}
        inserted: list[dict[str, object]] = []
        updated: list[dict[str, object]] = []
        rejected: list[dict[str, object]] = []
        for index, row in enumerate(rows):
            fields = dict(zip(names, row, strict=False)) if isinstance(row, list) else {}
            number = str(fields.get("main_phone") or "")
            if not number:
                rejected.append({"index": index, "reasons": ["missing_identifier"]})
                continue
            contact = by_number.get(number)
            done = inserted if contact is None else updated
            if contact is None:
                contact = self._add(number)
                by_number[number] = contact
            fills = ask.body.get("conflict_mode") == "append"
            contact.update({name: value for name, value in fields.items() if not (fills and contact.get(name))})
            for list_id in lists:
                members = self._list(str(list_id))
                if contact["contact_id"] not in members:
                    members.append(str(contact["contact_id"]))
            done.append({"index": index, "contact_id": contact["contact_id"]})
        return enveloped({"inserted": inserted, "updated": updated, "rejected": rejected}, status=201)

    def find(self, ask: Ask) -> Answer:
        """``GET /contact/public/contacts``, also by list and by exact number or address, page by page."""
        self._require_token(ask)
        contacts = list(self._by_id.values())
        if list_id := ask.query.get("list_id") or ask.item_id:
            contacts = [self._by_id[contact_id] for contact_id in self._list(list_id)]
        for name, field in (("phone", "main_phone"), ("email", "email")):
            if wanted := ask.query.get(name):
                contacts = [contact for contact in contacts if contact.get(field) == wanted]
        offset, limit = int(ask.query.get("offset", "0")), int(ask.query.get("limit", "100"))
        return enveloped({"contacts": contacts[offset : offset + limit], "total_contacts": len(contacts)})

    def show(self, ask: Ask) -> Answer:
        """``GET /contact/public/contacts/{id}``."""
        return enveloped({"contact": self._find(ask)})

    def change(self, ask: Ask) -> Answer:
        """``PUT /contact/public/contacts/{id}``: the standard fields that are named."""
        contact = self._find(ask)
        require_body(ask)
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
        return enveloped({"contact_id": ask.item_id, "deleted_at": time.time_ns() // 1_000_000})

    def consent(self, ask: Ask) -> Answer:
        """``POST /contact/public/contacts/{id}/consent``: one record for each channel."""
        contact = self._find(ask)
        require_body(ask)
        kind = required_text(ask, "consent_type")
        for name in ("phone_number", "consent_text", "consent_method"):
            required_text(ask, name)
        contact["has_sms_consent" if kind == "sms_optin" else "has_tcpa_consent"] = True
        return enveloped({"consent_id": str(uuid.uuid4())}, status=201)

    def _add(self, number: str) -> dict[str, object]:
        contact_id = str(uuid.uuid4())
        contact: dict[str, object] = {
            "contact_id": contact_id,
            "created_at": time.time_ns() // 1_000_000,
            "dnc": False,
            "main_phone": number,
            "phone_numbers": [number],
        }
        self._by_id[contact_id] = contact
        return contact

    def _list(self, list_id: str) -> list[str]:
        if list_id not in self._lists:
            raise RefusedError(404, "List not found")
        return self._lists[list_id]

    def _find(self, ask: Ask) -> dict[str, object]:
        self._require_token(ask)
        if ask.item_id not in self._by_id:
            raise RefusedError(404, "Contact not found")
        return self._by_id[ask.item_id]

    def _require_token(self, ask: Ask) -> None:
        """A site's token, and never the key (API v2, section 1).

        :raises RefusedError: 401, or 403 for a token of another scope.
        """
        scheme, _, token = ask.headers.get("Authorization", "").partition(" ")
        ends_s, scopes = self._tokens.get(token, (0.0, frozenset[str]()))
        if scheme != "Bearer" or "x-key" in ask.headers or ends_s <= self._clock.now_s():
            raise RefusedError(401, "Unauthorized")
        if SCOPE not in scopes:
            raise RefusedError(403, "Insufficient scope")


def _dicts(value: object) -> list[Mapping[str, object]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
