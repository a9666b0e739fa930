"""What the account of API v2 has: readiness, media, voices, lines, counts of campaigns; and contacts.

Contacts are for whoever has a site's token: on this host, where the vendor has another one for them.
"""

import uuid
from dataclasses import dataclass
from typing import Final

from airflow_provider_dropcowboy.sandbox import catalog
from airflow_provider_dropcowboy.sandbox.protocol import (
    Answer,
    Ask,
    RefusedError,
    enveloped,
    item_of,
    now_ms,
    require_body,
    required_text,
    whole_number,
)
from airflow_provider_dropcowboy.sandbox.state import State

AUDIO_TYPES: Final = {"mp3": "audio/mpeg", "wav": "audio/wav"}  # API v2, section 9
UPLOAD_PATH: Final = "/_upload"
SCOPE: Final = "contacts"  # API v2, section 8
MAX_TTL_S: Final = 3_600  # API v2, section 1, POST /phone/public/embed/token
STANDARD: Final = ("first_name", "last_name", "email", "main_phone", "company")  # API v2, section 8, PUT


@dataclass(slots=True)
class Media:
    """One file.

    :param is_uploaded: its bytes were put to an upload URL; ``complete`` makes it usable.
    """

    media_id: str
    name: str
    exists: bool
    is_uploaded: bool = False

    def shown(self) -> dict[str, object]:
        """As the listing has it."""
        return {"media_id": self.media_id, "name": self.name, "type": "rvm", "media_exists": self.exists}


class Account:
    """The account's things; media and lines are those of v1, under their new names."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.reset()

    @property
    def media(self) -> dict[str, bool]:
        """By id, whether the file is there."""
        return {media_id: file.exists for media_id, file in self._files.items()}

    def reset(self) -> None:
        """Only what is built in is left."""
        self._files: dict[str, Media] = {}
        for row in catalog.RECORDINGS:
            self._add(Media(str(row["media_id"]), str(row["name"]), exists=True))
        voice = [(str(pool["pool_id"]), pool["name"], "voice") for pool in catalog.POOLS]
        self.lines: dict[str, dict[str, object]] = {
            line_id: {"ivr_id": line_id, "name": name, "type": kind, "is_default": line_id == catalog.POOL_ID}
            for line_id, name, kind in (*voice, (catalog.SMS_LINE_ID, "Texts", "sms"))
        }

    def readiness(self, _ask: Ask) -> Answer:
        """``GET /register/public/integration-readiness``."""
        settings = self._state.settings
        funds_usd = settings.funds_usd
        return enveloped(
            {
                "audio_url_allowed": settings.audio_url_allowed,
                "test_numbers_only": settings.test_numbers_only,
                "test_numbers": sorted(catalog.TEST_NUMBERS),
                "funds": {"available": funds_usd, "balance": funds_usd, "reserved": 0, "funds_ok": funds_usd > 0},
                "allotment": {},
                "numbers": {"count": 1, "items": ["+12125550100"]},
                "voices": {"count": 1},
                "byoc": {"connected": settings.byoc, "providers": []},
                "next_actions": [] if funds_usd > 0 else ["add_funds"],
            }
        )

    def list_media(self, ask: Ask) -> Answer:
        """``GET /media/public/media``, or one file by its id."""
        if ask.item_id:
            return enveloped(item_of(ask, self._files, noun="Media").shown())
        files = list(self._files.values())[: whole_number(ask, "limit", missing=100)]
        return enveloped({"medias": [file.shown() for file in files]})

    def add_media(self, ask: Ask) -> Answer:
        """``POST /media/public/media``: the first step of an upload, or an import from a URL."""
        require_body(ask)
        file = Media(str(uuid.uuid4()), required_text(ask, "name"), exists=False)
        if ask.text("url") or ask.text("source_url"):
            file.exists = True
            self._add(file)
            return enveloped({"media_id": file.media_id, "name": file.name, "api_allowed": True}, status=201)
        if ask.body.get("signed_upload") is not True:
            raise RefusedError(400, "Either url or signed_upload is required")
        self._add(file)
        host = ask.headers.get("Host", "127.0.0.1")
        upload = {
            kind: {"url": f"http://{host}{UPLOAD_PATH}/{file.media_id}.{kind}", "content_type": content_type}
            for kind, content_type in AUDIO_TYPES.items()
        }
        return enveloped({**file.shown(), "signed_upload": True, "upload": upload}, status=201)

    def put_upload(self, ask: Ask) -> Answer:
        """``PUT <upload url>``: the second step; it wants the exact type and no key."""
        media_id, _, kind = ask.item_id.rpartition(".")
        file = self._files.get(media_id)
        if file is None or ask.headers.get("Content-Type") != AUDIO_TYPES.get(kind):
            raise RefusedError(403, "Forbidden")
        file.is_uploaded = bool(ask.raw)
        return Answer(200)

    def complete(self, ask: Ask) -> Answer:
        """``POST /media/public/media/{id}/complete``: the third step; from now on the file can be sent."""
        file = item_of(ask, self._files, noun="Media")
        if not file.exists and not file.is_uploaded:
            raise RefusedError(400, "Nothing was uploaded")
        file.exists = True
        return enveloped({"media_id": file.media_id, "media_exists": True})

    def voices(self, _ask: Ask) -> Answer:
        """``GET /voice/public/voices``."""
        ready = {"voice_id": catalog.VOICE_ID, "name": "Sandbox voice", "status": "ready"}
        return enveloped({"voices": [ready, {**ready, "voice_id": "not-ready", "status": "training"}]})

    def list_lines(self, ask: Ask) -> Answer:
        """``GET /phone/public/lines``, by ``type`` and a part of the name."""
        kind, part = ask.query.get("type"), ask.query.get("search_term", "").lower()
        return enveloped(
            [line for line in self.lines.values() if kind in {None, line["type"]} and part in str(line["name"]).lower()]
        )

    def numbers_of_line(self, ask: Ask) -> Answer:
        """``GET /phone/public/lines/{id}/numbers``."""
        item_of(ask, self.lines, noun="Line")
        return enveloped([{"phone_number": "+12125550100"}])

    def show_byoc(self, _ask: Ask) -> Answer:
        """``GET /integration/public/byoc``."""
        byoc = self._state.settings.byoc
        return enveloped({"connected": byoc, "provider": "sandbox" if byoc else None})

    def campaign_stats(self, _ask: Ask) -> Answer:
        """``GET /campaign/public/campaigns/{id}/stats``: all counts are zero, because nothing makes a campaign here."""
        return enveloped({"sent": 0, "failed": 0, "pending": 0})

    def _add(self, file: Media) -> None:
        self._files[file.media_id] = file


class Contacts:
    """The account's contacts and lists. There is one list, empty: the vendor documents no route that makes one."""

    def __init__(self, state: State) -> None:
        self._clock = state.clock
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
        require_body(ask)
        scopes, ttl_s = ask.body.get("scope"), ask.body.get("ttl_seconds", MAX_TTL_S)
        if required_text(ask, "site_id") != catalog.SITE_ID:
            raise RefusedError(404, "Site not found")
        if not isinstance(scopes, list) or not isinstance(ttl_s, int) or not 0 < ttl_s <= MAX_TTL_S:
            raise RefusedError(400, "Invalid scope or ttl_seconds")
        token, ends_s = str(uuid.uuid4()), self._clock.now_s() + ttl_s
        self._tokens[token] = ends_s, frozenset(map(str, scopes))
        return enveloped({"token": token, "expires_at": now_ms() + ttl_s * 1_000})

    def append(self, ask: Ask) -> Answer:
        """``POST /contact/public/contacts``: rows without a number are rejected by their index.

        A contact is known by its number. ``conflict_mode`` ``append`` fills its empty fields; else they are replaced.
        """
        require_body(ask)
        given, rows, lists = (ask.body.get(name, []) for name in ("fields", "values", "add_list_ids"))
        if not isinstance(given, list) or not given or not isinstance(rows, list) or not isinstance(lists, list):
            raise RefusedError(400, "fields, values and add_list_ids are arrays")
        names = [str(field.get("type")) if isinstance(field, dict) else "" for field in given]
        members = [item_of(ask, self._lists, noun="List", item_id=str(list_id)) for list_id in lists]
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
            members = item_of(ask, self._lists, noun="List", item_id=list_id)
            contacts = [self._by_id[contact_id] for contact_id in members]
        for name, field in (("phone", "main_phone"), ("email", "email")):
            if wanted := ask.query.get(name):
                contacts = [contact for contact in contacts if contact.get(field) == wanted]
        offset, limit = whole_number(ask, "offset", missing=0), whole_number(ask, "limit", missing=100)
        page = list(map(_shown, contacts[offset : offset + limit]))
        return enveloped({"contacts": page, "total_contacts": len(contacts)})

    def show(self, ask: Ask) -> Answer:
        """``GET /contact/public/contacts/{id}``."""
        return enveloped({"contact": _shown(self._find(ask))})

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
        return enveloped({"contact_id": ask.item_id, "deleted_at": now_ms()})

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
            "created_at": now_ms(),
            "dnc": False,
            **dict.fromkeys(("has_tcpa_consent", "has_sms_consent", "has_email_consent"), False),
            "main_phone": number,
            "phone_numbers": [number],
        }
        self._by_id[contact_id] = contact
        return contact

    def _find(self, ask: Ask) -> dict[str, object]:
        return item_of(ask, self._by_id, noun="Contact")

    def require_token(self, ask: Ask) -> None:
        """A site's token, and never the key (API v2, section 1).

        :raises RefusedError: 401, or 403 for a token of another scope.
        """
        scheme, _, token = ask.headers.get("Authorization", "").partition(" ")
        ends_s, scopes = self._tokens.get(token, (0.0, frozenset[str]()))
        if scheme != "Bearer" or "x-key" in ask.headers or ends_s <= self._clock.now_s():
            raise RefusedError(401, "Unauthorized")
        if SCOPE not in scopes:
            raise RefusedError(403, "Insufficient scope")


def _shown(contact: dict[str, object]) -> dict[str, object]:
    """A contact as it is read: its standard fields twice."""
    field_data = [{"type": name, "value": contact[name]} for name in STANDARD if contact.get(name)]
    return {**contact, "field_data": field_data}
