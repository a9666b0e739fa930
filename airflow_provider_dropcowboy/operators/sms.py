"""Sends texts to the contacts of a source who opted in."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dropcowboy.hooks.arguments import template_fields_of
from airflow_provider_dropcowboy.operators._send import SendOperator

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.campaign.channels import SmsArguments


class SendSmsOperator(SendOperator):
    """Sends a text to each contact of a source who opted in, once, however often the task runs.

    ``docs/reference/arguments.md`` describes the arguments.
    """

    def __init__(
        self,
        *,
        sms_body: str | None = None,
        body: str | None = None,
        caller_id: str | None = None,
        media_urls: Sequence[str] | None = None,
        media_ids: Sequence[str] | None = None,
        opt_in: bool | None = None,
        **kwargs: Any,
    ) -> None:
        self._keep(locals())
        super().__init__(**kwargs)

    template_fields: Sequence[str] = (*SendOperator.template_fields, *template_fields_of(__init__))

    def _arguments(self) -> "type[SmsArguments]":
        from airflow_provider_dropcowboy.campaign.channels import SmsArguments

        return SmsArguments
