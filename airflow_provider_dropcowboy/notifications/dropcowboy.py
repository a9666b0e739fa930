"""Texts the on-call person about a task, a run or a deadline."""

import logging
from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from airflow.sdk import BaseNotifier

from airflow_provider_dropcowboy.errors import DropCowboyError
from airflow_provider_dropcowboy.hooks.arguments import ArgumentsMixin, template_fields_of

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

    from airflow_provider_dropcowboy.campaign.channels import AlertArguments
    from airflow_provider_dropcowboy.campaign.summary import Summary

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in one run. If it is reported again, after a clear or a crash, it is the same event.

    :param task_id: None: it happened to the whole run. A mapped task is one task, however many of it fail.
    :param kind: ``failed``, ``up_for_retry``, ``success``, ``skipped``, or which deadline was missed.
    :param due_at: when the DAG run was due, as far as the caller says.
    """

    dag_id: str
    run_id: str
    task_id: str | None
    kind: str
    due_at: datetime | None

    def describe(self, *, at: datetime) -> str:
        """A text that says what happened, and to whom; it needs no template.

        :param at: aware; when it is said.
        """
        name = self.dag_id if self.task_id is None else f"{self.dag_id}.{self.task_id}"
        what = _WORDS.get(self.kind, "missed a deadline" if self.kind.startswith("deadline") else self.kind)
        return f"{name} {what} at {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC. Run {self.run_id}."


class DropCowboyNotifier(ArgumentsMixin, BaseNotifier):
    """Sends one text for one event: a failed task, a failed run, a missed deadline.

    An event has a DAG, its run, a task unless it is about the whole run, and what happened. The text goes through the
    ledger as every send does. So it goes out once, whatever Airflow repeats: a run that is cleared and fails again
    sends no second text. Only the ledger's suppression list can stop it; calling hours do not, so that it arrives at
    night too. If the text cannot be rendered, the default text is sent, and the log says why. If an alert cannot be
    sent, the log has one ERROR, and the run does not fail.

    :param to: number of the on-call person, in E.164 format.
    :param text: at most 160 characters; a longer text is cut. None: what happened to which DAG, task and run, and when.
    :param caller_id: number that the text comes from, in E.164 format. API v2 has none: the numbers of the line send.
    :param pool_id: pool of numbers; default: the connection's ``default_pool_id``.
    :param phone_line_id: API v2's word for ``pool_id``.
    :param opt_in: True: the person with this number agreed to texts. Drop Cowboy refuses others.
    :param dropcowboy_conn_id: Airflow connection of type ``dropcowboy``.
    """

    dropcowboy_conn_id: str
    text: str | None

    def __init__(
        self,
        *,
        to: str,
        text: str | None = None,
        caller_id: str | None = None,
        opt_in: bool,
        pool_id: str | None = None,
        phone_line_id: str | None = None,
        dropcowboy_conn_id: str = "dropcowboy_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._keep(locals())
        self._check(self._arguments())

    template_fields: Sequence[str] = template_fields_of(__init__)

    def __call__(self, *args: Any) -> None:
        """Airflow calls this. One notifier may serve several tasks in a process, and each has its own text."""
        BaseNotifier.__call__(copy(self), *args)

    def render_template_fields(self, context: "Context", jinja_env: "jinja2.Environment | None" = None) -> None:
        """Render the arguments. The default text replaces a text that cannot be rendered."""
        environment = jinja_env or self._environment(context)
        others = [name for name in self.template_fields if name != "text"]
        self._do_render_template_fields(self, others, context, environment, set())
        lost = self._rendered_to_nothing
        try:
            self._do_render_template_fields(self, ["text"], context, environment, set())
            why = "it renders to nothing" if "text" in self._rendered_to_nothing else None
        except Exception as error:  # noqa: BLE001  # an alert is not lost to its template
            why = _why_not_rendered(error)
        if why is not None:
            log.error("The text of an alert could not be rendered: %s. The default text is sent in its place.", why)
            self.text = None
        self._rendered_to_nothing = lost

    def _environment(self, context: "Context") -> "jinja2.Environment":
        dag = context.get("dag")
        if dag is None or hasattr(dag, "get_template_env"):
            return self.get_template_env(dag=dag)
        from jinja2 import StrictUndefined

        # dag.test() hands a callback of the DAG the DAG as the scheduler knows it, which has no environment
        environment = self.get_template_env()
        environment.undefined = StrictUndefined
        return environment

    def notify(self, context: "Context") -> None:
        """Send the text, unless it was sent for this event before."""
        event = None
        try:
            event = read_event(context)
            self._tell(event, self._send(event, context))
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
        """``notify`` for the triggerer: in a thread, so that it holds up no other trigger."""
        from asgiref.sync import sync_to_async

        await sync_to_async(self.notify, thread_sensitive=False)(context)

    def _arguments(self) -> "type[AlertArguments]":
        from airflow_provider_dropcowboy.campaign.channels import AlertArguments

        return AlertArguments

    def _send(self, event: Event, context: "Context") -> "Summary":
        from airflow_provider_dropcowboy.campaign.control import Control
        from airflow_provider_dropcowboy.campaign.messages import alert_name
        from airflow_provider_dropcowboy.campaign.run import run_campaign
        from airflow_provider_dropcowboy.clock import utcnow
        from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook
        from airflow_provider_dropcowboy.hooks.ledger import ledger_url
        from airflow_provider_dropcowboy.ledger.database import open_ledger
        from airflow_provider_dropcowboy.ledger.runs import Who

        arguments = self._read(self._arguments(), context)
        settings = DropCowboyHook(arguments.dropcowboy_conn_id).settings
        campaign = alert_name(event.dag_id, event.run_id, task_id=event.task_id, kind=event.kind)
        text = event.describe(at=utcnow()) if arguments.text is None else arguments.text
        plan = arguments.send(campaign, text).plan(
            settings,
            hours=None,
            # without the try: an alert is often the first thing that a new ledger hears of, and of a late try
            who=Who(dag_id=event.dag_id, task_id=event.task_id, run_id=event.run_id, due_at=event.due_at),
            is_alert=True,
        )
        ledger = open_ledger(ledger_url(settings), may_create=True)
        try:
            return run_campaign(plan, ledger, rows=[{"phone": arguments.to}], control=Control())
        finally:
            ledger.engine.dispose()  # a DAG processor or a triggerer goes on for long after this

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


def _why_not_rendered(error: Exception) -> str:
    """A template's own error names what it misses; any other may hold a value."""
    from jinja2 import TemplateError

    return str(error) if isinstance(error, TemplateError) else f"unexpected {type(error).__name__}"


def _about(event: Event | None) -> str:
    if event is None:
        return ""
    name = event.dag_id if event.task_id is None else f"{event.dag_id}.{event.task_id}"
    return f" about {name} ({event.kind}, run {event.run_id})"


def read_event(context: Mapping[str, Any]) -> Event:
    """The event of a callback's context: of a task, of a DAG run, or of a deadline.

    :raises KeyError: it is none of these.
    """
    run = context.get("dag_run")
    due_at = _instant(_of(run, "run_after"))
    if "deadline" in context:
        return Event(_of(run, "dag_id"), _of(run, "dag_run_id"), None, f"deadline {context['deadline']['id']}", due_at)
    if "reason" in context:
        # of a whole run; the task instance beside it is only the last that ended, and may be another next time
        kind = "success" if context["reason"] == "success" else "failed"
        return Event(context["dag"].dag_id, context["run_id"], None, kind, due_at)
    ti = context["ti"]
    return Event(ti.dag_id, ti.run_id, ti.task_id, _kind(ti), due_at)


def _kind(ti: Any) -> str:
    state = str(getattr(ti.state, "value", ti.state))
    if state not in {"None", "running", "queued"}:
        return state
    # of a task whose process died: the DAG processor calls, and says no state
    return "up_for_retry" if ti.try_number <= ti.max_tries else "failed"


def _of(run: Any, name: str) -> Any:
    return run.get(name) if isinstance(run, Mapping) else getattr(run, name, None)


def _instant(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


_WORDS: Final = {"up_for_retry": "failed and will be retried", "success": "succeeded", "skipped": "was skipped"}
