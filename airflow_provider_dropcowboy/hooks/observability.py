"""What Airflow and the report page show of a task: asset events, lineage, a link, a note, and metrics.

Airflow finds the functions of assets through ``provider_info``. A DAG that names such an asset imports this file.
"""

import logging
from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, quote, unquote, urlencode, urlsplit

from airflow.sdk import BaseOperatorLink

from airflow_provider_dropcowboy.states import ASKED

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.sdk import Asset, BaseOperator, Context
    from airflow.sdk.types import TaskInstanceKey

    from airflow_provider_dropcowboy.campaign.summary import Summary
    from airflow_provider_dropcowboy.contacts.source import SourceArguments
    from airflow_provider_dropcowboy.lists.wanted import ListSummary

    Lineage = OperatorLineage[Any, Any]

SCHEME: Final = "dropcowboy"
KINDS: Final = ("campaigns", "deliveries", "lists")
REPORT_PREFIX: Final = "dropcowboy-report"
"""Of the report page in the API server: not below the receiver's, which is open to the vendor."""

log = logging.getLogger(__name__)


def sanitize_uri(uri: SplitResult) -> SplitResult:
    """``dropcowboy://{team id}/{campaigns | deliveries | lists}/{name}``, or it is no URI of ours.

    :raises ValueError: it is not; a DAG that names it cannot be imported.
    """
    parts = uri.path.split("/")
    if not uri.netloc or len(parts) != 3 or parts[1] not in KINDS or not parts[2] or uri.query:
        raise ValueError(
            f"a Drop Cowboy asset is written dropcowboy://TEAM-ID/KIND/NAME, where KIND is one of {', '.join(KINDS)}, "
            "and a blank or a slash in NAME is %20 or %2F"
        )
    return uri


def create_asset(*, team_id: str, kind: str, name: str, extra: "dict[str, Any] | None" = None) -> "Asset":
    """The asset of a campaign's sends (``campaigns``), its results (``deliveries``), or a contact list (``lists``)."""
    from airflow.sdk import Asset

    return Asset(uri=f"{SCHEME}://{quote(team_id, safe='')}/{kind}/{quote(name, safe='')}", extra=extra)


def convert_asset_to_openlineage(asset: "Asset", _lineage_context: object) -> "Dataset":
    """The asset as OpenLineage names it; the same name as the operators' own lineage gives."""
    from airflow.providers.common.compat.openlineage.facet import Dataset

    parts = urlsplit(asset.uri)
    _, kind, name = parts.path.split("/")
    return Dataset(namespace=f"{SCHEME}://{parts.netloc}", name=f"{kind}/{unquote(name)}")


def tell_outlets(task: "BaseOperator", context: "Context", *, counts: Mapping[str, Any]) -> None:
    """Add the counts to the events of the task's outlets, as ``extra``. Airflow writes them when the task succeeds."""
    from airflow.sdk import Asset

    for outlet in task.outlets:
        if isinstance(outlet, Asset):
            context["outlet_events"][outlet].extra.update(counts)


class CampaignReportLink(BaseOperatorLink):
    """Leads to the report of the campaign that the task sends, waits for or exports.

    The link is there from the moment the task knows its campaign, and stays when the task fails.
    """

    name = "Campaign report"

    def get_link(self, operator: "BaseOperator", *, ti_key: "TaskInstanceKey") -> str:  # noqa: ARG002  # Airflow's
        """The URL that ``show_report`` found. Airflow calls this after the task, and keeps it as an XCom."""
        link: str = getattr(operator, _ATTRIBUTE, "")
        return link


def show_report(task: "BaseOperator", context: "Context", *, account: str, campaign: str) -> None:
    """Link the task instance to the campaign's report, from now on and when the task has ended."""
    url = report_url(account, campaign)
    if getattr(task, _ATTRIBUTE, "") == url:  # a sensor looks many times
        return
    setattr(task, _ATTRIBUTE, url)
    context["ti"].xcom_push(CampaignReportLink().xcom_key, url)


def keep_note(context: "Context", conn_id: str, *, state: str, **said: str | float | None) -> None:
    """Note in the ledger how the task instance stands, for its page. Without a ledger that answers, there is no note.

    :param state: of ``TaskState``.
    :param said: ``message``, ``account``, ``campaign``, and ``min_final_share`` of ``TaskNote``.
    """
    from airflow_provider_dropcowboy.errors import DropCowboyError
    from airflow_provider_dropcowboy.hooks.dropcowboy import DropCowboyHook
    from airflow_provider_dropcowboy.hooks.ledger import ledger_url
    from airflow_provider_dropcowboy.ledger.database import find_ledger
    from airflow_provider_dropcowboy.ledger.runs import TaskNote, TaskState, note_task

    ti = context["ti"]
    try:
        try:
            settings = DropCowboyHook(conn_id).settings
        except Exception:  # noqa: BLE001  # Airflow's own errors too: the connection may be what is wrong
            settings = None
        ledger = find_ledger(ledger_url(settings))
        if ledger is None:
            return
        map_index = ti.map_index if ti.map_index is not None and ti.map_index >= 0 else None
        note = TaskNote(
            dag_id=ti.dag_id,
            run_id=ti.run_id,
            task_id=ti.task_id,
            map_index=map_index,
            state=TaskState(state),
            **said,  # type: ignore[arg-type]  # each as the note has it
        )
        note_task(ledger, note)
        ledger.engine.dispose()
    except DropCowboyError as error:
        log.warning("The report page will not say how this task ended: %s", error)


def report_url(account: str, campaign: str) -> str:
    """Where the API server has the report of an account's campaign, both channels on one page."""
    from airflow.providers.common.compat.sdk import conf

    base_url = conf.get("api", "base_url", fallback="/").rstrip("/")
    return f"{base_url}/{REPORT_PREFIX}/campaign?{urlencode({'account': account, 'campaign': campaign})}"


_ATTRIBUTE: Final = "_dropcowboy_report_url"


def count_campaign(summary: "Summary", *, channel: str, tags: Mapping[str, str]) -> None:
    """Count what a run did, also a run that fails.

    :param channel: ``rvm`` or ``sms``; in the names, since plain StatsD knows no tags.
    :param tags: ids of the DAG and the task: never a campaign, of which there is no end.
    """
    from airflow.providers.common.compat.sdk import Stats

    name = f"dropcowboy.{channel}"
    counted = {"read": summary.read, "asked": summary.asked, **summary.counts}
    # rows that another run sent were counted then
    counted |= {state: summary.own.get(state, 0) for state in ASKED}
    for what, count in counted.items():
        if count:
            Stats.incr(f"{name}.{what}", count, tags=dict(tags))
    Stats.gauge(f"{name}.in_doubt", summary.counts.get("unknown", 0), tags=dict(tags))
    Stats.gauge(f"{name}.rate_per_s", round(summary.rate_per_s, 1), tags=dict(tags))
    Stats.timing(f"{name}.duration", timedelta(seconds=summary.seconds), tags=dict(tags))


def count_list(summary: "ListSummary", *, tags: Mapping[str, str]) -> None:
    """Count what a sync of a contact list did."""
    from airflow.providers.common.compat.sdk import Stats

    counted = summary.counts()
    Stats.gauge("dropcowboy.list.contacts", counted.pop("contact_count"), tags=dict(tags))
    Stats.gauge("dropcowboy.list.in_doubt", counted["unknown"], tags=dict(tags))
    for what, count in counted.items():
        if count:
            Stats.incr(f"dropcowboy.list.{what}", count, tags=dict(tags))
    Stats.timing("dropcowboy.list.duration", timedelta(seconds=summary.seconds), tags=dict(tags))


def lineage_of(
    source: "SourceArguments", *, team_id: str, kind: str, name: str, rows: int | None = None
) -> "Lineage | None":
    """The source's tables or file in, a campaign or a contact list out; None: OpenLineage is not installed.

    :param kind: of the asset that the task fills, one of ``KINDS``.
    :param rows: that were added to it.
    """
    try:
        from airflow.providers.common.compat.openlineage.facet import OutputDataset, OutputStatisticsOutputDatasetFacet
        from airflow.providers.openlineage.extractors import OperatorLineage
    except ImportError:
        return None
    facets: Any = {} if rows is None else {"outputStatistics": OutputStatisticsOutputDatasetFacet(rowCount=rows)}
    filled = OutputDataset(namespace=f"{SCHEME}://{team_id}", name=f"{kind}/{name}", outputFacets=facets)
    lineage: Lineage = OperatorLineage(outputs=[filled])
    if source.sql is not None:
        assert source.sql_conn_id is not None
        lineage = lineage.merge(_tables(source.sql, source.sql_conn_id, hook_params=source.sql_hook_params))
    if source.suppression_sql is not None:
        assert source.suppression_conn_id is not None
        lineage = lineage.merge(_tables(source.suppression_sql, source.suppression_conn_id, hook_params=None))
    if source.path is not None:
        lineage.inputs.append(_file(source.path))
    return lineage


def export_lineage(
    team_id: str, campaign: str | None, *, table: str | None, table_conn_id: str | None, path: str | None
) -> "Lineage | None":
    """The results of a campaign in, or of all (None), and a table or a file out; None: OpenLineage is not installed."""
    try:
        from airflow.providers.common.compat.openlineage.facet import Dataset
        from airflow.providers.openlineage.extractors import OperatorLineage
    except ImportError:
        return None
    read = Dataset(namespace=f"{SCHEME}://{team_id}", name=f"deliveries/{campaign or 'all'}")
    if path is not None:
        return OperatorLineage(inputs=[read], outputs=[_file(path)])
    # the parser knows how the tables of this database are called
    filled = _tables(f"INSERT INTO {table} VALUES (1)", str(table_conn_id), hook_params=None)  # noqa: S608  # never run
    return OperatorLineage(inputs=[read], outputs=filled.outputs)


def series_of(campaign: str, *, is_default_name: bool) -> str:
    """The campaign's name without its run, where that was added by default: lineage is about what comes back."""
    return campaign.rpartition("@")[0] if is_default_name else campaign


def _tables(sql: str, conn_id: str, *, hook_params: Mapping[str, Any] | None) -> "Lineage":
    """What the query reads, as far as the provider's parser and the connection's hook can tell."""
    from airflow.providers.openlineage.extractors import OperatorLineage
    from airflow.providers.openlineage.sqlparser import get_openlineage_facets_with_sql
    from airflow.providers.openlineage.utils.utils import should_use_external_connection
    from airflow.sdk import BaseHook

    connection: Any = BaseHook.get_connection(conn_id)
    hook = connection.get_hook(hook_params=dict(hook_params or {}))
    found = get_openlineage_facets_with_sql(
        hook, sql, conn_id, None, should_use_external_connection(hook), connection=connection
    )
    return found or OperatorLineage()


def _file(path: str) -> Any:
    from airflow.providers.common.compat.openlineage.facet import Dataset

    parts = urlsplit(path)
    if not parts.scheme or parts.scheme == "file":
        return Dataset(namespace="file", name=parts.path)
    return Dataset(namespace=f"{parts.scheme}://{parts.netloc}", name=parts.path.lstrip("/"))
