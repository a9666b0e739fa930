"""What a task read and what it filled, in the words of OpenLineage; only its own provider asks for it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_dropcowboy.hooks.assets import SCHEME

if TYPE_CHECKING:
    from airflow.providers.openlineage.extractors import OperatorLineage

    from airflow_provider_dropcowboy.contacts.source import SourceArguments

    Lineage = OperatorLineage[Any, Any]


def lineage_of(
    source: "SourceArguments", *, team_id: str, kind: str, name: str, rows: int | None = None
) -> "Lineage | None":
    """The source's tables or file in, a campaign or a contact list out; None: OpenLineage is not installed.

    :param kind: of the asset that the task fills, see ``hooks.assets.KINDS``.
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
