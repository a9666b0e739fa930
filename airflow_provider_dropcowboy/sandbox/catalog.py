"""What the account has: brands, recordings and pools are built in; API v2 adds media, voices, lines and readiness."""

import uuid
from dataclasses import dataclass
from typing import Final

from airflow_provider_dropcowboy.sandbox import protocol
from airflow_provider_dropcowboy.sandbox.protocol import Answer, Ask, RefusedError, enveloped, json_answer
from airflow_provider_dropcowboy.sandbox.state import State

BRAND_ID: Final = "b0000000-0000-4000-8000-000000000001"
"""A registered brand that the API may use."""

UNREGISTERED_BRAND_ID: Final = "b0000000-0000-4000-8000-000000000002"
"""A brand with ``registered`` and ``api_allowed`` false; a send that names it is accepted all the same."""

RECORDING_ID: Final = "a0000000-0000-4000-8000-000000000001"
"""A recording that the API may use."""

SECOND_RECORDING_ID: Final = "a0000000-0000-4000-8000-000000000002"
"""Another recording that the API may use."""

UNAPPROVED_RECORDING_ID: Final = "a0000000-0000-4000-8000-000000000003"
"""A recording with ``api_allowed`` false; a send that names it is accepted all the same."""

POOL_ID: Final = "c0000000-0000-4000-8000-000000000001"
"""A pool for voicemails and texts."""

SECOND_POOL_ID: Final = "c0000000-0000-4000-8000-000000000002"
"""A pool of the unregistered brand."""

BRANDS: Final[list[dict[str, object]]] = [
    {
        "brand_id": BRAND_ID,
        "company_name": "Sandbox Dairy Inc.",
        "dba_name": "Sandbox Dairy",
        "registered": True,
        "api_allowed": True,
    },
    {
        "brand_id": UNREGISTERED_BRAND_ID,
        "company_name": "Sandbox Ranch LLC",
        "dba_name": "Sandbox Ranch",
        "registered": False,
        "api_allowed": False,
    },
]

RECORDINGS: Final[list[dict[str, object]]] = [
    {"media_id": RECORDING_ID, "name": "Reminder", "created_at": 1_700_000_000_000, "api_allowed": True},
    {"media_id": SECOND_RECORDING_ID, "name": "Thank you", "created_at": 1_710_000_000_000, "api_allowed": True},
    {"media_id": UNAPPROVED_RECORDING_ID, "name": "Draft", "created_at": 1_720_000_000_000, "api_allowed": False},
]

POOLS: Final[list[dict[str, object]]] = [
    {"pool_id": POOL_ID, "name": "Main line", "brand_id": BRAND_ID, "service_type": "both", "number_count": 12},
    {
        "pool_id": SECOND_POOL_ID,
        "name": "Second line",
        "brand_id": UNREGISTERED_BRAND_ID,
        "service_type": "rvm",
        "number_count": 3,
    },
]

BRAND_IDS: Final = frozenset(str(row["brand_id"]) for row in BRANDS)
RECORDING_IDS: Final = frozenset(str(row["media_id"]) for row in RECORDINGS)
POOL_IDS: Final = frozenset(str(row["pool_id"]) for row in POOLS)

VOICE_ID: Final = "d0000000-0000-4000-8000-000000000001"
"""The voice of API v2 that is ready."""

TEST_NUMBERS: Final = frozenset({"+15045550100", "+15045550101"})
"""API v2: the account's own phones; with ``test_numbers_only`` no other voicemail is sent."""

LIST_ID: Final = "e0000000-0000-4000-8000-000000000001"
"""The contact list of API v2, empty at first."""

SITE_ID: Final = "f0000000-0000-4000-8000-000000000001"
"""The site of API v2 whose tokens open the routes of contacts."""

SMS_LINE_ID: Final = "c0000000-0000-4000-8000-000000000003"
"""The line of API v2 that is for texts; the pools are its other lines."""

AUDIO_TYPES: Final = {"mp3": "audio/mpeg", "wav": "audio/wav"}  # API v2, section 9
UPLOAD_PATH: Final = "/_upload"
SCOPE: Final = "contacts"  # API v2, section 8
MAX_TTL_S: Final = 3_600  # API v2, section 1, POST /phone/public/embed/token


def recordings(ask: Ask) -> Answer:
    """``GET /recording``, filtered by ``api_allowed`` where the query has it."""
    wanted = ask.query.get("api_allowed")
    if wanted not in {None, "true", "false"}:
        raise RefusedError(400, "Invalid api_allowed: true or false", field_name="api_allowed")
    return json_answer([row for row in RECORDINGS if wanted in {None, str(row["api_allowed"]).lower()}])


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
        """Only what is built in is left, and there is no token."""
        self._tokens: dict[str, tuple[float, frozenset[str]]] = {}
        self._files: dict[str, Media] = {}
        for row in RECORDINGS:
            self._add(Media(str(row["media_id"]), str(row["name"]), exists=True))
        voice = [(str(pool["pool_id"]), pool["name"], "voice") for pool in POOLS]
        self.lines: dict[str, dict[str, object]] = {
            line_id: {"ivr_id": line_id, "name": name, "type": kind, "is_default": line_id == POOL_ID}
            for line_id, name, kind in (*voice, (SMS_LINE_ID, "Texts", "sms"))
        }

    def readiness(self, _ask: Ask) -> Answer:
        """``GET /register/public/integration-readiness``."""
        settings = self._state.settings
        funds_usd = settings.funds_usd
        return enveloped(
            {
                "audio_url_allowed": settings.audio_url_allowed,
                "test_numbers_only": settings.test_numbers_only,
                "test_numbers": sorted(TEST_NUMBERS),
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
            return enveloped(protocol.item_of(ask, self._files, noun="Media").shown())
        files = list(self._files.values())[: protocol.whole_number(ask, "limit", missing=100)]
        return enveloped({"medias": [file.shown() for file in files]})

    def add_media(self, ask: Ask) -> Answer:
        """``POST /media/public/media``: the first step of an upload, or an import from a URL."""
        protocol.require_body(ask)
        file = Media(str(uuid.uuid4()), protocol.required_text(ask, "name"), exists=False)
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
        file = protocol.item_of(ask, self._files, noun="Media")
        if not file.exists and not file.is_uploaded:
            raise RefusedError(400, "Nothing was uploaded")
        file.exists = True
        return enveloped({"media_id": file.media_id, "media_exists": True})

    def voices(self, _ask: Ask) -> Answer:
        """``GET /voice/public/voices``."""
        ready = {"voice_id": VOICE_ID, "name": "Sandbox voice", "status": "ready"}
        return enveloped({"voices": [ready, {**ready, "voice_id": "not-ready", "status": "training"}]})

    def list_lines(self, ask: Ask) -> Answer:
        """``GET /phone/public/lines``, by ``type`` and a part of the name."""
        kind, part = ask.query.get("type"), ask.query.get("search_term", "").lower()
        return enveloped(
            [line for line in self.lines.values() if kind in {None, line["type"]} and part in str(line["name"]).lower()]
        )

    def numbers_of_line(self, ask: Ask) -> Answer:
        """``GET /phone/public/lines/{id}/numbers``."""
        protocol.item_of(ask, self.lines, noun="Line")
        return enveloped([{"phone_number": "+12125550100"}])

    def show_byoc(self, _ask: Ask) -> Answer:
        """``GET /integration/public/byoc``."""
        byoc = self._state.settings.byoc
        return enveloped({"connected": byoc, "provider": "sandbox" if byoc else None})

    def campaign_stats(self, _ask: Ask) -> Answer:
        """``GET /campaign/public/campaigns/{id}/stats``: all counts are zero, because nothing makes a campaign here."""
        return enveloped({"sent": 0, "failed": 0, "pending": 0})

    def grant(self, ask: Ask) -> Answer:
        """``POST /phone/public/embed/token``."""
        protocol.require_body(ask)
        scopes, ttl_s = ask.body.get("scope"), ask.body.get("ttl_seconds", MAX_TTL_S)
        if protocol.required_text(ask, "site_id") != SITE_ID:
            raise RefusedError(404, "Site not found")
        if not isinstance(scopes, list) or not isinstance(ttl_s, int) or not 0 < ttl_s <= MAX_TTL_S:
            raise RefusedError(400, "Invalid scope or ttl_seconds")
        token, ends_s = str(uuid.uuid4()), self._state.clock.now_s() + ttl_s
        self._tokens[token] = ends_s, frozenset(map(str, scopes))
        return enveloped({"token": token, "expires_at": protocol.now_ms() + ttl_s * 1_000})

    def require_token(self, ask: Ask) -> None:
        """A site's token, and never the key (API v2, section 1): on this host, where the vendor has another one.

        :raises RefusedError: 401, or 403 for a token of another scope.
        """
        scheme, _, token = ask.headers.get("Authorization", "").partition(" ")
        ends_s, scopes = self._tokens.get(token, (0.0, frozenset[str]()))
        if scheme != "Bearer" or "x-key" in ask.headers or ends_s <= self._state.clock.now_s():
            raise RefusedError(401, "Unauthorized")
        if SCOPE not in scopes:
            raise RefusedError(403, "Insufficient scope")

    def _add(self, file: Media) -> None:
        self._files[file.media_id] = file
