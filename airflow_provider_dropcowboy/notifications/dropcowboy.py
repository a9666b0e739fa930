"""A text to the on-call."""

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseNotifier

from airflow_provider_dropcowboy.errors import ConfigurationError, DropCowboyError
from airflow_provider_dropcowboy.notifications._event import Event, read_event

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_dropcowboy.campaign.plan import Plan
    from airflow_provider_dropcowboy.campaign.summary import Summary
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings

log = logging.getLogger(__name__)


class DropCowboyNotifier(BaseNotifier):
    """One text for one event: a failed task, a failed run, a missed deadline.

    An event is the DAG, its run, the task if it is one's, and what happened. The text goes through the ledger as every
    send does, so that it goes out once, whatever Airflow repeats: a run that is cleared and fails again says nothing
    new. Nobody is screened but by the ledger's suppression list, and no calling hours hold: the on-call is called at
    night. What cannot be sent is one ERROR in the log, and never fails the run.

    :param to: in E.164: the number of the on-call.
    :param text: at most 160 characters; a longer one is cut.
    :param caller_id: in E.164: the number that texts are sent from.
    :param pool_id: of numbers; default: the connection's ``default_pool_id``.
    :param opt_in: True: who has this number agreed to texts; the API takes no others.
    :param dropcowboy_conn_id: Airflow connection of type ``dropcowboy``.
    """

    template_fields: Sequence[str] = ("to", "text", "caller_id", "pool_id")

    def __init__(
        self,
        *,
        to: str,
        text: str,
        caller_id: str,
        opt_in: bool,
        pool_id: str | None = None,
        dropcowboy_conn_id: str = "dropcowboy_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.to = to
        self.text = text
        self.caller_id = caller_id
        self.pool_id = pool_id
        self.opt_in = opt_in
        self.dropcowboy_conn_id = dropcowboy_conn_id
        self._check(only_literals=True)

    def notify(self, context: "Context") -> None:
        """The text is sent, unless it was for this event."""
        event = None
        try:
            event = read_event(context)
            self._tell(event, self._send(event))
        except DropCowboyError as error:
            log.error("No text to the on-call%s: %s", _about(event), error)
        except Exception as error:  # noqa: BLE001  # whatever is wrong here must not hide what the text is about
            log.error(  # the traceback may hold the number or the text
                "No text to the on-call%s: unexpected %s. Is there a connection %r, and can its ledger be reached?",
                _about(event),
                type(error).__name__,
                self.dropcowboy_conn_id,
            )

    async def async_notify(self, context: "Context") -> None:
        """As ``notify``, for the triggerer: in a thread, so that it holds up nobody else there."""
        from asgiref.sync import sync_to_async

        await sync_to_async(self.notify, thread_sensitive=False)(context)

    def _check(self, *, only_literals: bool) -> None:
        from airflow_provider_dropcowboy.campaign.arguments import check_number

        if self.opt_in is not True:
            raise ConfigurationError("A text goes only to people who opted in: opt_in must be True. Nothing was sent.")
        if not self.text or not self.text.strip():
            raise ConfigurationError("text is empty. Nothing was sent. Write what happened, such as {{ ti.task_id }}.")
        for name in ("to", "caller_id"):
            number = getattr(self, name)
            if not (only_literals and isinstance(number, str) and "{" in number):
                check_number(name, number)

    def _send(self, event: Event) -> "Summary":
        from airflow_provider_dropcowboy.campaign.control import Control
        from airflow_provider_dropcowboy.campaign.run import run_campaign
        from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook
        from airflow_provider_dropcowboy.hooks.ledger import ledger_url
        from airflow_provider_dropcowboy.ledger.database import open_ledger

        self._check(only_literals=False)
        settings = DropCowboyHook(self.dropcowboy_conn_id).settings
        plan = self._plan(event, settings)
        ledger = open_ledger(ledger_url(settings), may_create=True)
        try:
            return run_campaign(plan, ledger, rows=[{"phone": self.to}], control=Control())
        finally:
            ledger.engine.dispose()  # a DAG processor or a triggerer goes on for long after this

    def _plan(self, event: Event, settings: "ConnectionSettings") -> "Plan":
        from airflow_provider_dropcowboy.api.messages import MAX_SMS_CHARACTERS, count_sms_characters
        from airflow_provider_dropcowboy.campaign.compose import SmsTemplate
        from airflow_provider_dropcowboy.campaign.identity import alert_name
        from airflow_provider_dropcowboy.campaign.plan import Plan
        from airflow_provider_dropcowboy.contacts.mapping import ContactColumns
        from airflow_provider_dropcowboy.contacts.text import Template
        from airflow_provider_dropcowboy.ledger.runs import Who

        pool_id = self.pool_id or settings.default_pool_id
        if not pool_id:
            raise ConfigurationError(
                "pool_id is given neither by the notifier nor by the connection's default_pool_id. Nothing was sent. "
                "`dropcowboy pools` lists those of the account."
            )
        text = self.text.strip()
        if count_sms_characters(text) > MAX_SMS_CHARACTERS:
            text = text[: MAX_SMS_CHARACTERS - 3]
            while count_sms_characters(text) > MAX_SMS_CHARACTERS - 3:  # an emoji is two
                text = text[:-1]
            text += "..."
        return Plan(
            account=settings.account,
            campaign=alert_name(event.dag_id, event.run_id, task_id=event.task_id, kind=event.kind),
            # as it is: no {column} is filled in, and a brace in an error's text is a brace
            template=SmsTemplate(caller_id=self.caller_id, pool_id=pool_id, sms_body=Template((text,), ())),
            columns=ContactColumns(phone_column="phone"),
            callback_url=settings.callback_url,
            callback_secret=settings.callback_secret,
            concurrency=1,
            max_concurrency=settings.max_concurrency,
            timeout_s=settings.timeout_s,
            verify=settings.verify,
            is_alert=True,
            # without the try: an alert is often the first thing that a new ledger hears of, and of a late try
            who=Who(dag_id=event.dag_id, task_id=event.task_id, run_id=event.run_id, due_at=event.due_at),
        )

    def _tell(self, event: Event, summary: "Summary") -> None:
        (state,) = summary.counts
        reason = next((f": {reason}" for (_state, reason) in summary.reasons), "")
        match state:
            case "accepted" | "delivered" if summary.asked:
                log.info("A text to the on-call%s is on its way", _about(event))
            case "accepted" | "delivered" | "claimed" | "expired":
                log.info("The on-call had a text%s before; it is not sent again", _about(event))
            case "unknown":
                log.warning(
                    "A text to the on-call%s may have been sent%s. It is not sent again. "
                    "`dropcowboy unknown settle '%s'` says that it was, or was not",
                    _about(event),
                    reason,
                    summary.campaign,
                )
            case _:
                log.error("No text to the on-call%s: it is %s%s", _about(event), state, reason)


def _about(event: Event | None) -> str:
    if event is None:
        return ""
    name = event.dag_id if event.task_id is None else f"{event.dag_id}.{event.task_id}"
    return f" about {name} ({event.kind}, run {event.run_id})"
