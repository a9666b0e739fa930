"""The body of one send, and what the vendor accepts in it (API v1, ``POST /rvm`` and ``POST /sms``)."""

from collections.abc import Mapping
from typing import Final, assert_never

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.content import (
    MAX_SMS_CHARACTERS,
    Content,
    Rvm,
    Sms,
    count_sms_characters,
    is_postal_code,
)
from airflow_provider_dropcowboy.argument_kinds import is_web_url
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.phone import Phone

AUDIO_TYPES: Final = frozenset({"mp3", "wav"})  # API v1, POST /rvm, audio_type


def send_body(
    account: Account, content: Content, *, phone: Phone, foreign_id: str, callback_url: str | None
) -> dict[str, object]:
    """The JSON body of one send; it holds the secret, so it is never logged (see ``secret.redact``)."""
    body: dict[str, object] = {
        "team_id": account.login,
        "secret": account.secret.reveal(),
        "foreign_id": foreign_id,
        "phone_number": phone.e164,
        **fields_of(content),
    }
    if callback_url:
        body["callback_url"] = callback_url
    return body


def fields_of(content: Content) -> dict[str, object]:
    """The body's fields that are set, without credentials, number and ids."""
    match content:
        case Rvm():
            fields = {
                "brand_id": content.brand_id,
                "recording_id": content.recording_id,
                "voice_id": content.voice_id,
                "tts_body": content.tts_body,
                "audio_url": content.audio_url,
                "audio_type": content.audio_type,
                "forwarding_number": content.forwarding_number,
                "phone_ivr_id": content.phone_ivr_id,
                "pool_id": content.pool_id,
                "postal_code": content.postal_code,
                "byoc": content.byoc,
            }
            return {name: value for name, value in fields.items() if value is not None}
        case Sms():
            # opt_in is what the row was screened for
            return {
                "caller_id": content.caller_id,
                "pool_id": content.pool_id,
                "sms_body": content.sms_body,
                "opt_in": True,
            }
        case _:
            assert_never(content)


def check_content(content: Content) -> None:
    """Nothing, if the vendor would take a message like this.

    :raises ConfigurationError: it would not; the text names the field and repeats no value.
    """
    if not (fault := _type_fault(fields_of(content))):
        match content:
            case Rvm():
                fault = _rvm_fault(content)
            case Sms():
                fault = _sms_fault(content)
            case _:
                assert_never(content)
    if fault or (fault := _text_fault(fields_of(content))):
        raise ConfigurationError(f"{fault} Nothing was sent.")


def _type_fault(fields: Mapping[str, object]) -> str | None:
    for name, value in fields.items():
        if not isinstance(value, str) and name not in ("byoc", "opt_in"):
            return f"{name} is a {type(value).__name__}: give text."
    return None


def _text_fault(fields: Mapping[str, object]) -> str | None:
    for name, value in fields.items():
        if isinstance(value, str) and not value.strip():
            return f"{name} is empty: give a value, or leave it out."
        if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
            return f"{name} holds half a character (a lone surrogate), which no text can hold."
    return None


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
    if content.audio_url and not is_web_url(content.audio_url):
        return "audio_url is not a URL such as https://example.com/message.mp3."
    if content.postal_code and not is_postal_code(content.postal_code):
        return "postal_code must be a US code such as 02101 or 90210-0001, or a Canadian one such as K1A 0B1."
    return None


def _sms_fault(content: Sms) -> str | None:
    if not content.caller_id or not content.pool_id:
        return "A text needs a caller_id and a pool_id: give both, or set default_pool_id in the connection."
    if not content.sms_body:
        return "A text needs an sms_body."
    if (count := count_sms_characters(content.sms_body)) > MAX_SMS_CHARACTERS:
        return f"The sms_body has {count} characters; Drop Cowboy takes {MAX_SMS_CHARACTERS}."
    return None
