"""Media of API v2: listed, imported from the web, or uploaded in three steps."""

from collections.abc import Mapping
from typing import Final

from airflow_provider_dropcowboy.api import _reading as reading
from airflow_provider_dropcowboy.api.catalog import Recording, Upload
from airflow_provider_dropcowboy.api.replies import Call
from airflow_provider_dropcowboy.api.v2.calls import below, call, rows_of

MEDIA: Final = "/media/public/media"
_NAMES: Final = {"api_allowed": "media_exists"}
_LOOK: Final = "`dropcowboy media` lists what is there; a file without media_exists cannot be sent."


def media() -> Call[tuple[Recording, ...]]:
    """``GET /media/public/media``: a file's ``media_id`` is what a voicemail names."""
    return call("GET", MEDIA, lambda data: reading.records(Recording, rows_of(data, "medias"), **_NAMES))


def get_media(media_id: str) -> Call[Recording]:
    """``GET /media/public/media/{id}``."""
    return call(
        "GET", below(MEDIA, media_id), lambda data: reading.record(Recording, reading.as_object(data), **_NAMES)
    )


def import_media(name: str, url: str) -> Call[str]:
    """``POST /media/public/media`` with a URL: the media_id of a file that is ready at once."""
    return call("POST", MEDIA, _media_id, body={"name": name, "url": url, "type": "rvm"}, check=_LOOK)


def begin_upload(name: str) -> Call[Upload]:
    """``POST /media/public/media``, the first step: where the bytes go, for each type of file."""
    body = {"name": name, "type": "rvm", "signed_upload": True}
    return call("POST", MEDIA, lambda data: _upload(reading.as_object(data)), body=body, check=_LOOK)


def complete_upload(media_id: str) -> Call[str]:
    """``POST …/{id}/complete``, the third step: from now on the file can be sent."""
    return call("POST", below(MEDIA, media_id, "complete"), _media_id, body={}, check=_LOOK)


def _media_id(data: object) -> str:
    return reading.text(reading.as_object(data), "media_id")


def _upload(content: Mapping[str, object]) -> Upload:
    targets = reading.as_object(content.get("upload"))
    found = {kind: reading.as_object(target) for kind, target in targets.items()}
    return Upload(
        media_id=reading.text(content, "media_id"),
        targets={
            kind: (reading.text(target, "url"), reading.text(target, "content_type")) for kind, target in found.items()
        },
    )
