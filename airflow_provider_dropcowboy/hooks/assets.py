"""Airflow assets of this provider: what was sent, what became of it, and contact lists.

Airflow finds these functions through ``provider_info``; parsing a DAG that names such an asset imports this file.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import SplitResult, quote, unquote, urlsplit

if TYPE_CHECKING:
    from airflow.providers.common.compat.openlineage.facet import Dataset
    from airflow.sdk import Asset, BaseOperator, Context

SCHEME: Final = "dropcowboy"
KINDS: Final = ("campaigns", "deliveries", "lists")


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
    """The events of the task's outlets carry the counts as ``extra``; Airflow writes them when the task succeeds."""
    from airflow.sdk import Asset

    for outlet in task.outlets:
        if isinstance(outlet, Asset):
            context["outlet_events"][outlet].extra.update(counts)
