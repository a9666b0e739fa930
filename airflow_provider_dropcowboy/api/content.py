"""What one contact gets, in words that hold for every version of the API."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from typing import Final

from airflow_provider_dropcowboy.argument_kinds import is_web_url
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
