"""What the two send operators share: from arguments and context to a plan, and from its end to Airflow's."""

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.xcom_arg import XComArg

from airflow_provider_dropcowboy.operators._context import stale_from, who_runs
from airflow_provider_dropcowboy.operators._failures import airflow_failures
from airflow_provider_dropcowboy.operators._mapped import SendPartial

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_dropcowboy.api.messages import Channel
    from airflow_provider_dropcowboy.campaign.compose import RvmTemplate, SmsTemplate
    from airflow_provider_dropcowboy.campaign.plan import Plan
    from airflow_provider_dropcowboy.contacts.iterable import Contacts
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
    from airflow_provider_dropcowboy.operators._source import Rows


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
    :param max_staleness: a scheduled or backfilled run whose data interval ended longer ago is skipped; None: never.
        The run's conf ``{"dropcowboy_allow_stale": true}`` allows one run.
    :param dry_run: judge every row, count, and neither write nor send anything.
    """

    template_fields: Sequence[str] = (
        "sql", "parameters", "path", "campaign", "pool_id", "callback_url", "partition",
    )  # fmt: skip
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "parameters": "json"}
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
        pool_id: str | None = None,
        callback_url: str | None = None,
        dropcowboy_conn_id: str = "dropcowboy_default",
        campaign: str | None = None,
        concurrency: int = 50,
        rate_per_s: float | None = None,
        on_unknown: Literal["hold", "resend"] = "hold",
        resend_after: timedelta = timedelta(days=2),
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
        self.pool_id = pool_id
        self.callback_url = callback_url
        self.dropcowboy_conn_id = dropcowboy_conn_id
        self.campaign = campaign
        self.concurrency = concurrency
        self.rate_per_s = rate_per_s
        self.on_unknown = on_unknown
        self.resend_after = resend_after
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
        """
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
            plan = self._plan(settings, context)
            url = ledger_url(settings)
            with self._open_rows(context) as rows:
                if plan.is_dry_run:
                    return preview_campaign(plan, find_ledger(url), rows=rows).as_dict()
                ledger = open_ledger(url, may_create=True)
                return run_campaign(plan, ledger, rows=rows, control=self._control).as_dict()

    def on_kill(self) -> None:
        """Stop in order: Airflow calls this on SIGTERM and does not interrupt ``execute``."""
        from airflow_provider_dropcowboy.campaign.control import Order
        from airflow_provider_dropcowboy.campaign.plan import GRACE_S

        control = getattr(self, "_control", None)
        if control is not None:
            control.stop(Order("the task is to end", grace_s=GRACE_S))

    def _check(self, *, only_literals: bool) -> None:
        from airflow_provider_dropcowboy.campaign.arguments import check_arguments

        arguments = {
            name: getattr(self, name)
            for name in (
                "sql", "sql_conn_id", "parameters", "sql_hook_params", "contacts", "path", "key_column", "phone_column",
                "postal_code_column", "region", "partition", "opt_in_column", "campaign", "concurrency",
                "rate_per_s", "on_unknown", "resend_after", "max_staleness",
            )
        } | self._message_arguments()  # fmt: skip
        if only_literals:
            arguments = {name: _unless_template(value) for name, value in arguments.items()}
        check_arguments(self._channel, arguments)

    def _plan(self, settings: "ConnectionSettings", context: "Context") -> "Plan":
        from airflow_provider_dropcowboy.campaign.identity import campaign_name
        from airflow_provider_dropcowboy.campaign.plan import Plan
        from airflow_provider_dropcowboy.contacts.mapping import ContactColumns
        from airflow_provider_dropcowboy.contacts.partition import Partition

        who = who_runs(context)
        return Plan(
            account=settings.account,
            campaign=self.campaign
            if self.campaign is not None
            else campaign_name(
                str(who.dag_id), str(who.task_id), logical_date=context.get("logical_date"), run_id=str(who.run_id)
            ),
            template=self._template(settings),
            columns=ContactColumns(
                key_column=self.key_column,
                phone_column=self.phone_column,
                postal_code_column=self.postal_code_column,
                region=self.region,
            ),
            partition=None if self.partition is None else Partition.parse(self.partition),
            opt_in_column=self.opt_in_column,
            callback_url=self.callback_url or settings.callback_url,
            callback_secret=settings.callback_secret,
            concurrency=self.concurrency,
            max_concurrency=settings.max_concurrency,
            rate_per_s=self.rate_per_s,
            timeout_s=settings.timeout_s,
            verify=settings.verify,
            resend_after=self.resend_after if self.on_unknown == "resend" else None,
            stale_from=stale_from(context),
            max_staleness=self.max_staleness,
            is_dry_run=self.is_dry_run,
            who=who,
        )

    def _open_rows(self, context: "Context") -> "AbstractContextManager[Rows]":
        from airflow_provider_dropcowboy.operators._source import open_contacts, open_path, open_sql

        if self.sql is not None:
            assert self.sql_conn_id is not None
            return open_sql(self.sql, self.sql_conn_id, parameters=self.parameters, hook_params=self.sql_hook_params)
        if self.path is not None:
            return open_path(self.path)
        assert self.contacts is not None
        contacts = self.contacts.resolve(context) if isinstance(self.contacts, XComArg) else self.contacts
        return open_contacts(contacts)


def _unless_template(value: object) -> object:
    """The value if it is known when the DAG is parsed."""
    from airflow_provider_dropcowboy.campaign.arguments import LATER

    if isinstance(value, XComArg) or (isinstance(value, str) and ("{{" in value or "{%" in value)):
        return LATER
    return value
