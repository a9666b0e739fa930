"""Ringless voicemails to the contacts of a source."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dropcowboy.operators._send import SendOperator

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.api.messages import Channel
    from airflow_provider_dropcowboy.campaign.compose import RvmTemplate
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings


class SendRvmOperator(SendOperator):
    """A ringless voicemail to each contact of a source, once, however often the task runs (API v1, ``POST /rvm``).

    :param brand_id: default: the connection's ``default_brand_id``.
    :param recording_id: audio source: a recording of the account.
    :param voice_id: audio source, with ``tts_body``: a voice that reads it.
    :param tts_body: text; ``{column}`` takes a value of the row.
    :param audio_url: audio source: a file on the web, where the vendor allows it for the account.
    :param audio_type: of ``audio_url``: ``mp3`` or ``wav``.
    :param forwarding_number: in E.164: where a call back goes. Toll-free numbers are best avoided.
    :param phone_ivr_id: of the vendor's phone menu.

    The other parameters are those of ``SendOperator``.
    """

    template_fields: Sequence[str] = (
        *SendOperator.template_fields,
        "brand_id", "recording_id", "voice_id", "tts_body", "audio_url", "forwarding_number",
    )  # fmt: skip

    def __init__(
        self,
        *,
        brand_id: str | None = None,
        recording_id: str | None = None,
        voice_id: str | None = None,
        tts_body: str | None = None,
        audio_url: str | None = None,
        audio_type: str | None = None,
        forwarding_number: str | None = None,
        phone_ivr_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.brand_id = brand_id
        self.recording_id = recording_id
        self.voice_id = voice_id
        self.tts_body = tts_body
        self.audio_url = audio_url
        self.audio_type = audio_type
        self.forwarding_number = forwarding_number
        self.phone_ivr_id = phone_ivr_id
        super().__init__(**kwargs)

    @property
    def _channel(self) -> "Channel":
        from airflow_provider_dropcowboy.api.messages import Channel

        return Channel.RVM

    def _message_arguments(self) -> dict[str, object]:
        return {
            "brand_id": self.brand_id,
            "recording_id": self.recording_id,
            "voice_id": self.voice_id,
            "tts_body": self.tts_body,
            "audio_url": self.audio_url,
            "audio_type": self.audio_type,
            "forwarding_number": self.forwarding_number,
            "phone_ivr_id": self.phone_ivr_id,
        }

    def _template(self, settings: "ConnectionSettings") -> "RvmTemplate":
        from airflow_provider_dropcowboy.campaign.compose import RvmTemplate
        from airflow_provider_dropcowboy.contacts.text import Template
        from airflow_provider_dropcowboy.errors import ConfigurationError

        brand_id = self.brand_id or settings.default_brand_id
        if not brand_id:
            raise ConfigurationError(
                "brand_id is given neither by the task nor by the connection's default_brand_id. Nothing was sent. "
                "`dropcowboy brands` lists those of the account."
            )
        return RvmTemplate(
            brand_id=brand_id,
            recording_id=self.recording_id,
            voice_id=self.voice_id,
            tts_body=None if self.tts_body is None else Template.parse(self.tts_body),
            audio_url=self.audio_url,
            audio_type=self.audio_type,
            forwarding_number=self.forwarding_number,
            phone_ivr_id=self.phone_ivr_id,
            pool_id=self.pool_id or settings.default_pool_id,
            byoc=settings.byoc,
        )
