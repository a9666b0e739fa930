"""Texts to the contacts of a source who opted in."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_dropcowboy.operators._send import SendOperator

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.api.messages import Channel
    from airflow_provider_dropcowboy.campaign.compose import SmsTemplate
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings


class SendSmsOperator(SendOperator):
    """A text to each contact of a source who opted in, once, however often the task runs (API v1, ``POST /sms``).

    :param sms_body: text of at most 160 characters; ``{column}`` takes a value of the row, and a row whose text comes
        out longer is ``invalid``.
    :param caller_id: in E.164: the number that texts are sent from.
    :param opt_in: True: everybody in the source opted in; else give ``opt_in_column``.

    The other parameters are those of ``SendOperator``.
    """

    template_fields: Sequence[str] = (*SendOperator.template_fields, "sms_body", "caller_id")

    def __init__(
        self, *, sms_body: str | None = None, caller_id: str | None = None, opt_in: bool | None = None, **kwargs: Any
    ) -> None:
        self.sms_body = sms_body
        self.caller_id = caller_id
        self.opt_in = opt_in
        super().__init__(**kwargs)

    @property
    def _channel(self) -> "Channel":
        from airflow_provider_dropcowboy.api.messages import Channel

        return Channel.SMS

    def _message_arguments(self) -> dict[str, object]:
        return {"sms_body": self.sms_body, "caller_id": self.caller_id, "opt_in": self.opt_in}

    def _template(self, settings: "ConnectionSettings") -> "SmsTemplate":
        from airflow_provider_dropcowboy.campaign.compose import SmsTemplate
        from airflow_provider_dropcowboy.contacts.text import Template
        from airflow_provider_dropcowboy.errors import ConfigurationError

        pool_id = self.pool_id or settings.default_pool_id
        if not pool_id:
            raise ConfigurationError(
                "pool_id is given neither by the task nor by the connection's default_pool_id. Nothing was sent. "
                "`dropcowboy pools` lists those of the account."
            )
        assert self.sms_body is not None
        assert self.caller_id is not None
        return SmsTemplate(caller_id=self.caller_id, pool_id=pool_id, sms_body=Template.parse(self.sms_body))
