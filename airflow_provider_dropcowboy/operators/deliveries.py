"""Brings what became of each send back into the warehouse."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.hooks.assets import tell_outlets
from airflow_provider_dropcowboy.hooks.links import CampaignReportLink, show_report
from airflow_provider_dropcowboy.operators._failures import airflow_failures
from airflow_provider_dropcowboy.operators._lineage import export_lineage

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_dropcowboy.hooks.deliveries import Results
    from airflow_provider_dropcowboy.operators._lineage import Lineage
    from airflow_provider_dropcowboy.reports.deliveries import Delivery


class ExportDeliveriesOperator(BaseOperator):
    """Writes each send with its state, reason, instants and cost into a table or a file. Doing it again is safe.

    A table is brought up to date: of what was exported before, only rows that changed since are written (deleted by
    ``foreign_id`` and inserted, one transaction a chunk). A file is written whole, and appears when it is complete.

    The columns: campaign, channel, contact_key, phone_number, foreign_id, state, reason, claimed_at, answered_at,
    final_at, drop_id, cost_usd, network.

    :param campaign: one campaign of the connection's account; or
    :param since: all its sends to which anything happened since this instant, in ISO 8601 (UTC if it names no zone):
        ``"{{ data_interval_start }}"``.
    :param table: ``deliveries`` or ``schema.deliveries``, on ``table_conn_id``; or
    :param path: file on Airflow's object storage: ``.jsonl``, ``.ndjson``, ``.csv`` or ``.parquet``.
    :param table_conn_id: Airflow connection of the warehouse: any with a DB-API hook.
    :param create_table: make the table if it is not there.
    :param dropcowboy_conn_id: Airflow connection of type ``dropcowboy``; says whose sends, and where the ledger is.
    """

    template_fields: Sequence[str] = ("campaign", "since", "table", "path")
    operator_extra_links = (CampaignReportLink(),)
    ui_color = "#f6e0c8"

    def __init__(
        self,
        *,
        campaign: str | None = None,
        since: str | None = None,
        table: str | None = None,
        table_conn_id: str | None = None,
        create_table: bool = False,
        path: str | None = None,
        dropcowboy_conn_id: str = "dropcowboy_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (campaign is None) == (since is None):
            raise ConfigurationError("Give either campaign (one of them) or since (whatever changed).")
        if (table is None) == (path is None):
            raise ConfigurationError("Give either table (with table_conn_id) or path.")
        if (table is None) != (table_conn_id is None) or (create_table and table is None):
            raise ConfigurationError("table and table_conn_id belong together, and create_table to them.")
        self.campaign = campaign
        self.since = since
        self.table = table
        self.table_conn_id = table_conn_id
        self.create_table = create_table
        self.path = path
        self.dropcowboy_conn_id = dropcowboy_conn_id

    def execute(self, context: "Context") -> dict[str, object]:
        """Export.

        :returns: ``{"campaign" or "since", "read", <one count a state>, "written"}``; never rows.
        :raises AirflowFailException: wrong arguments; a retry would not mend it.
        :raises AirflowException: a database failed; a retry goes on.
        """
        from airflow.providers.common.compat.sdk import AirflowException

        from airflow_provider_dropcowboy.hooks.deliveries import open_results
        from airflow_provider_dropcowboy.reports.table import TableError

        counts: Counter[str] = Counter()
        with airflow_failures(), open_results(self.dropcowboy_conn_id) as results:
            if self.campaign is not None:
                show_report(self, context, account=results.settings.account.name, campaign=self.campaign)
            deliveries = _counted(self._deliveries(results), counts)
            try:
                if self.table is not None:
                    written = self._write_table(deliveries)
                else:
                    self._write_file(deliveries)
                    written = counts.total()
            except TableError as error:
                raise AirflowException(str(error)) from error
        named = {"campaign": self.campaign} if self.campaign is not None else {"since": self.since}
        told: dict[str, object] = {**named, "read": counts.total(), **counts, "written": written}
        tell_outlets(self, context, counts=told)
        return told

    def get_openlineage_facets_on_complete(self, task_instance: object) -> "Lineage | None":  # noqa: ARG002  # the provider's signature
        """The results in, the table or the file out; asked for by the OpenLineage provider, if it is installed."""
        from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook

        team_id = DropCowboyHook(self.dropcowboy_conn_id).account.team_id
        return export_lineage(
            team_id, self.campaign, table=self.table, table_conn_id=self.table_conn_id, path=self.path
        )

    def _deliveries(self, results: "Results") -> "Iterator[Delivery]":
        from airflow_provider_dropcowboy.ledger.lookup import find_campaigns
        from airflow_provider_dropcowboy.reports.deliveries import read_campaign, read_changed

        ledger, account = results.ledger, results.settings.account.name
        if self.campaign is None:
            return read_changed(ledger, account, since=_instant(str(self.since)))
        campaigns = find_campaigns(ledger, self.campaign, account=account)
        return chain.from_iterable(read_campaign(ledger, campaign) for campaign in campaigns)

    def _write_table(self, deliveries: "Iterable[Delivery]") -> int:
        from airflow.sdk import BaseHook

        from airflow_provider_dropcowboy.reports.table import Table, create_table, write_deliveries

        connection: Any = BaseHook.get_connection(str(self.table_conn_id))
        hook = connection.get_hook()
        if not hasattr(hook, "get_conn") or not hasattr(hook, "placeholder"):
            raise ConfigurationError(f"table_conn_id={self.table_conn_id!r} is no database connection with DB-API.")
        table = Table(str(self.table), hook.placeholder)
        with closing(hook.get_conn()) as session:
            if hook.supports_autocommit:  # a row must not be gone between its deletion and its insertion
                hook.set_autocommit(session, False)
            if self.create_table:
                create_table(session, table)
            return write_deliveries(session, table, deliveries=deliveries)

    def _write_file(self, deliveries: "Iterable[Delivery]") -> None:
        from airflow.sdk import ObjectStoragePath

        from airflow_provider_dropcowboy.reports.files import writer_for

        location: Any = ObjectStoragePath(str(self.path))
        write = writer_for(location.name)
        # who reads it at this moment sees the former file, and if this fails, it stays
        with _for_owner_only(), location.fs.transaction, location.open("wb") as file:
            write(deliveries, file)


@contextmanager
def _for_owner_only() -> "Iterator[None]":
    """A file that is made on this machine is readable by its owner alone, as the ledger is."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)


def _counted(deliveries: "Iterable[Delivery]", counts: Counter[str]) -> "Iterator[Delivery]":
    for delivery in deliveries:
        counts[delivery.state] += 1
        yield delivery


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ConfigurationError(
            f"since={text!r} is no instant. Nothing was exported. Write it like 2026-11-24T00:00:00+00:00."
        ) from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
