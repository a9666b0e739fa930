"""The vendor's rules for what a message may be made of (API v1, ``POST /rvm`` and ``POST /sms``)."""

import re
from typing import Final, assert_never

from airflow_provider_dropcowboy.api.messages import MAX_SMS_CHARACTERS, Content, Rvm, Sms
from airflow_provider_dropcowboy.errors import ConfigurationError

AUDIO_TYPES: Final = frozenset({"mp3", "wav"})  # API v1, POST /rvm, audio_type


def check_content(content: Content) -> None:
    """Nothing, if the vendor would take a message like this.

    :raises ConfigurationError: it would not; the text names the field and repeats no value.
    """
    match content:
        case Rvm():
            fault = _rvm_fault(content)
        case Sms():
            fault = _sms_fault(content)
        case _:
            assert_never(content)
    if fault:
        raise ConfigurationError(f"{fault} Nothing was sent.")


def _rvm_fault(content: Rvm) -> str | None:
    sources = [
        name
        for name, value in (
            ("recording_id", content.recording_id),
            ("voice_id and tts_body", content.voice_id or content.tts_body),
            ("audio_url", content.audio_url),
        )
        if value
    ]
    if not content.brand_id:
        return "A voicemail needs a brand_id: give one, or set default_brand_id in the connection."
    if len(sources) != 1:
        return (
            "A voicemail needs exactly one of recording_id, voice_id with tts_body, and audio_url; "
            f"given: {', '.join(sources) or 'none'}."
        )
    if bool(content.voice_id) != bool(content.tts_body):
        return "voice_id and tts_body need each other: give both."
    if content.audio_type and (content.audio_type not in AUDIO_TYPES or not content.audio_url):
        return "audio_type is mp3 or wav, and goes with audio_url."
    if content.postal_code and not _POSTAL_CODE.fullmatch(content.postal_code):
        return "postal_code is a US code such as 02101 or 90210-0001."
    return None


def _sms_fault(content: Sms) -> str | None:
    if not content.caller_id or not content.pool_id:
        return "A text needs a caller_id and a pool_id: give both, or set default_pool_id in the connection."
    if not content.sms_body:
        return "A text needs an sms_body."
    if len(content.sms_body) > MAX_SMS_CHARACTERS:
        return f"The sms_body has {len(content.sms_body)} characters; Drop Cowboy takes {MAX_SMS_CHARACTERS}."
    return None


_POSTAL_CODE: Final = re.compile(r"[0-9]{5}(-[0-9]{4})?")
