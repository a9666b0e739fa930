"""The body of one send (API v1, ``POST /rvm`` and ``POST /sms``)."""

from typing import assert_never

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.content import Content, Rvm, Sms
from airflow_provider_dropcowboy.phone import Phone


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
