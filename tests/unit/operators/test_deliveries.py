"""The arguments of the export."""

from typing import Any

import pytest

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.operators.deliveries import ExportDeliveriesOperator

TABLE = {"table": "deliveries", "table_conn_id": "warehouse"}


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"path": "file:///out.csv"}, "either campaign"),
        ({"campaign": "spring", "since": "2026-11-24", "path": "file:///out.csv"}, "either campaign"),
        ({"campaign": "spring"}, "either table"),
        ({"since": "2026-11-24", "include_not_sent": True, **TABLE}, "include_not_sent belongs to campaign"),
        ({"campaign": "spring", "path": "file:///out.csv", **TABLE}, "either table"),
        ({"campaign": "spring", "table": "deliveries"}, "belong together"),
        ({"campaign": "spring", "path": "file:///out.csv", "table_conn_id": "warehouse"}, "belong together"),
        ({"campaign": "spring", "path": "file:///out.csv", "create_table": True}, "belong together"),
    ],
)
def test_what_does_not_belong_together_is_told_when_the_dag_is_parsed(arguments: dict[str, Any], named: str) -> None:
    with pytest.raises(ConfigurationError, match=named):
        ExportDeliveriesOperator(task_id="export", **arguments)
