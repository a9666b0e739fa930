"""The calls about an account that only newer versions of the API have."""

from collections.abc import Mapping
from typing import Protocol

from airflow_provider_dropcowboy.api.catalog import Pool, Recording, StoredContact, Upload, Voice, Webhook
from airflow_provider_dropcowboy.api.readiness import Readiness
from airflow_provider_dropcowboy.api.replies import Call
from airflow_provider_dropcowboy.phone import Phone


class AccountRoutes(Protocol):
    """What a newer version adds."""

    def readiness(self) -> Call[Readiness]:
        """What the account may do now."""
        ...

    def voices(self) -> Call[tuple[Voice, ...]]:
        """The voices that read a text."""
        ...

    def lines(self, kind: str | None = None) -> Call[tuple[Pool, ...]]:
        """The lines of voicemails, of texts, or all."""
        ...

    def webhooks(self) -> Call[tuple[Webhook, ...]]:
        """The account's webhooks, without their secrets."""
        ...

    def register_webhook(self, hook_url: str, *, event_types: tuple[str, ...], name: str) -> Call[Webhook]:
        """There is one more webhook; its signing secret is told this once."""
        ...

    def rotate_secret(self, webhook_id: str) -> Call[Webhook]:
        """A webhook has another signing secret, which is told this once; the old one is dead."""
        ...

    def delete_webhook(self, webhook_id: str) -> Call[None]:
        """A webhook is gone."""
        ...

    def campaign_counts(self, campaign_id: str) -> Call[Mapping[str, int]]:
        """Counts of a campaign of the vendor's own."""
        ...

    def get_media(self, media_id: str) -> Call[Recording]:
        """One file."""
        ...

    def import_media(self, name: str, url: str) -> Call[str]:
        """A file from the web is ready to be sent; its media_id."""
        ...

    def begin_upload(self, name: str) -> Call[Upload]:
        """There is a file without bytes, and it is told where they go."""
        ...

    def complete_upload(self, media_id: str) -> Call[str]:
        """The file whose bytes were uploaded is ready to be sent; its media_id."""
        ...

    def list_contacts(
        self, list_id: str | None = None, *, limit: int = 100, offset: int = 0
    ) -> Call[tuple[StoredContact, ...]]:
        """A page of all contacts, or of those in a list."""
        ...

    def get_contact(self, contact_id: str) -> Call[StoredContact]:
        """One contact."""
        ...

    def update_contact(self, contact_id: str, **fields: str) -> Call[None]:
        """A contact's fields have other values."""
        ...

    def delete_contact(self, contact_id: str) -> Call[None]:
        """A contact is gone."""
        ...

    def record_consent(self, contact_id: str, *, consent_type: str, phone: Phone, text: str, method: str) -> Call[str]:
        """A contact's consent is recorded; the id of the record."""
        ...
