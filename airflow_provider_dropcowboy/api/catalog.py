"""What an account may send with."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Brand:
    """A brand to send as; ``api_allowed``: through the API."""

    brand_id: str
    company_name: str | None = None
    dba_name: str | None = None
    registered: bool | None = None
    api_allowed: bool | None = None


@dataclass(frozen=True, slots=True)
class Recording:
    """A recording; its ``media_id`` is the ``recording_id`` of a voicemail."""

    media_id: str
    name: str | None = None
    created_at: datetime | None = None
    api_allowed: bool | None = None


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool of numbers to send from."""

    pool_id: str
    name: str | None = None
    brand_id: str | None = None
    service_type: str | None = None
    number_count: int | None = None
