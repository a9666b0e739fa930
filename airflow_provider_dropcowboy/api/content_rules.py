"""What a message may be made of: rules that hold for every version of the API, and the limits of one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, assert_never

from airflow_provider_dropcowboy.api.content import (
    Channel,
    Content,
    Rvm,
    Sms,
    channel_of,
    count_sms_characters,
    is_postal_code,
)
from airflow_provider_dropcowboy.argument_kinds import is_id, is_web_url
from airflow_provider_dropcowboy.errors import ConfigurationError

AUDIO_TYPES: Final = frozenset({"mp3", "wav"})  # API v1, POST /rvm, audio_type
ATTESTATIONS: Final = ("A", "B", "C")  # API v2, POST /rvm, byoc.sti_attestation
NOUNS: Final = {Channel.RVM: "voicemail", Channel.SMS: "text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentRules:
    """What one version of the API knows and needs.

    :param needed: words that it needs, with where to find a value; whole sentences.
    :param unknown: words that it does not know, with what to do about each; whole sentences.
    :param max_text_characters: of a text, as ``count_sms_characters`` counts.
    :param max_tts_characters: of a text that a voice reads; None: it names no limit.
    """

    needed: Mapping[Channel, Mapping[str, str]]
    unknown: Mapping[Channel, Mapping[str, str]] = field(default_factory=dict)
    max_text_characters: int
    max_tts_characters: int | None = None

    def check(self, content: Content) -> None:
        """Nothing, if the vendor accepts a message like this.

        :raises ConfigurationError: it does not; the text names the field and repeats no value.
        """
        fields = {name: getattr(content, name) for name in content.__dataclass_fields__}
        fields = {name: value for name, value in fields.items() if value is not None}
        if not (fault := _type_fault(fields) or self._fault_of_words(channel_of(content), fields)):
            match content:
                case Rvm():
                    fault = self._rvm_fault(content)
                case Sms():
                    fault = self._sms_fault(content)
                case _:
                    assert_never(content)
        if fault or (fault := _text_fault(fields)):
            raise ConfigurationError(f"{fault} Nothing was sent.")

    def check_words(self, channel: Channel, **given: object) -> None:
        """Nothing, if this version knows every word that has a value, and nothing that it needs is missing.

        :raises ConfigurationError: the text names the word and says what to do.
        """
        if fault := self._fault_of_words(channel, given):
            raise ConfigurationError(f"{fault} Nothing was sent.")

    def _fault_of_words(self, channel: Channel, given: Mapping[str, object]) -> str | None:
        for name, remedy in self.unknown.get(channel, {}).items():
            if given.get(name):
                return f"{name} is unknown to this version of the API. {remedy}"
        for name, remedy in self.needed.get(channel, {}).items():
            if not given.get(name):
                return f"A {NOUNS[channel]} needs a {name}. {remedy}"
        return None

    def _rvm_fault(self, content: Rvm) -> str | None:
        sources = [
            name
            for name, value in (
                ("recording_id", content.recording_id),
                ("voice_id and tts_body", content.voice_id or content.tts_body),
                ("audio_url", content.audio_url),
            )
            if value
        ]
        if len(sources) != 1:
            return (
                "A voicemail needs exactly one of recording_id, voice_id with tts_body, and audio_url; "
                f"given: {', '.join(sources) or 'none'}."
            )
        if bool(content.voice_id) != bool(content.tts_body):
            return "voice_id and tts_body need each other: give both."
        if content.tts_body and self.max_tts_characters and len(content.tts_body) > self.max_tts_characters:
            return f"The tts_body has {len(content.tts_body)} characters; Drop Cowboy takes {self.max_tts_characters}."
        if content.audio_type and (content.audio_type not in AUDIO_TYPES or not content.audio_url):
            return "audio_type is mp3 or wav, and goes with audio_url."
        if content.audio_url and not is_web_url(content.audio_url):
            return "audio_url is not a URL such as https://example.com/message.mp3."
        if bool(content.sti_orig_id) != bool(content.sti_attestation):
            return "sti_orig_id and sti_attestation need each other: give both."
        if content.sti_attestation and content.sti_attestation not in ATTESTATIONS:
            return f"sti_attestation is one of {', '.join(ATTESTATIONS)}."
        if content.postal_code and not is_postal_code(content.postal_code):
            return "postal_code must be a US code such as 02101 or 90210-0001, or a Canadian one such as K1A 0B1."
        return None

    def _sms_fault(self, content: Sms) -> str | None:
        if not content.sms_body:
            return "A text needs an sms_body."
        if (count := count_sms_characters(content.sms_body)) > self.max_text_characters:
            return f"The sms_body has {count} characters; Drop Cowboy takes {self.max_text_characters}."
        if not all(map(is_web_url, content.media_urls or ())):
            return "media_urls holds something that is not a URL such as https://example.com/picture.png."
        return None


def _type_fault(fields: Mapping[str, object]) -> str | None:
    for name, value in fields.items():
        if name in ("media_urls", "media_ids"):
            if isinstance(value, str) or not isinstance(value, Sequence) or not all(map(is_id, value)):
                return f"{name} is not a list of texts."
        elif not isinstance(value, str) and name != "byoc":
            return f"{name} is a {type(value).__name__}: give text."
    return None


def _text_fault(fields: Mapping[str, object]) -> str | None:
    for name, value in fields.items():
        if isinstance(value, str) and not value.strip():
            return f"{name} is empty: give a value, or leave it out."
        if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
            return f"{name} holds half a character (a lone surrogate), which no text can hold."
    return None
