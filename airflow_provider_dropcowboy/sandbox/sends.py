"""``POST /rvm`` and ``POST /sms``: the two routes that reach a person and cost money."""

from typing import Final

from airflow_provider_dropcowboy.sandbox import catalog, validation
from airflow_provider_dropcowboy.sandbox.callbacks import Callbacks
from airflow_provider_dropcowboy.sandbox.settings import Settings
from airflow_provider_dropcowboy.sandbox.state import State
from airflow_provider_dropcowboy.sandbox.wire import QUEUED, Answer, Ask, RefusedError

AUDIO_SOURCES: Final = ("recording_id", "tts_body", "audio_url")


class Sends:
    """Judges a send, counts it as taken and sees to its callback."""

    def __init__(self, settings: Settings, *, state: State, callbacks: Callbacks) -> None:
        self._settings = settings
        self._state = state
        self._callbacks = callbacks

    def rvm(self, ask: Ask) -> Answer:
        """Take one ringless voicemail.

        :raises RefusedError: 401 or 400; nothing was taken.
        """
        self._require_sender(ask)
        validation.required_text(ask, "foreign_id", max_characters=validation.MAX_FOREIGN_ID_CHARACTERS)
        validation.require_known(ask, "brand_id", known=catalog.BRAND_IDS, is_required=True)
        validation.require_e164(ask, "phone_number")
        _require_one_audio_source(ask)
        if ask.body.get("forwarding_number") is not None:
            validation.require_e164(ask, "forwarding_number")
        validation.optional_text(ask, "phone_ivr_id")
        validation.require_known(ask, "pool_id", known=catalog.POOL_IDS, is_required=False)
        validation.require_postal_code(ask)
        validation.require_url(ask, "callback_url")
        if not isinstance(ask.body.get("byoc", {}), dict):
            raise RefusedError(400, "Invalid byoc: must be an object", field_name="byoc")
        return self._take(ask)

    def sms(self, ask: Ask) -> Answer:
        """Take one text message.

        :raises RefusedError: 401 or 400; nothing was taken.
        """
        self._require_sender(ask)
        validation.require_e164(ask, "phone_number")
        validation.require_e164(ask, "caller_id")
        validation.require_known(ask, "pool_id", known=catalog.POOL_IDS, is_required=True)
        validation.required_text(ask, "sms_body", max_characters=validation.MAX_SMS_CHARACTERS)
        if ask.body.get("opt_in") is not True:
            raise RefusedError(400, "Invalid opt_in: must be true", field_name="opt_in")
        validation.optional_text(ask, "foreign_id", max_characters=validation.MAX_FOREIGN_ID_CHARACTERS)
        validation.require_url(ask, "callback_url")
        return self._take(ask)

    def _require_sender(self, ask: Ask) -> None:
        validation.require_headers(ask, self._settings)
        validation.require_body(ask)
        validation.require_body_credentials(ask, self._settings)

    def _take(self, ask: Ask) -> Answer:
        self._callbacks.plan(ask, self._state.take(ask))
        return QUEUED


def _require_one_audio_source(ask: Ask) -> None:
    given = [name for name in AUDIO_SOURCES if ask.body.get(name) is not None]
    if len(given) != 1:
        raise RefusedError(
            400,
            "Exactly one audio source is required: recording_id, or voice_id and tts_body, or audio_url",
            field_name=given[1] if given else "recording_id",
        )
    source = given[0]
    validation.required_text(ask, source)
    if source == "recording_id":
        validation.require_known(ask, "recording_id", known=catalog.RECORDING_IDS, is_required=True)
    if source == "tts_body":
        validation.required_text(ask, "voice_id")
    elif ask.body.get("voice_id") is not None:
        raise RefusedError(400, "Invalid voice_id: it belongs to tts_body", field_name="voice_id")
    if source == "audio_url":
        validation.require_url(ask, "audio_url")
    audio_type = validation.optional_text(ask, "audio_type")
    if audio_type is not None and audio_type not in validation.AUDIO_TYPES:
        raise RefusedError(400, "Invalid audio_type: mp3 or wav", field_name="audio_type")
