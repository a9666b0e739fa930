"""Sends ringless voicemails to the contacts of a source."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dropcowboy.hooks.arguments import template_fields_of
from airflow_provider_dropcowboy.operators._send import SendOperator

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.campaign.channels import RvmArguments


class SendRvmOperator(SendOperator):
    """Sends a ringless voicemail to each contact of a source, once, however often the task runs.

    ``docs/reference/arguments.md`` describes the arguments.
    """

    def __init__(
        self,
        *,
        brand_id: str | None = None,
        recording_id: str | None = None,
        media_id: str | None = None,
        voice_id: str | None = None,
        tts_body: str | None = None,
        audio_url: str | None = None,
        audio_type: str | None = None,
        forwarding_number: str | None = None,
        phone_ivr_id: str | None = None,
        caller_id: str | None = None,
        sti_orig_id: str | None = None,
        sti_attestation: str | None = None,
        **kwargs: Any,
    ) -> None:
        self._keep(locals())
        super().__init__(**kwargs)

    template_fields: Sequence[str] = (*SendOperator.template_fields, *template_fields_of(__init__))

    def _arguments(self) -> "type[RvmArguments]":
        from airflow_provider_dropcowboy.campaign.channels import RvmArguments

        return RvmArguments
