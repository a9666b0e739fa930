"""What an account may send with."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from airflow_provider_dropcowboy.secret import Secret


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
class Upload:
    """An upload that was begun.

    :param targets: by the file's type, ``mp3`` or ``wav``: the URL to which its bytes go, and their content type.
    """

    media_id: str
    targets: Mapping[str, tuple[str, str]] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Pool:
    """A pool of numbers to send from."""

    pool_id: str
    name: str | None = None
    brand_id: str | None = None
    service_type: str | None = None
    number_count: int | None = None


@dataclass(frozen=True, slots=True)
class Voice:
    """A voice that reads a text; ``status`` is ``ready`` where it can be used."""

    voice_id: str
    name: str | None = None
    status: str | None = None


@dataclass(frozen=True, slots=True)
class Webhook:
    """An address to which the vendor posts events.

    :param signing_secret: told once, when it is made or its secret is changed.
    """

    webhook_id: str
    hook_url: str | None = None
    event_types: tuple[str, ...] = ()
    name: str | None = None
    signing_secret: Secret | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredContact:
    """A contact at the vendor; its fields are a person's, and do not print.

    :param dnc: on the vendor's do-not-contact list.
    """

    contact_id: str
    main_phone: str | None = field(default=None, repr=False)
    first_name: str | None = field(default=None, repr=False)
    last_name: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    company: str | None = field(default=None, repr=False)
    dnc: bool | None = None
    has_tcpa_consent: bool | None = None
    has_sms_consent: bool | None = None
