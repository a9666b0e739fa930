"""What the two send operators share: from arguments and context to a plan, and from its end to Airflow's."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.xcom_arg import XComArg

from airflow_provider_dropcowboy.hooks.assets import tell_outlets
from airflow_provider_dropcowboy.hooks.links import CampaignReportLink, show_report
from airflow_provider_dropcowboy.hooks.metrics import count_campaign
from airflow_provider_dropcowboy.operators._failures import airflow_failures
from airflow_provider_dropcowboy.operators._lineage import lineage_of, series_of
from airflow_provider_dropcowboy.operators._mapped import SendPartial
from airflow_provider_dropcowboy.operators._plan import build_plan
from airflow_provider_dropcowboy.operators._source import is_known_later, open_rows, open_suppressed
from airflow_provider_dropcowboy.operators._waves import Waves, wait_for_opening

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_dropcowboy.api.messages import Channel
    from airflow_provider_dropcowboy.campaign.compose import RvmTemplate, SmsTemplate
    from airflow_provider_dropcowboy.campaign.summary import Summary
    from airflow_provider_dropcowboy.contacts.iterable import Contacts
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
    from airflow_provider_dropcowboy.operators._lineage import Lineage


class SendOperator(BaseOperator):
    """Sends one message to each contact of a source, once, however often the task runs.

    :param sql: query whose rows are contacts; or the name of a ``.sql`` file. Runs on ``sql_conn_id``, streamed.
    :param sql_conn_id: Airflow connection of the warehouse.
    :param parameters: of the query, by name or position, as the database's driver takes them.
    :param sql_hook_params: for the connection's hook, such as ``{"warehouse": "…"}``.
    :param contacts: rows as dicts: a list, an XComArg, or a callable that returns an iterable of them. Literal rows in
        ``partial`` or ``expand`` land in the serialized DAG, where every reader of DAGs sees them: hand over a callable
        or an XComArg there.
    :param path: file on Airflow's object storage: ``.csv``, ``.jsonl``, ``.ndjson`` (all also ``.gz``), ``.parquet``.
    :param key_column: names a person for good; without one, the number is the contact key.
    :param phone_column: the number, in any notation; without a country code it belongs to ``region``.
    :param postal_code_column: US ZIP codes that lost their leading zeros are repaired.
    :param region: ISO 3166 alpha-2.
    :param partition: ``"3/8"``: only the third of eight parts, by contact key.
    :param opt_in_column: only rows whose value is a clear yes are sent to; the others are ``suppressed``.
    :param suppression_sql: query of numbers that are not contacted, in any notation; runs on ``suppression_conn_id``
        before the first send. The ledger's own list (opt-outs, ``dropcowboy suppress``) always applies.
    :param suppression_column: the query's column of numbers; a list of columns if their cells belong together, such as
        area code and number. None: the only column, or the only one that can be meant by its name and its values.
    :param max_unreadable_suppressions: entries that may be no phone numbers: an int is a number of entries, a float a
        share of them. With more, or without any number, the task fails before anybody is contacted.
    :param message_kind: ``marketing`` or ``informational``. States that ban prerecorded sales messages (WA, WY, MA)
        suppress the former.
    :param calling_hours: ``state``: federal hours and every stricter state's, Canada's too; ``federal``; ``off``.
    :param on_held: rows outside their calling hours: ``wait`` (the task defers until the next opening, without a worker
        slot, until all are sent or ``wave_deadline`` is over) or ``leave`` (a rerun of the campaign takes them).
    :param wave_deadline: how long after its first wave a task may still wait.
    :param max_attempts: on one number within ``attempts_window``, over all campaigns of the ledger; None: no cap. The
        vendor's own default is 3 in 3 days (TCPA).
    :param repeat_window: the same content to the same number, in another campaign, is ``capped`` within this time;
        None: it is not.
    :param pool_id: of numbers; default: the connection's.
    :param callback_url: where the vendor posts what became of each message; default: the connection's.
    :param dropcowboy_conn_id: Airflow connection of type ``dropcowboy``.
    :param campaign: what "once" refers to: a message goes to each contact of a campaign once. Default:
        ``{dag_id}.{task_id}@{logical_date}``, or the run id where the run has no logical date.
    :param concurrency: requests under way at once, at most; all tasks of an account share its ``max_concurrency``.
    :param rate_per_s: requests a second, at most; None: as fast as the connections allow.
    :param on_unknown: what happens to a message of which nobody knows whether it was taken: ``hold`` (a callback or a
        person settles it) or ``resend`` (asked once more, ``resend_after`` later).
    :param resend_after: at least an hour past the lease of its claim, which is 75 minutes.
    :param max_reject_rate: the run stops when more of its last requests were refused (0.2: a fifth); None: it does not.
    :param max_unknown_rate: the run stops when more of its last requests are in doubt; None: it does not.
    :param budget_usd: what the campaign may cost, whatever the try; needs the connection's prices.
    :param limit: how many the campaign may send to, whatever the try; the others are ``held``.
    :param max_staleness: a scheduled or backfilled run whose data interval ended longer ago is skipped; None: never.
        The run's conf ``{"dropcowboy_allow_stale": true}`` allows one run.
    :param dry_run: judge every row, count, foresee waves, times and cost, and neither write nor send anything.
    """

    template_fields: Sequence[str] = (
        "sql", "parameters", "path", "suppression_sql", "campaign", "pool_id", "callback_url", "partition",
    )  # fmt: skip
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "suppression_sql": "sql", "parameters": "json"}
    operator_extra_links = (CampaignReportLink(),)
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
        region: str = "US",
        partition: str | None = None,
        opt_in_column: str | None = None,
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
        dry_run: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.parameters = parameters
        self.sql_hook_params = sql_hook_params
        self.contacts = contacts
        self.path = path
        self.key_column = key_column
        self.phone_column = phone_column
        self.postal_code_column = postal_code_column
        self.region = region
        self.partition = partition
        self.opt_in_column = opt_in_column
        self.suppression_sql = suppression_sql
        self.suppression_conn_id = suppression_conn_id
        self.suppression_column = suppression_column
        self.max_unreadable_suppressions = max_unreadable_suppressions
        self.message_kind = message_kind
        self.calling_hours = calling_hours
        self.on_held = on_held
        self.wave_deadline = wave_deadline
        self.max_attempts = max_attempts
        self.attempts_window = attempts_window
        self.repeat_window = repeat_window
        self.pool_id = pool_id
        self.callback_url = callback_url
        self.dropcowboy_conn_id = dropcowboy_conn_id
        self.campaign = campaign
        self.concurrency = concurrency
        self.rate_per_s = rate_per_s
        self.on_unknown = on_unknown
        self.resend_after = resend_after
        self.max_reject_rate = max_reject_rate
        self.max_unknown_rate = max_unknown_rate
        self.budget_usd = budget_usd
        self.limit = limit
        self.max_staleness = max_staleness
        self.is_dry_run = dry_run  # BaseOperator.dry_run is a method of Airflow's
        self._check(only_literals=True)
        if isinstance(contacts, XComArg):
            # no template field, so that no row is rendered and shown; the upstream edge is set all the same
            XComArg.apply_upstream_relationship(self, contacts)

    @classmethod
    def partial(cls, **kwargs: Any) -> SendPartial:
        """Arguments that all mapped tasks share; ``.expand(…)`` gives those that differ."""
        return SendPartial.of(super().partial(**kwargs))

    @property
    @abstractmethod
    def _channel(self) -> "Channel":
        """By which the messages go."""

    @abstractmethod
    def _message_arguments(self) -> dict[str, object]:
        """The arguments that say what is sent, by name."""

    @abstractmethod
    def _template(self, settings: "ConnectionSettings") -> "RvmTemplate | SmsTemplate":
        """What each contact gets.

        :raises ConfigurationError: neither the task nor the connection supplies a value.
        """

    def execute(self, context: "Context") -> dict[str, object]:
        """Send to every contact that was not sent to.

        :returns: counts: ``{"campaign", "read", <one a state>, "asked", "already", "seconds", "rate_per_s"}``.
        :raises AirflowFailException: wrong, refused, guarded: a retry would not mend it.
        :raises AirflowException: some were surely not taken, or the ledger was away: a retry goes on where this ended.
        :raises TaskDeferred: some are held until their calling hours; Airflow resumes with ``execute_wave``.
        """
        return self._send(context, Waves.first())

    def execute_wave(self, context: "Context", event: dict[str, Any]) -> dict[str, object]:
        """Go on at an opening: the source is read and screened anew. Called by Airflow, in a new process."""
        return self._send(context, Waves.of(event))

    def _send(self, context: "Context", waves: Waves) -> dict[str, object]:
        from airflow_provider_dropcowboy.campaign.control import Control
        from airflow_provider_dropcowboy.campaign.preview import preview_campaign
        from airflow_provider_dropcowboy.campaign.run import run_campaign
        from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook
        from airflow_provider_dropcowboy.hooks.ledger import ledger_url
        from airflow_provider_dropcowboy.ledger.database import find_ledger, open_ledger

        self._control = Control()
        with airflow_failures():
            self._check(only_literals=False)
            settings = DropCowboyHook(self.dropcowboy_conn_id).settings
            plan = build_plan(self, settings, self._template(settings), context, waves=waves)
            show_report(self, context, account=plan.account.name, campaign=plan.campaign)
            url = ledger_url(settings)
            ledger = find_ledger(url) if plan.is_dry_run else open_ledger(url, may_create=True)
            with open_rows(self, context) as rows, open_suppressed(self) as suppressed:
                if plan.is_dry_run or ledger is None:
                    waits_for = self.wave_deadline if self.on_held == "wait" else None
                    summary = preview_campaign(plan, ledger, rows=rows, suppressed=suppressed, waits_for=waits_for)
                    return self._announce(context, summary.as_dict())
                summary = run_campaign(
                    plan, ledger, rows=rows, control=self._control, suppressed=suppressed, tell=self._count
                )
        if self.on_held == "wait":
            wait_for_opening(self, summary, waves, deadline_after=self.wave_deadline)
        return self._announce(context, waves.total(summary))

    def _count(self, summary: "Summary") -> None:
        tags = {"dag_id": self.dag_id, "task_id": self.task_id}
        count_campaign(summary, channel=self._channel.value, tags=tags)

    def _announce(self, context: "Context", counts: dict[str, object]) -> dict[str, object]:
        self._counts = counts
        tell_outlets(self, context, counts=counts)
        return counts

    def get_openlineage_facets_on_complete(self, task_instance: object) -> "Lineage | None":  # noqa: ARG002  # the provider's signature
        """The source in, the campaign out; asked for by the OpenLineage provider, if it is installed."""
        from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook

        counts = getattr(self, "_counts", None)
        if counts is None:  # it failed, and names no campaign
            return None
        return lineage_of(
            self,
            team_id=DropCowboyHook(self.dropcowboy_conn_id).account.team_id,
            kind="campaigns",
            name=series_of(counts["campaign"], is_default_name=self.campaign is None),
            rows=counts["asked"],
        )

    def on_kill(self) -> None:
        """Stop in order: Airflow calls this on SIGTERM and does not interrupt ``execute``."""
        from airflow_provider_dropcowboy.campaign.control import Order
        from airflow_provider_dropcowboy.campaign.plan import GRACE_S

        control = getattr(self, "_control", None)
        if control is not None:
            control.stop(Order("the task is to end", grace_s=GRACE_S))

    def _check(self, *, only_literals: bool) -> None:
        from airflow_provider_dropcowboy.campaign.arguments import LATER, check_arguments

        arguments = {
            name: getattr(self, name)
            for name in (
                "sql", "sql_conn_id", "parameters", "sql_hook_params", "contacts", "path", "key_column", "phone_column",
                "postal_code_column", "region", "partition", "opt_in_column", "campaign", "concurrency",
                "rate_per_s", "on_unknown", "resend_after", "max_staleness", "suppression_sql", "suppression_conn_id",
                "suppression_column", "max_unreadable_suppressions",
                "message_kind", "calling_hours", "on_held", "wave_deadline",
                "max_attempts", "attempts_window", "repeat_window", "max_reject_rate", "max_unknown_rate", "budget_usd",
                "limit",
            )
        } | self._message_arguments()  # fmt: skip
        if only_literals:
            arguments = {name: LATER if is_known_later(value) else value for name, value in arguments.items()}
        check_arguments(self._channel, arguments)
