"""What a connection's extra and ``sql_hook_params`` set for every task, they set for a campaign's query too."""

import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import pytest

from airflow_provider_dropcowboy.operators._task import database_hook, open_sql
from tests.warehouses.conftest import BigQuery
from tests.warehouses.engines import MARIADB, Warehouse
from tests.warehouses.test_stand_ins import Driver

Case = tuple[dict[str, Any], dict[str, Any], str, str]

POSTGRES: Case = (
    {"options": "-c statement_timeout=54321 -c search_path=other"},
    {},
    "SELECT current_setting('statement_timeout') || ' ' || current_setting('search_path') AS v",
    "54321ms other",
)
MYSQL = (
    {"init_command": "SET SESSION max_join_size = 54321"},
    "SELECT CONCAT(@@character_set_client, ' ', @@max_join_size) AS v",
)
SETTINGS: Mapping[str, Case] = {
    "psycopg": POSTGRES,
    "psycopg2": POSTGRES,
    **dict.fromkeys(MARIADB, ({"charset": "latin1"}, *MYSQL, "latin1 54321")),
    "mysql-connector-python": ({}, *MYSQL, "utf8mb4 54321"),  # to which the hook hands no charset
    "sqlite": ({"mode": "memory"}, {}, "SELECT file AS v FROM pragma_database_list", ""),
    "duckdb": ({"settings": {"threads": "1"}}, {}, "SELECT current_setting('threads') AS v", "1"),
    "clickhouse": (
        {"session_settings": {"max_block_size": 54321, "max_threads": 1}},
        {"session_settings": {"max_threads": 2}},
        "SELECT concat(toString(getSetting('max_block_size')), ' ', toString(getSetting('max_threads'))) AS v",
        "54321 2",
    ),
    "snowflake": (
        {"role": "LOADER", "warehouse": "SMALL", "session_parameters": {"QUERY_TAG": "campaigns"}},
        {"warehouse": "SENDING", "schema": "other"},
        "SELECT CURRENT_SCHEMA() AS v",
        "OTHER",
    ),
}
"""Of each engine: the extra, the hook's parameters, and a query that sees both."""


def test_a_query_runs_with_the_settings_of_the_connection_and_of_the_hook(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    extra, hook_params, query, seen = SETTINGS[warehouse.name]
    fields = warehouse.connection | {"extra": warehouse.connection.get("extra", {}) | extra}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(fields))
    hook = database_hook("warehouse", argument="sql_conn_id", hook_params=hook_params)
    with closing(hook.get_conn()) as connection, closing(connection.cursor()) as cursor:
        cursor.execute(query)
        row = cursor.fetchone()
    another_task = row["v"] if isinstance(row, dict) else row[0]
    with open_sql(query, "warehouse", hook_params=hook_params) as rows:
        ((ours,),) = [tuple(row.values()) for row in rows]
    assert [str(another_task), str(ours)] == [seen] * 2


def test_snowflake_is_told_role_warehouse_and_session_parameters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its stand-in has none of them, so this is what the hook hands to the connector."""
    extra, hook_params, query, _ = SETTINGS["snowflake"]
    driver = Driver("snowflake")
    monkeypatch.setattr("snowflake.connector.connect", driver.connect)
    fields = {"conn_type": "snowflake", "login": "loader", "password": "password-1", "schema": "public"}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(fields | {"extra": extra | {"account": "sales"}}))
    database_hook("warehouse", argument="sql_conn_id", hook_params=hook_params).get_conn()
    another_task = driver.connected
    with open_sql(query, "warehouse", hook_params=hook_params) as rows:
        assert len(list(rows)) == 2
    assert driver.connected == another_task
    expected = {"role": "LOADER", "warehouse": "SENDING", "schema": "other"}
    assert driver.connected.items() >= expected.items()
    assert driver.connected["session_parameters"].items() >= extra["session_parameters"].items()


def test_bigquery_is_asked_where_the_hook_says(bigquery: BigQuery) -> None:
    bigquery.answers["SELECT"] = (("id", "INTEGER"),), [("1",)]
    for params, location in (({}, "EU"), ({"location": "US", "use_legacy_sql": True}, "US")):
        with open_sql("SELECT 1 AS id", "warehouse", hook_params=params) as rows:
            assert list(rows) == [{"id": 1}]
        cursor = bigquery.cursors[-1]
        assert (cursor.project_id, cursor.location, cursor.use_legacy_sql) == ("sales", location, bool(params))
