"""From a contact to what it gets: the task's arguments with the row's values filled in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from airflow_provider_dropcowboy.api.content import MAX_SMS_CHARACTERS, Rvm, Sms, count_sms_characters, is_postal_code
from airflow_provider_dropcowboy.argument_kinds import is_id
from airflow_provider_dropcowboy.contacts.contact import Contact, Template, TextError


@dataclass(frozen=True, slots=True, kw_only=True)
class RvmTemplate:
    """A voicemail for every contact; ``tts_body`` takes ``{column}`` fields.

    :param max_characters: of the text with the row's values; None: the vendor names no limit.
    """

    brand_id: str | None = None
    recording_id: str | None = None
    voice_id: str | None = None
    tts_body: Template | None = field(default=None, repr=False)
    audio_url: str | None = field(default=None, repr=False)
    audio_type: str | None = None
    forwarding_number: str | None = field(default=None, repr=False)
    phone_ivr_id: str | None = None
    pool_id: str | None = None
    byoc: Mapping[str, object] | None = field(default=None, repr=False)
    contact_id: Template | None = None
    caller_id: str | None = field(default=None, repr=False)
    sti_orig_id: str | None = None
    sti_attestation: str | None = None
    max_characters: int | None = None

    def fill_in(self, contact: Contact) -> Rvm:
        """What the contact is to hear.

        :raises TextError: the row lacks a value, or its text is empty or longer than the vendor accepts.
        """
        text = None if self.tts_body is None else self.tts_body.render(contact.row)
        if text == "":
            raise TextError("text: empty with the row's values")
        if text is not None and self.max_characters is not None and len(text) > self.max_characters:
            raise TextError(f"text: longer than {self.max_characters} characters with the row's values")
        return Rvm(
            brand_id=self.brand_id,
            recording_id=self.recording_id,
            voice_id=self.voice_id,
            tts_body=text,
            audio_url=self.audio_url,
            audio_type=self.audio_type,
            forwarding_number=self.forwarding_number,
            phone_ivr_id=self.phone_ivr_id,
            pool_id=self.pool_id,
            # another country's code would cost the person the message
            postal_code=contact.postal_code if contact.postal_code and is_postal_code(contact.postal_code) else None,
            byoc=self.byoc,
            contact_id=_contact_id(self.contact_id, contact),
            caller_id=self.caller_id,
            sti_orig_id=self.sti_orig_id,
            sti_attestation=self.sti_attestation,
        )

    def columns(self) -> tuple[str, ...]:
        """The columns whose values are filled in."""
        return _columns_of(self.tts_body, self.contact_id)

    def same(self) -> dict[str, object]:
        """What every message asks for alike."""
        return {
            "brand_id": self.brand_id,
            "recording_id": self.recording_id,
            "voice_id": self.voice_id,
            "audio_url": self.audio_url,
            "audio_type": self.audio_type,
            "forwarding_number": self.forwarding_number,
            "phone_ivr_id": self.phone_ivr_id,
            "pool_id": self.pool_id,
            "byoc": self.byoc,
            **_if_given(caller_id=self.caller_id, sti_orig_id=self.sti_orig_id, sti_attestation=self.sti_attestation),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsTemplate:
    """A text for every contact; ``sms_body`` takes ``{column}`` fields."""

    caller_id: str | None = field(default=None, repr=False)
    pool_id: str | None = None
    sms_body: Template = field(repr=False)
    contact_id: Template | None = None
    media_urls: Sequence[str] | None = field(default=None, repr=False)
    media_ids: Sequence[str] | None = None
    max_characters: int = MAX_SMS_CHARACTERS

    def fill_in(self, contact: Contact) -> Sms:
        """What the contact is to read.

        :raises TextError: the row lacks a value, or its text is longer than the vendor takes.
        """
        text = self.sms_body.render(contact.row)
        if count_sms_characters(text) > self.max_characters:
            raise TextError(f"text: longer than {self.max_characters} characters with the row's values")
        if not text:
            raise TextError("text: empty with the row's values")
        return Sms(
            caller_id=self.caller_id,
            pool_id=self.pool_id,
            sms_body=text,
            contact_id=_contact_id(self.contact_id, contact),
            media_urls=self.media_urls,
            media_ids=self.media_ids,
        )

    def columns(self) -> tuple[str, ...]:
        """The columns whose values are filled in."""
        return _columns_of(self.sms_body, self.contact_id)

    def same(self) -> dict[str, object]:
        """What every message asks for alike."""
        pictures = _if_given(media_urls=self.media_urls, media_ids=self.media_ids)
        return {"caller_id": self.caller_id, "pool_id": self.pool_id, **pictures}


def _contact_id(template: Template | None, contact: Contact) -> str | None:
    """The vendor's id of the row's contact.

    :raises TextError: the row has none.
    """
    if template is None:
        return None
    found = template.render(contact.row)
    if not is_id(found):
        raise TextError("contact_id: not an ID")
    return found


def _columns_of(*templates: Template | None) -> tuple[str, ...]:
    return tuple(column for template in templates if template is not None for column in template.columns)


def _if_given(**fields: object) -> dict[str, object]:
    """Fields that have a value: a message without them keeps the digest that it had before there were such fields."""
    return {name: value for name, value in fields.items() if value is not None}
