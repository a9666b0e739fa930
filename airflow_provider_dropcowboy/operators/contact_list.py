"""Keeps a contact list at Drop Cowboy equal to a table."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from airflow.sdk import BaseOperator

from airflow_provider_dropcowboy.hooks.arguments import ArgumentsMixin, template_fields_of
from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook
from airflow_provider_dropcowboy.hooks.ledger import ledger_url
from airflow_provider_dropcowboy.hooks.observability import count_list, lineage_of, tell_outlets
from airflow_provider_dropcowboy.operators._task import airflow_failures, open_rows, open_suppressed, who_runs

if TYPE_CHECKING:
    from airflow.sdk import Context, XComArg

    from airflow_provider_dropcowboy.contacts.source import Contacts
    from airflow_provider_dropcowboy.hooks.observability import Lineage
    from airflow_provider_dropcowboy.lists.arguments import FieldMapping, ListArguments


class SyncContactListOperator(ArgumentsMixin, BaseOperator):
    """Makes a contact list at Drop Cowboy equal to a source. It is safe to rerun, clear or kill the task.

    ``docs/reference/arguments.md`` describes the arguments.
    """

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
        self._keep(locals())
        self._check(self._arguments())

    template_fields: Sequence[str] = template_fields_of(__init__)

    def execute(self, context: "Context") -> dict[str, object]:
        """Sync the list.

        :returns: ``{"list_name", "list_id", "read", "added", "changed", "unchanged", "rejected", "unknown", "invalid",
            "suppressed", "duplicate", "removed", "contact_count", "appends", "calls", "is_rebuilt", "left_over",
            "seconds"}``; from ``added`` to ``duplicate`` they add up to ``read``.
        :raises AirflowFailException: an argument is wrong, Drop Cowboy refused the list, or a limit of the task was
            passed. Airflow does not retry.
        :raises AirflowException: another sync of the list runs, or Drop Cowboy or the ledger was away. A retry goes on
            from here.
        """
        from airflow_provider_dropcowboy.ledger.database import open_ledger
        from airflow_provider_dropcowboy.lists.sync import check_version, sync_list
        from airflow_provider_dropcowboy.lists.vendor import Stop

        self._stop = Stop()
        with airflow_failures():
            arguments = self._read(self._arguments(), context)
            settings = DropCowboyHook(arguments.dropcowboy_conn_id).settings
            check_version(arguments, settings.account)
            who = who_runs(
                self,
                context,
                kind=SyncContactListOperator,
                account=settings.account.name,
                name=f"list {arguments.list_name or arguments.list_id}",
            )
            ledger = open_ledger(ledger_url(settings), may_create=True)
            with (
                open_rows(arguments, columns=arguments.source_columns) as rows,
                open_suppressed(arguments) as suppressed,
            ):
                summary = sync_list(
                    arguments, settings, ledger, rows=rows, suppressed=suppressed, stop=self._stop, who=who
                )
        self._synced = arguments, summary
        if not summary.read:
            self.log.warning("The list was left as it is: the source has no rows. Check its query or file.")
        count_list(summary, tags={"dag_id": self.dag_id, "task_id": self.task_id})
        tell_outlets(self, context, counts=summary.as_dict())
        return summary.as_dict()

    def get_openlineage_facets_on_complete(self, task_instance: object) -> "Lineage | None":  # noqa: ARG002  # the provider's signature
        """The source in, the list out, for the OpenLineage provider, if it is installed."""
        synced = getattr(self, "_synced", None)
        if synced is None:  # it failed
            return None
        arguments, summary = synced
        team_id = DropCowboyHook(arguments.dropcowboy_conn_id).account.login
        return lineage_of(arguments, team_id=team_id, kind="lists", name=summary.list_name, rows=summary.added)

    def on_kill(self) -> None:
        """Stop in good order. Airflow calls this on SIGTERM and does not interrupt ``execute``."""
        stop = getattr(self, "_stop", None)
        if stop is not None:
            stop.order("the task is to end")

    def _arguments(self) -> "type[ListArguments]":
        from airflow_provider_dropcowboy.lists.arguments import ListArguments

        return ListArguments
