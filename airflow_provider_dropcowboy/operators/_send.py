"""What the two send operators share: from arguments and context to a run, and from its end to Airflow's."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.sdk import BaseOperator

from airflow_provider_dropcowboy.hooks import observability
from airflow_provider_dropcowboy.hooks.arguments import ArgumentsMixin, refuse_unstable_campaign, template_fields_of
from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook
from airflow_provider_dropcowboy.hooks.ledger import ledger_url
from airflow_provider_dropcowboy.operators import _task

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from airflow_provider_dropcowboy.campaign.arguments import SendArguments
    from airflow_provider_dropcowboy.campaign.plan import Plan
    from airflow_provider_dropcowboy.campaign.run import Waves
    from airflow_provider_dropcowboy.campaign.summary import Summary
    from airflow_provider_dropcowboy.contacts.source import Contacts
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings


class SendOperator(ArgumentsMixin, BaseOperator):
    """Sends one message to each contact of a source, once, however often the task runs.

    ``campaign/arguments.py`` and ``campaign/channels.py`` describe the arguments; ``docs/reference/arguments.md`` lists
    them.
    """

    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "suppression_sql": "sql", "parameters": "json"}
    operator_extra_links = (observability.CampaignReportLink(),)
    dropcowboy_conn_id: str
    ui_color = "#f6e0c8"

    def __init__(
        self,
        *,
        sql: str | None = None,
        sql_conn_id: str | None = None,
        parameters: "Mapping[str, object] | Sequence[object] | None" = None,
        sql_hook_params: Mapping[str, Any] | None = None,
        contacts: "Contacts | XComArg | None" = None,
        path: str | None = None,
        key_column: str | None = None,
        phone_column: str = "phone",
        postal_code_column: str | None = None,
        contact_id_column: str | None = None,
        region: str = "US",
        partition: str | None = None,
        opt_in_column: str | None = None,
        consent_column: str | None = None,
        suppression_sql: str | None = None,
        suppression_conn_id: str | None = None,
        suppression_column: str | Sequence[str] | None = None,
        max_unreadable_suppressions: float = 0,
        message_kind: Literal["marketing", "informational"] = "marketing",
        calling_hours: Literal["state", "federal", "off"] = "state",
        on_held: Literal["wait", "leave"] = "wait",
        wave_deadline: timedelta = timedelta(hours=24),
        max_attempts: int | None = 3,
        attempts_window: timedelta = timedelta(days=3),
        repeat_window: timedelta | None = timedelta(hours=20),
        pool_id: str | None = None,
        phone_line_id: str | None = None,
        callback_url: str | None = None,
        dropcowboy_conn_id: str = "dropcowboy_default",
        campaign: str | None = None,
        concurrency: int = 50,
        rate_per_s: float | None = None,
        on_unknown: Literal["hold", "resend"] = "hold",
        resend_after: timedelta = timedelta(days=2),
        max_reject_rate: float | None = 0.2,
        max_unknown_rate: float | None = 0.02,
        budget_usd: float | Decimal | None = None,
        limit: int | None = None,
        max_staleness: timedelta | None = timedelta(days=1),
        fail_if_nothing_sent: bool = False,
        dry_run: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._keep(locals())
        self._check(self._arguments())
        refuse_unstable_campaign(campaign)

    template_fields: Sequence[str] = template_fields_of(__init__)

    @classmethod
    def partial(cls, **kwargs: Any) -> Any:
        """Arguments that all mapped tasks share; ``.expand(…)`` gives those that differ."""
        refuse_unstable_campaign(kwargs.get("campaign"))
        return super().partial(**kwargs)

    def render_template(
        self, content: Any, context: "Context", jinja_env: Any = None, seen_oids: set[int] | None = None
    ) -> Any:
        """Render as Airflow does. ``{{ partition_sql }}`` in the query is this task's part of the rows."""
        if not isinstance(content, str) or ("partition_sql" not in content and not content.endswith(".sql")):
            return super().render_template(content, context, jinja_env, seen_oids)
        task: Any = self
        partition = super().render_template(task.partition, context, jinja_env)
        rule = _task.PartitionSql(partition, conn_id=task.sql_conn_id, key_column=task.key_column)
        wider: Any = {**context, "partition_sql": rule}
        rendered = super().render_template(content, wider, jinja_env, seen_oids)
        self._is_part_of_query = rule.is_used or getattr(self, "_is_part_of_query", False)
        return rendered

    @abstractmethod
    def _arguments(self) -> "type[SendArguments]":
        """The class of the arguments."""

    def execute(self, context: "Context") -> dict[str, object]:
        """Send to each contact that no earlier run of the campaign sent to.

        :returns: ``{"campaign", "read", <one count for each state>, "asked", "already", "seconds", "rate_per_s"}``.
            ``asked`` counts the messages that this run sent, and ``already`` those of earlier runs.
        :raises AirflowFailException: an argument is wrong, Drop Cowboy refused too many messages, or another limit of
            the task was passed. Airflow does not retry.
        :raises AirflowException: some messages were not accepted, or the ledger was away. A retry goes on from here.
        :raises TaskDeferred: some rows are held until their calling hours. Airflow resumes with ``execute_wave``.
        """
        from airflow_provider_dropcowboy.campaign.run import Waves
        from airflow_provider_dropcowboy.clock import utcnow

        return self._send(context, Waves(utcnow()))

    def execute_wave(self, context: "Context", event: dict[str, Any]) -> dict[str, object]:
        """Go on when calling hours open: read and screen the source again. Airflow calls this, in a new process."""
        from airflow_provider_dropcowboy.campaign.run import Waves

        return self._send(context, Waves.restored(event))

    def _send(self, context: "Context", waves: "Waves") -> dict[str, object]:
        from airflow_provider_dropcowboy.campaign.control import Control
        from airflow_provider_dropcowboy.campaign.preview import preview_campaign
        from airflow_provider_dropcowboy.campaign.run import run_campaign
        from airflow_provider_dropcowboy.ledger.database import find_ledger, open_ledger

        def keep_end(state: str, reason: str) -> None:
            observability.keep_note(context, self.dropcowboy_conn_id, state=state, message=reason)

        self._control = Control()
        with _task.airflow_failures(keep_end):
            arguments = self._read(self._arguments(), context)
            settings = DropCowboyHook(arguments.dropcowboy_conn_id).settings
            plan = self._plan(arguments, settings, context, waves=waves)
            observability.show_report(self, context, account=plan.account.name, campaign=plan.campaign)
            url = ledger_url(settings)
            ledger = find_ledger(url) if plan.is_dry_run else open_ledger(url, may_create=True)
            with (
                _task.open_rows(arguments, columns=plan.source_columns) as rows,
                _task.open_suppressed(arguments) as suppressed,
            ):
                if plan.is_dry_run or ledger is None:
                    waits_for = arguments.wave_deadline if plan.waits_until else None
                    summary = preview_campaign(plan, ledger, rows=rows, suppressed=suppressed, waits_for=waits_for)
                    return self._announce(context, summary.as_dict(), arguments)
                summary = run_campaign(
                    plan, ledger, rows=rows, control=self._control, suppressed=suppressed, tell=self._count
                )
        if plan.waits_until is not None:
            self._wait(summary, plan, waves)
        return self._announce(context, waves.total(summary).as_dict(), arguments)

    def _plan(
        self, arguments: "SendArguments", settings: "ConnectionSettings", context: "Context", *, waves: "Waves"
    ) -> "Plan":
        from airflow_provider_dropcowboy.campaign.messages import campaign_name
        from airflow_provider_dropcowboy.hooks.config import calling_hours

        ti, campaign = context["ti"], arguments.campaign
        if campaign is None:
            campaign = campaign_name(ti.dag_id, ti.task_id, logical_date=context.get("logical_date"), run_id=ti.run_id)
        # rows that the query has left out are not left out again, by a rule that may differ for keys of rare types
        partition = None if getattr(self, "_is_part_of_query", False) else arguments.partition
        return replace(arguments, campaign=campaign, partition=partition).plan(
            settings,
            hours=calling_hours(
                arguments.calling_hours, channel=arguments.channel.value, message_kind=arguments.message_kind
            ),
            who=_task.who_runs(
                self,
                context,
                kind=SendOperator,
                account=settings.account.name,
                name=f"{arguments.channel} {campaign}",
            ),
            waves=waves,
            stale_from=_stale_from(context),
        )

    def _wait(self, summary: "Summary", plan: "Plan", waves: "Waves") -> None:
        """Leave the worker until the next calling window opens. Return at once if no row waits for one.

        :raises TaskDeferred: Airflow resumes the task at the opening.
        """
        if summary.next_opening is None:
            return
        held, opening = summary.counts.get("held", 0), summary.next_opening.isoformat()
        if not plan.waits_for(summary.next_opening):
            self.log.warning(
                "calling hours: %d rows are left held: the next opening is at %s, after wave_deadline", held, opening
            )
            return
        from airflow_provider_dropcowboy.triggers.dropcowboy import OpeningTrigger

        self.log.info("calling hours: %d rows are held; waiting until %s", held, opening)
        if _is_dag_test():
            self.log.warning(
                'dag.test() waits here, in this process, until %s. To not wait, set on_held="leave", or, on the '
                'sandbox, calling_hours="off".',
                opening,
            )
        self.defer(
            trigger=OpeningTrigger(opening, waves.after(summary).stored()), method_name=self.execute_wave.__name__
        )

    def _count(self, summary: "Summary") -> None:
        tags = {"dag_id": self.dag_id, "task_id": self.task_id}
        observability.count_campaign(summary, channel=self._arguments().channel.value, tags=tags)

    def _announce(self, context: "Context", counts: dict[str, object], arguments: "SendArguments") -> dict[str, object]:
        self._sent = arguments, counts
        observability.tell_outlets(self, context, counts=counts)
        return counts

    def get_openlineage_facets_on_complete(self, task_instance: object) -> "observability.Lineage | None":  # noqa: ARG002  # the provider's signature
        """The source in, the campaign out, for the OpenLineage provider, if it is installed."""
        sent = getattr(self, "_sent", None)
        if sent is None:  # it failed, and names no campaign
            return None
        arguments, counts = sent
        return observability.lineage_of(
            arguments,
            team_id=DropCowboyHook(arguments.dropcowboy_conn_id).account.login,
            kind="campaigns",
            name=observability.series_of(counts["campaign"], is_default_name=arguments.campaign is None),
            rows=counts["asked"],
        )

    def on_kill(self) -> None:
        """Stop in good order. Airflow calls this on SIGTERM and does not interrupt ``execute``."""
        from airflow_provider_dropcowboy.campaign.control import Order
        from airflow_provider_dropcowboy.campaign.plan import GRACE_S

        control = getattr(self, "_control", None)
        if control is not None:
            control.stop(Order("the task is to end", grace_s=GRACE_S))


def _stale_from(context: "Context") -> datetime | None:
    """When a scheduled or backfilled run was due; None for a run that was triggered just now.

    A run of ``@once`` is due when its DAG is switched on, whatever its start date says.
    """
    run = context["dag_run"]
    if run.run_type not in {"scheduled", "backfill"} or (run.conf or {}).get("dropcowboy_allow_stale") is True:
        return None
    timetable = context["dag"].timetable
    is_once = type(getattr(timetable, "timetable", timetable)).__name__ == "OnceTimetable"
    return None if is_once else run.run_after


def _is_dag_test() -> bool:
    """Whether a task runs in the process of ``dag.test()``, and its trigger too."""
    from airflow.sdk.execution_time import task_runner

    return type(getattr(task_runner, "SUPERVISOR_COMMS", None)).__name__ == "InProcessSupervisorComms"
