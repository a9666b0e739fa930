"""Brings the result of each row back into the warehouse."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import chain
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_provider_dropcowboy.argument_kinds import FLAG, NAME, PATH
from airflow_provider_dropcowboy.arguments import Arguments, argument
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.hooks import observability
from airflow_provider_dropcowboy.hooks.arguments import ArgumentsMixin, template_fields_of
from airflow_provider_dropcowboy.operators._task import airflow_failures

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_dropcowboy.hooks.ledger import Results
    from airflow_provider_dropcowboy.hooks.observability import Lineage
    from airflow_provider_dropcowboy.reports.deliveries import Delivery


def _instant(text: str) -> datetime:
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigurationError(
            f"since={text!r} is not a point in time. Nothing was exported. Write it like 2026-11-24T00:00:00+00:00."
        ) from None
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


@dataclass(frozen=True, kw_only=True, repr=False)
class ExportArguments(Arguments):
    """Which sends are exported, and where to."""

    campaign: str | None = argument(NAME, "One campaign of the connection's account.")
    since: str | None = argument(NAME, "All sends to which anything happened since.")
    table: str | None = argument(NAME, "Table on `table_conn_id`.")
    table_conn_id: str | None = argument(NAME, "Airflow connection of the warehouse.")
    create_table: bool = argument(FLAG, "Make the table if it is not there.", default=False)
    path: str | None = argument(PATH, "File on Airflow's object storage.")
    include_not_sent: bool = argument(FLAG, "Also each row that was not sent, with its verdict.", default=False)
    dropcowboy_conn_id: str = argument(NAME, "Airflow connection of type `dropcowboy`.", default="dropcowboy_default")

    @classmethod
    def _check_together(cls, values: Mapping[str, object]) -> None:
        if (values["campaign"] is None) == (values["since"] is None):
            raise ConfigurationError("Give either campaign (one of them) or since (whatever changed).")
        if (values["table"] is None) == (values["path"] is None):
            raise ConfigurationError("Give either table (with table_conn_id) or path.")
        if values["include_not_sent"] is True and values["campaign"] is None:
            raise ConfigurationError("include_not_sent belongs to campaign: its runs say which rows were not sent.")
        is_alone = (values["table"] is None) != (values["table_conn_id"] is None)
        if is_alone or (values["create_table"] is True and values["table"] is None):
            raise ConfigurationError("table and table_conn_id belong together, and create_table to them.")


class ExportDeliveriesOperator(ArgumentsMixin, BaseOperator):
    """Writes one row for each send into a table or a file: state, reason, times, cost. It is safe to run again.

    In a table, only rows that changed since the last export are written: deleted by ``foreign_id`` and inserted, in one
    transaction for each chunk. A file is written whole, and appears when it is complete.

    The columns: campaign, channel, contact_key, phone_number, foreign_id, state, reason, claimed_at, answered_at,
    final_at, drop_id, cost_usd, network.

    :param campaign: exports one campaign of the connection's account. Give this or ``since``.
    :param since: exports all sends of the account that changed since this time, in ISO 8601 (UTC if it has no zone):
        ``"{{ data_interval_start }}"``.
    :param table: ``deliveries`` or ``schema.deliveries``, on ``table_conn_id``. Give this or ``path``.
    :param path: a file on Airflow's object storage: ``.jsonl``, ``.ndjson``, ``.csv`` or ``.parquet``.
    :param include_not_sent: exports also each row that was not sent, with its verdict as state, its reason, and two
        more columns, rule and opens_at. The counts then add up to the rows of the source. Needs ``campaign``.
    :param table_conn_id: Airflow connection of the warehouse: any type with a DB-API hook.
    :param create_table: whether to make the table if there is none.
    :param dropcowboy_conn_id: Airflow connection of type ``dropcowboy``. It says whose sends, and where the ledger is.
    """

    operator_extra_links = (observability.CampaignReportLink(),)
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
        include_not_sent: bool = False,
        dropcowboy_conn_id: str = "dropcowboy_default",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._keep(locals())
        self._check(ExportArguments)

    template_fields: Sequence[str] = template_fields_of(__init__)

    def execute(self, context: "Context") -> dict[str, object]:
        """Write the rows.

        :returns: ``{"campaign" or "since", "read", <one count for each state>, "written"}``; never rows.
        :raises AirflowFailException: an argument is wrong; Airflow does not retry.
        :raises AirflowException: a database failed; a retry may help.
        """
        from airflow.providers.common.compat.sdk import AirflowException

        from airflow_provider_dropcowboy.hooks.ledger import open_results
        from airflow_provider_dropcowboy.reports.export import TableError, counted

        counts: Counter[str] = Counter()
        with airflow_failures():
            wanted = self._wanted = self._read(ExportArguments, context)
            with open_results(wanted.dropcowboy_conn_id) as results:
                account = results.settings.account.name
                if wanted.campaign is not None:
                    observability.show_report(self, context, account=account, campaign=wanted.campaign)
                deliveries = counted(_deliveries(wanted, results), counts)
                try:
                    if wanted.table is not None:
                        written = _write_table(wanted, deliveries)
                    else:
                        _write_file(wanted, deliveries)
                        written = counts.total()
                except TableError as error:
                    raise AirflowException(str(error)) from error
        named = {"campaign": wanted.campaign} if wanted.campaign is not None else {"since": wanted.since}
        summary: dict[str, object] = {**named, "read": counts.total(), **counts, "written": written}
        observability.tell_outlets(self, context, counts=summary)
        return summary

    def get_openlineage_facets_on_complete(self, task_instance: object) -> "Lineage | None":  # noqa: ARG002  # the provider's signature
        """The results in, the table or the file out, for the OpenLineage provider, if it is installed."""
        from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook

        wanted = self._wanted
        return observability.export_lineage(
            DropCowboyHook(wanted.dropcowboy_conn_id).account.login,
            wanted.campaign,
            table=wanted.table,
            table_conn_id=wanted.table_conn_id,
            path=wanted.path,
        )


def _deliveries(wanted: ExportArguments, results: "Results") -> "Iterator[Delivery]":
    from airflow_provider_dropcowboy.ledger.campaigns import find_campaigns
    from airflow_provider_dropcowboy.reports.deliveries import read_campaign, read_changed

    ledger, account = results.ledger, results.settings.account.name
    if wanted.since is not None:
        return read_changed(ledger, account, since=_instant(wanted.since))
    campaigns = find_campaigns(ledger, str(wanted.campaign), account=account)
    return chain.from_iterable(
        read_campaign(ledger, campaign, include_not_sent=wanted.include_not_sent) for campaign in campaigns
    )


def _columns(wanted: ExportArguments) -> tuple[str, ...]:
    from airflow_provider_dropcowboy.reports.deliveries import ALL_COLUMNS, COLUMNS

    return ALL_COLUMNS if wanted.include_not_sent else COLUMNS


def _write_table(wanted: ExportArguments, deliveries: "Iterable[Delivery]") -> int:
    from airflow_provider_dropcowboy.operators._task import database_hook
    from airflow_provider_dropcowboy.reports.dialects import Table
    from airflow_provider_dropcowboy.reports.export import create_table, write_deliveries

    hook: Any = database_hook(str(wanted.table_conn_id), argument="table_conn_id")
    table = Table(str(wanted.table), hook.conn_type, _columns(wanted))
    with closing(hook.get_conn()) as session:
        if (
            table.is_transactional and hook.supports_autocommit
        ):  # a row must not be gone between its deletion and its insertion
            hook.set_autocommit(session, False)
        if wanted.create_table:
            create_table(session, table)
        return write_deliveries(session, table, deliveries=deliveries)


def _write_file(wanted: ExportArguments, deliveries: "Iterable[Delivery]") -> None:
    from airflow_provider_dropcowboy.operators._task import storage_path
    from airflow_provider_dropcowboy.reports.export import writer_for

    location = storage_path(str(wanted.path))
    write = writer_for(location.name, _columns(wanted))
    # until the file is complete, readers see the former one; if this fails, it stays
    with _for_owner_only(), location.fs.transaction, location.open("wb") as file:
        write(deliveries, file)


@contextmanager
def _for_owner_only() -> "Iterator[None]":
    """Let only their owner read files that are made here, as with the ledger."""
    before = os.umask(0o077)
    try:
        yield
    finally:
        os.umask(before)
