"""Every call of API v2 that v1 does not have, under one roof: see ``api/routes.py``."""

from airflow_provider_dropcowboy.api.v2.account import (
    campaign_counts,
    delete_webhook,
    lines,
    readiness,
    register_webhook,
    rotate_secret,
    voices,
    webhooks,
)
from airflow_provider_dropcowboy.api.v2.contacts import (
    delete_contact,
    get_contact,
    list_contacts,
    record_consent,
    update_contact,
)
from airflow_provider_dropcowboy.api.v2.media import begin_upload, complete_upload, get_media, import_media, media

__all__ = [
    "begin_upload", "campaign_counts", "complete_upload", "delete_contact", "delete_webhook", "get_contact",
    "get_media", "import_media", "lines", "list_contacts", "media", "readiness", "record_consent",
    "register_webhook", "rotate_secret", "update_contact", "voices", "webhooks",
]  # fmt: skip
