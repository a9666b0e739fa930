"""The messages of a campaign: what they are called in every run, and what each contact gets."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from airflow_provider_dropcowboy.api.content import (
    MAX_SMS_CHARACTERS,
    Channel,
    Rvm,
    Sms,
    count_sms_characters,
    is_postal_code,
)
from airflow_provider_dropcowboy.argument_kinds import is_id
from airflow_provider_dropcowboy.contacts.contact import Contact, Template, TextError
from airflow_provider_dropcowboy.contacts.key import other_notations, same_person
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.ledger.digest import (
    DIGEST_CHARACTERS,
    FOREIGN_ID_CHARACTERS,
    PREFIX_CHARACTERS,
    digest,
    framed,
    framed_text,
    number_digest,
)
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.secret import hmac_sha256

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.ledger.campaigns import Campaign


MAX_CAMPAIGN_CHARACTERS: Final = 250  # Airflow's own limit for the ids it is made of


def campaign_name(dag_id: str, task_id: str, *, logical_date: datetime | None, run_id: str) -> str:
    """The default name: schedule, retry, clear and backfill of one date agree on it. A long one ends in a digest.

    :param logical_date: aware; None for manual and asset-triggered runs, which are a campaign each, by their run id.
    """
    run = logical_date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if logical_date is not None else run_id
    return _shortened(f"{dag_id}.{task_id}@{run}")


def alert_name(dag_id: str, run_id: str, *, task_id: str | None, kind: str) -> str:
    """The name of a text about an event: the same however often the event is reported.

    :param task_id: None: the event is the whole run's.
    :param kind: what happened, such as ``failed``.
    """
    what = dag_id if task_id is None else f"{dag_id}.{task_id}"
    return _shortened(f"alert {kind}: {what}@{run_id}")


def _shortened(name: str) -> str:
    if len(name) <= MAX_CAMPAIGN_CHARACTERS:
        return name
    rest = hashlib.sha256(name.encode()).hexdigest()[:16]  # so that two long names that begin alike stay two
    return f"{name[: MAX_CAMPAIGN_CHARACTERS - len(rest) - 1]}~{rest}"


def check_campaign_name(name: str) -> str:
    """The name, stripped.

    :raises ConfigurationError: empty, the text of a missing value, or too long.
    """
    name = name.strip()
    if not name or name in {"None", "null"}:
        raise ConfigurationError(
            f"campaign={name!r} is not a campaign name. Nothing was sent. A template that renders to nothing is the "
            f"usual cause. Write 1 to {MAX_CAMPAIGN_CHARACTERS} characters."
        )
    if len(name) > MAX_CAMPAIGN_CHARACTERS:
        raise ConfigurationError(
            f"campaign has {len(name)} characters, and {MAX_CAMPAIGN_CHARACTERS} are the most: {name[:60]!r}… Nothing "
            "was sent. Write a shorter one."
        )
    return name


@dataclass(frozen=True, slots=True)
class Identity:
    """Names the messages of one campaign.

    :param key: of the ledger: without it nobody can guess a name or try out numbers.
    """

    key: bytes = field(repr=False)
    account: str
    campaign: str
    channel: Channel
    earlier: tuple["Identity", ...] = ()
    """Of the same campaign, with the account spelled in other ways."""
    prefix: str = field(init=False)
    """How every foreign_id of the campaign begins, so that its rows lie together in the ledger."""
    _send: bytes = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        names = (self.account, self.campaign, self.channel)
        object.__setattr__(self, "prefix", digest(self.key, "campaign", *names)[:PREFIX_CHARACTERS])
        object.__setattr__(self, "_send", framed("send", *names))  # once, and not for every contact

    @classmethod
    def of(cls, key: bytes, campaign: "Campaign") -> "Identity":
        """Of a campaign that the ledger knows, whose foreign_ids may spell the account in an older way."""
        earlier = tuple(cls.of(key, each) for each in campaign.earlier)
        return cls(key, campaign.digest_account or campaign.account, campaign.name, campaign.channel, earlier)

    def earlier_ids(self, contact_key: str) -> tuple[str, ...]:
        """Other names of the contact's message, by which it may have been sent before.

        Older releases named it by the contact key as the source wrote it, and so does a ledger that they wrote.
        """
        others = other_notations(contact_key)
        if not others and not self.earlier:
            return ()
        texts = (same_person(contact_key), *others)
        return tuple(self._name(text) for text in others) + tuple(
            each._name(text) for each in self.earlier for text in texts
        )

    def names(self, contact_key: str) -> tuple[str, ...]:
        """All names by which the contact's message may be in the ledger; the first is the one it gets now."""
        return (self.foreign_id(contact_key), *self.earlier_ids(contact_key))

    def foreign_id(self, contact_key: str) -> str:
        """The name of the contact's message: the same in every run and notation of the key, no personal data in it."""
        return self._name(same_person(contact_key))

    def _name(self, text: str) -> str:
        name = hmac_sha256(self.key, self._send + framed_text(text))
        return self.prefix + name[: FOREIGN_ID_CHARACTERS - PREFIX_CHARACTERS]

    def number_digest(self, phone: Phone) -> str:
        """The number's name over all campaigns of the ledger."""
        return number_digest(self.key, phone)

    def content_digest(
        self, same: bytes, *, text: str | None, postal_code: str | None, contact_id: str | None = None
    ) -> str:
        """A digest that differs when the request differs: brand, recording, text, pool, the vendor's contact.

        :param same: of ``framed_content``.
        """
        content = same + framed_text(text or "") + framed_text(postal_code or "")
        if contact_id is not None:  # a message without one keeps the digest that it always had
            content += framed_text(contact_id)
        return hmac_sha256(self.key, content)[:DIGEST_CHARACTERS]


def framed_content(fields: Mapping[str, object]) -> bytes:
    """What all messages of a run share, as it is the same in every run; how their content digests begin."""
    return framed("content", json.dumps(fields, sort_keys=True, ensure_ascii=False, separators=(",", ":")))


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
