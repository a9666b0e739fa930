"""Contact lists kept in step with a table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.sdk import BaseOperator
from airflow.sdk.definitions.xcom_arg import XComArg

from airflow_provider_dropcowboy.hooks.assets import tell_outlets
from airflow_provider_dropcowboy.hooks.metrics import count_list
from airflow_provider_dropcowboy.operators._context import who_runs
from airflow_provider_dropcowboy.operators._failures import airflow_failures
from airflow_provider_dropcowboy.operators._lineage import lineage_of
from airflow_provider_dropcowboy.operators._mapped import SendPartial
from airflow_provider_dropcowboy.operators._source import is_known_later, open_rows, open_suppressed

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_dropcowboy.contacts.iterable import Contacts
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
    from airflow_provider_dropcowboy.lists.fields import FieldMapping
    from airflow_provider_dropcowboy.lists.plan import ListPlan
    from airflow_provider_dropcowboy.operators._lineage import Lineage


class SyncContactListOperator(BaseOperator):
    """Brings a contact list in step with a source, whatever is rerun, cleared or killed.

    :param list_name: the list's name; it is created if the ledger does not know it yet (``dropcowboy list adopt`` makes
        an existing one known). Or
    :param list_id: the vendor's id of an existing list; not for a mirror, whose id changes with each rebuilding.
    :param mode: ``append``: every row is in the list, once. ``mirror``: the list is the rows, and nothing else; when a
        row was changed or removed, the list is built anew beside the old one and put in its place.
    :param fields: the vendor's field to a column, or to a list of columns:
        ``{"record_id": "id", "phone": ["mobile", "home"]}``. ``phone`` must be among them.
    :param key_column: names a person for good; without one, the first number is the contact key.
    :param on_change: in append mode, for a row whose values changed: ``keep`` the old ones in the list, or ``append``
        the new ones as well, since the vendor can change no contact.
    :param max_shrink: a mirror that would lose more than this share of the list fails and changes nothing.
    :param region: ISO 3166 alpha-2 of numbers without a country code.
    :param suppression_sql: query of numbers that are left out, on ``suppression_conn_id``. The ledger's own suppression
        list is always left out.
    :param suppression_column: the query's column of numbers; a list of columns if their cells belong together, such as
        area code and number. None: the only column, or the only one that can be meant by its name and its values.
    :param max_unreadable_suppressions: entries that may be no phone numbers: an int is a number of entries, a float a
        share of them. With more, or without any number, the task fails and the list stays as it is.
    :param sql: query whose rows are contacts; or the name of a ``.sql`` file. Runs on ``sql_conn_id``, streamed.
    :param sql_conn_id: Airflow connection of the warehouse.
    :param parameters: of the query, by name or position, as the database's driver takes them.
    :param sql_hook_params: for the connection's hook, such as ``{"warehouse": "…"}``.
    :param contacts: rows as dicts: a list, an XComArg, or a callable that returns an iterable of them.
    :param path: file on Airflow's object storage: ``.csv``, ``.jsonl``, ``.ndjson`` (all also ``.gz``), ``.parquet``.
    :param dropcowboy_conn_id: Airflow connection of type ``dropcowboy``.
    """

    template_fields: Sequence[str] = (
        "sql", "parameters", "path", "suppression_sql", "list_name", "list_id",
    )  # fmt: skip
    template_ext: Sequence[str] = (".sql",)
    template_fields_renderers: ClassVar[dict[str, str]] = {"sql": "sql", "suppression_sql": "sql", "parameters": "json"}
    ui_color = "#f6e0c8"

    def __init__(
        self,
        *,
        fields: "FieldMapping",
        list_name: str | None = None,
        list_id: str | None = None,
        mode: Literal["append", "mirror"] = "append",
        key_column: str | None = None,
        on_change: Literal["keep", "append"] = "keep",
        max_shrink: float = 0.5,
        region: str = "US",
        suppression_sql: str | None = None,
        suppression_conn_id: str | None = None,
        suppression_column: str | Sequence[str] | None = None,
        max_unreadable_suppressions: float = 0,
        sql: str | None = None,
        sql_conn_id: str | None = None,
        parameters: "Mapping[str, object] | Sequence[object] | None" = None,
        sql_hook_params: Mapping[str, Any] | None = None,
        contacts: "Contacts | XComArg | None" = None,
        path: str | None = None,
        dropcowboy_conn_id: str = "dropcowboy_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.fields = fields
        self.list_name = list_name
        self.list_id = list_id
        self.mode = mode
        self.key_column = key_column
        self.on_change = on_change
        self.max_shrink = max_shrink
        self.region = region
        self.suppression_sql = suppression_sql
        self.suppression_conn_id = suppression_conn_id
        self.suppression_column = suppression_column
        self.max_unreadable_suppressions = max_unreadable_suppressions
        self.sql = sql
        self.sql_conn_id = sql_conn_id
        self.parameters = parameters
        self.sql_hook_params = sql_hook_params
        self.contacts = contacts
        self.path = path
        self.dropcowboy_conn_id = dropcowboy_conn_id
        self._check(only_literals=True)
        if isinstance(contacts, XComArg):
            # no template field, so that no row is rendered and shown; the upstream edge is set all the same
            XComArg.apply_upstream_relationship(self, contacts)

    @classmethod
    def partial(cls, **kwargs: Any) -> SendPartial:
        """Arguments that all mapped tasks share; ``.expand(…)`` gives those that differ."""
        return SendPartial.of(super().partial(**kwargs))

    def execute(self, context: "Context") -> dict[str, object]:
        """Bring the list in step.

        :returns: ``{"list_name", "list_id", "read", "added", "changed", "unchanged", "rejected", "unknown", "invalid",
            "suppressed", "duplicate", "removed", "contact_count", "appends", "calls", "is_rebuilt", "left_over",
            "seconds"}``; from ``added`` to ``duplicate`` they add up to ``read``.
        :raises AirflowFailException: wrong, refused, guarded: a retry would not mend it.
        :raises AirflowException: another sync of the list lives, or the vendor or the ledger was away: a retry goes on
            where this ended.
        """
        from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook
        from airflow_provider_dropcowboy.hooks.ledger import ledger_url
        from airflow_provider_dropcowboy.ledger.database import open_ledger
        from airflow_provider_dropcowboy.lists.stop import Stop
        from airflow_provider_dropcowboy.lists.sync import sync_list

        self._stop = Stop()
        with airflow_failures():
            self._check(only_literals=False)
            settings = DropCowboyHook(self.dropcowboy_conn_id).settings
            plan = self._plan(settings, context)
            ledger = open_ledger(ledger_url(settings), may_create=True)
            with open_rows(self, context) as rows, open_suppressed(self) as suppressed:
                summary = sync_list(plan, ledger, rows=rows, suppressed=suppressed, stop=self._stop)
        self._summary = summary
        count_list(summary, tags={"dag_id": self.dag_id, "task_id": self.task_id})
        tell_outlets(self, context, counts=summary.as_dict())
        return summary.as_dict()

    def get_openlineage_facets_on_complete(self, task_instance: object) -> "Lineage | None":  # noqa: ARG002  # the provider's signature
        """The source in, the list out; asked for by the OpenLineage provider, if it is installed."""
        from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook

        summary = getattr(self, "_summary", None)
        if summary is None:  # it failed
            return None
        team_id = DropCowboyHook(self.dropcowboy_conn_id).account.team_id
        return lineage_of(self, team_id=team_id, kind="lists", name=summary.list_name, rows=summary.added)

    def on_kill(self) -> None:
        """Stop in order: Airflow calls this on SIGTERM and does not interrupt ``execute``."""
        stop = getattr(self, "_stop", None)
        if stop is not None:
            stop.order("the task is to end")

    def _check(self, *, only_literals: bool) -> None:
        from airflow_provider_dropcowboy.lists.arguments import LATER, check_list_arguments

        arguments = {
            name: getattr(self, name)
            for name in (
                "sql", "sql_conn_id", "parameters", "sql_hook_params", "contacts", "path", "list_name", "list_id",
                "mode", "fields", "key_column", "on_change", "max_shrink", "region", "suppression_sql",
                "suppression_conn_id", "suppression_column", "max_unreadable_suppressions",
            )
        }  # fmt: skip
        if only_literals:
            arguments = {name: LATER if is_known_later(value) else value for name, value in arguments.items()}
        check_list_arguments(arguments)

    def _plan(self, settings: "ConnectionSettings", context: "Context") -> "ListPlan":
        from airflow_provider_dropcowboy.lists.fields import Fields
        from airflow_provider_dropcowboy.lists.plan import ListPlan, Mode, OnChange

        return ListPlan(
            account=settings.account,
            fields=Fields.parse(self.fields),
            list_name=self.list_name,
            list_id=self.list_id,
            mode=Mode(self.mode),
            key_column=self.key_column,
            region=self.region,
            max_shrink=self.max_shrink,
            on_change=OnChange(self.on_change),
            max_concurrency=settings.max_concurrency,
            timeout_s=settings.timeout_s,
            verify=settings.verify,
            who=who_runs(
                self,
                context,
                kind=SyncContactListOperator,
                account=settings.account.name,
                name=f"list {self.list_name or self.list_id}",
            ),
        )
