"""What the account of API v2 has: readiness, media, voices, lines, and counts of campaigns."""

import uuid
from dataclasses import dataclass, field
from typing import Final

from airflow_provider_dropcowboy.sandbox import catalog
from airflow_provider_dropcowboy.sandbox.protocol import Answer, Ask, RefusedError, require_body, required_text
from airflow_provider_dropcowboy.sandbox.settings import Settings
from airflow_provider_dropcowboy.sandbox.v2.protocol import enveloped, require_key

AUDIO_TYPES: Final = {"mp3": "audio/mpeg", "wav": "audio/wav"}  # API v2, section 9
UPLOAD_PATH: Final = "/_upload"


@dataclass(slots=True)
class Media:
    """One file.

    :param uploaded: its bytes were put to an upload URL; ``complete`` makes it usable.
    """

    media_id: str
    name: str
    exists: bool
    uploaded: int = field(default=0)

    def shown(self) -> dict[str, object]:
        """As the listing has it."""
        return {"media_id": self.media_id, "name": self.name, "type": "rvm", "media_exists": self.exists}


class Account:
    """The account's things; media and lines are those of v1, under their new names.

    :ivar media: by id, whether the file is there.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.lines: dict[str, dict[str, object]] = {}
        self._files: dict[str, Media] = {}
        self.reset()

    @property
    def media(self) -> dict[str, bool]:
        """By id, whether the file is there."""
        return {media_id: file.exists for media_id, file in self._files.items()}

    def reset(self) -> None:
        """Only what is built in is left."""
        self._files = {
            str(row["media_id"]): Media(str(row["media_id"]), str(row["name"]), exists=True)
            for row in catalog.RECORDINGS
        }
        self.lines = {
            str(pool["pool_id"]): {
                "ivr_id": pool["pool_id"],
                "name": pool["name"],
                "type": "voice",
                "is_default": number == 0,
            }
            for number, pool in enumerate(catalog.POOLS)
        }
        self.lines[catalog.SMS_LINE_ID] = {
            "ivr_id": catalog.SMS_LINE_ID,
            "name": "Texts",
            "type": "sms",
            "is_default": False,
        }

    def readiness(self, ask: Ask) -> Answer:
        """``GET /register/public/integration-readiness``."""
        require_key(ask, self.settings)
        funds_usd = self.settings.funds_usd
        return enveloped(
            {
                "audio_url_allowed": self.settings.audio_url_allowed,
                "test_numbers_only": self.settings.test_numbers_only,
                "test_numbers": sorted(catalog.TEST_NUMBERS),
                "funds": {"available": funds_usd, "balance": funds_usd, "reserved": 0, "funds_ok": funds_usd > 0},
                "allotment": {},
                "numbers": {"count": 1, "items": ["+12125550100"]},
                "voices": {"count": 1},
                "byoc": {"connected": self.settings.byoc, "providers": []},
                "next_actions": [] if funds_usd > 0 else ["add_funds"],
            }
        )

    def list_media(self, ask: Ask) -> Answer:
        """``GET /media/public/media``, or one file by its id."""
        if ask.item_id:
            return enveloped(self._file(ask).shown())
        require_key(ask, self.settings)
        files = list(self._files.values())[: _limit(ask)]
        return enveloped({"medias": [file.shown() for file in files]})

    def add_media(self, ask: Ask) -> Answer:
        """``POST /media/public/media``: the first step of an upload, or an import from a URL."""
        require_key(ask, self.settings)
        require_body(ask)
        file = Media(str(uuid.uuid4()), required_text(ask, "name"), exists=False)
        if ask.text("url") or ask.text("source_url"):
            file.exists = True
            self._files[file.media_id] = file
            return enveloped({"media_id": file.media_id, "name": file.name, "api_allowed": True}, status=201)
        if ask.body.get("signed_upload") is not True:
            raise RefusedError(400, "Either url or signed_upload is required")
        self._files[file.media_id] = file
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
        file.uploaded = len(ask.raw)
        return Answer(200)

    def complete(self, ask: Ask) -> Answer:
        """``POST /media/public/media/{id}/complete``: the third step; from now on the file can be sent."""
        file = self._file(ask)
        if not file.exists and not file.uploaded:
            raise RefusedError(400, "Nothing was uploaded")
        file.exists = True
        return enveloped({"media_id": file.media_id, "media_exists": True})

    def voices(self, ask: Ask) -> Answer:
        """``GET /voice/public/voices``."""
        require_key(ask, self.settings)
        ready = {"voice_id": catalog.VOICE_ID, "name": "Sandbox voice", "status": "ready"}
        return enveloped({"voices": [ready, {**ready, "voice_id": "not-ready", "status": "training"}]})

    def list_lines(self, ask: Ask) -> Answer:
        """``GET /phone/public/lines``, by ``type`` and a part of the name."""
        require_key(ask, self.settings)
        kind, part = ask.query.get("type"), ask.query.get("search_term", "").lower()
        return enveloped(
            [line for line in self.lines.values() if kind in {None, line["type"]} and part in str(line["name"]).lower()]
        )

    def numbers_of_line(self, ask: Ask) -> Answer:
        """``GET /phone/public/lines/{id}/numbers``."""
        require_key(ask, self.settings)
        if ask.item_id not in self.lines:
            raise RefusedError(404, "Line not found")
        return enveloped([{"phone_number": "+12125550100"}])

    def show_byoc(self, ask: Ask) -> Answer:
        """``GET /integration/public/byoc``."""
        require_key(ask, self.settings)
        return enveloped({"connected": self.settings.byoc, "provider": "sandbox" if self.settings.byoc else None})

    def campaign_stats(self, ask: Ask) -> Answer:
        """``GET /campaign/public/campaigns/{id}/stats``: all counts are zero, because nothing makes a campaign here."""
        require_key(ask, self.settings)
        return enveloped({"sent": 0, "failed": 0, "pending": 0})

    def _file(self, ask: Ask) -> Media:
        require_key(ask, self.settings)
        file = self._files.get(ask.item_id)
        if file is None:
            raise RefusedError(404, "Media not found")
        return file


def _limit(ask: Ask) -> int:
    try:
        return max(1, int(ask.query.get("limit", "100")))
    except ValueError:
        raise RefusedError(400, "Invalid limit", field_name="limit") from None
