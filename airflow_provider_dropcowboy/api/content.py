"""What one contact gets, in words that hold for every version of the API, and the rules of what it may be made of."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, assert_never

from airflow_provider_dropcowboy.argument_kinds import is_id, is_web_url
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.row_value import row_value

MAX_SMS_CHARACTERS: Final = 160  # API v1, POST /sms, sms_body
MAX_LONG_SMS_CHARACTERS: Final = 1_600  # API v2, POST /sms, body
MAX_FOREIGN_ID_CHARACTERS: Final = 256  # API v1, POST /rvm, foreign_id


class Channel(StrEnum):
    """How a message reaches a person."""

    RVM = "rvm"
    SMS = "sms"


@row_value(kw_only=True)
class Rvm:
    """A ringless voicemail, with exactly one audio source.

    :param contact_id: of the vendor's contact, who is sent to in place of a number.
    :param caller_id: of an account that brings its own carrier.
    :param sti_orig_id: with ``sti_attestation``: how that carrier vouches for the call.
    """

    brand_id: str | None = None
    recording_id: str | None = None
    voice_id: str | None = None
    tts_body: str | None = field(default=None, repr=False)
    audio_url: str | None = field(default=None, repr=False)
    audio_type: str | None = None
    forwarding_number: str | None = field(default=None, repr=False)
    phone_ivr_id: str | None = None
    pool_id: str | None = None
    postal_code: str | None = field(default=None, repr=False)
    byoc: Mapping[str, object] | None = field(default=None, repr=False)
    contact_id: str | None = field(default=None, repr=False)
    caller_id: str | None = field(default=None, repr=False)
    sti_orig_id: str | None = None
    sti_attestation: str | None = None

    @property
    def text(self) -> str | None:
        """What a voice reads; None: nothing, it is a recording."""
        return self.tts_body


@row_value(kw_only=True)
class Sms:
    """A text message to someone who opted in.

    :param contact_id: of the vendor's contact, who is sent to in place of a number.
    :param media_urls: pictures on the web; ``media_ids``: uploaded ones.
    """

    caller_id: str | None = field(default=None, repr=False)
    pool_id: str | None = None
    sms_body: str = field(repr=False)
    contact_id: str | None = field(default=None, repr=False)
    media_urls: Sequence[str] | None = field(default=None, repr=False)
    media_ids: Sequence[str] | None = None

    @property
    def text(self) -> str:
        """What the person reads."""
        return self.sms_body


Content = Rvm | Sms


def channel_of(content: Content) -> Channel:
    """How this content reaches a person."""
    return Channel.RVM if isinstance(content, Rvm) else Channel.SMS


def count_sms_characters(text: str) -> int:
    """The length of a text as the vendor's server, which runs on Node, counts it: an emoji is two.

    Source: API v1 says "160 characters" and no more; the stricter reading costs no refused message.
    """
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def count_outside_gsm(text: str) -> int:
    """How many characters of a text are outside GSM 03.38: with one, it goes out in parts of 70 characters."""
    return sum(character not in _GSM for character in text)


def check_url(name: str, url: object) -> None:
    """Nothing, if a field holds the address of something on the web.

    :raises ConfigurationError: it does not; the text names the field and repeats no value.
    """
    if not isinstance(url, str) or not is_web_url(url):
        raise ConfigurationError(
            f"{name} is not a URL such as https://example.com/path. Nothing was sent. Give one, or leave it out."
        )


def is_postal_code(code: str) -> bool:
    """Whether the vendor can use the code: a US one, such as ``02101`` or ``90210-0001``, or a Canadian ``K1A 0B1``."""
    return _POSTAL_CODE.fullmatch(code) is not None


_POSTAL_CODE: Final = re.compile(r"[0-9]{5}(-[0-9]{4})?|[A-Z][0-9][A-Z] [0-9][A-Z][0-9]")
_GSM: Final = frozenset(  # 3GPP TS 23.038, 6.2.1: the default alphabet and its extension
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà\f^{}\\[~]|€"
)


AUDIO_TYPES: Final = frozenset({"mp3", "wav"})  # API v1, POST /rvm, audio_type
ATTESTATIONS: Final = ("A", "B", "C")  # API v2, POST /rvm, byoc.sti_attestation
NOUNS: Final = {Channel.RVM: "voicemail", Channel.SMS: "text"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContentRules:
    """What one version of the API knows and needs of a message.

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
        count = count_sms_characters(content.tts_body or "")
        if self.max_tts_characters is not None and count > self.max_tts_characters:
            return f"The tts_body has {count} characters; Drop Cowboy takes {self.max_tts_characters}."
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
