"""What every driver's rows, errors and keys have in common; without Airflow's scheduler."""

import pytest

from airflow_provider_dropcowboy.contacts.key import canonical_key
from airflow_provider_dropcowboy.contacts.partition import Partition, partitions
from airflow_provider_dropcowboy.contacts.sql import CHUNK_ROWS
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.operators._task import PartitionSql, open_sql
from tests.warehouses.engines import DATE, DECIMAL, INTEGER, TEXT, UUID, Warehouse, run_sql

KEYS = {
    INTEGER: ["1", "-20", "300000"],
    DECIMAL: ["1", "-20", "123456789012345"],
    TEXT: ["a-1", "007", "Zoë"],
    UUID: ["0a1b2c3d-0000-4000-8000-00000000000a"],
    DATE: ["2026-11-24"],
}
"""As one campaign knows them, whichever warehouse they are read from."""

ENDLESS = {
    "sqlite": "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n) SELECT id FROM n",
    "duckdb": "SELECT range AS id FROM range(1, 1000000000000)",
    "clickhouse": "SELECT number AS id FROM numbers(1, 1000000000000)",
    "psycopg": "SELECT generate_series(1, 1000000000000) AS id",
    "psycopg2": "SELECT generate_series(1, 1000000000000) AS id",
    **dict.fromkeys(
        ("mysqlclient", "pymysql", "mysql-connector-python"), "SELECT seq AS id FROM seq_1_to_1000000000000"
    ),
}
"""Of the engines that stream. Snowflake's connector reads pieces of a result that is there: see the next test."""


@pytest.fixture(params=list(KEYS), ids=["integer", "decimal", "text", "uuid", "date"])
def keys(request: pytest.FixtureRequest, warehouse: Warehouse) -> list[str]:
    """The column ``k`` of the table ``keys`` is of one type after the other, and holds these."""
    kind = warehouse.types.get(request.param, request.param)
    rows = ", ".join(f"('{key}')" for key in KEYS[request.param])
    run_sql(f"CREATE TABLE keys_of (k {kind}) {warehouse.engine}", f"INSERT INTO keys_of (k) VALUES {rows}")
    return KEYS[request.param]


def test_a_key_is_the_same_from_whichever_warehouse_it_is_read(keys: list[str]) -> None:
    with open_sql("SELECT k FROM keys_of", "warehouse") as rows:
        assert sorted(canonical_key(key) for row in rows for key in row.values()) == sorted(keys)


def test_a_warehouse_leaves_out_the_other_parts_by_the_same_rule(warehouse: Warehouse, keys: list[str]) -> None:
    if warehouse.name == "sqlite":
        assert Partition(1, 3).condition("k", "sqlite") is None  # it has no MD5
        return
    for index in (1, 2, 3):
        part = Partition(index, 3)
        where = part.condition("k", str(warehouse.connection["conn_type"]))
        with open_sql(f"SELECT k FROM keys_of WHERE {where}", "warehouse") as rows:
            found = sorted(canonical_key(key) for row in rows for key in row.values())
        assert found == sorted(key for key in keys if part.has(key))


def test_eight_parts_read_each_row_of_the_table_once(warehouse: Warehouse) -> None:
    kind = warehouse.types.get(TEXT, TEXT)
    values = ", ".join(["(NULL)", *(f"('{key}')" for key in range(99))])
    run_sql(f"CREATE TABLE due (k {kind}) {warehouse.engine}", f"INSERT INTO due (k) VALUES {values}")
    read: list[object] = []
    for part in partitions(8):
        where = PartitionSql(part, conn_id="warehouse", key_column="k")
        with open_sql(f"SELECT k FROM due WHERE {where}", "warehouse") as rows:
            read += [key for row in rows for key in row.values()]
    times = 8 if warehouse.name == "sqlite" else 1
    assert sorted(map(str, read)) == sorted(["None", *map(str, range(99))] * times)


def test_an_unknown_column_fails_for_good_and_shows_no_persons_value(warehouse: Warehouse) -> None:
    mark, parameters = warehouse.parameter("phone", "504-555-0100")
    query = f"SELECT nothing_here FROM (SELECT 1 AS k) AS t WHERE 'x' = {mark}"
    with (
        pytest.raises(ConfigurationError, match=r"(?i)refused the query.*nothing_here") as refused,
        open_sql(query, "warehouse", parameters=parameters) as rows,
    ):
        list(rows)
    assert "555" not in str(refused.value)


def test_a_result_without_end_is_read_in_chunks_and_left_early(warehouse: Warehouse) -> None:
    if warehouse.name not in ENDLESS:
        with open_sql("SELECT 1 AS id", "warehouse") as rows:
            assert [list(row.values()) for row in rows] == [[1]]
        return
    with open_sql(ENDLESS[warehouse.name], "warehouse") as rows:
        assert [next(rows)["id"] for _ in range(CHUNK_ROWS + 2)] == list(range(1, CHUNK_ROWS + 3))


def test_nobody_may_be_due(warehouse: Warehouse) -> None:
    with open_sql("SELECT k FROM (SELECT 1 AS k) AS t WHERE k = 2", "warehouse") as rows:
        assert list(rows) == []


def test_two_connections_may_read_at_once(warehouse: Warehouse) -> None:
    """The source and the stop list are open together."""
    with open_sql("SELECT 1 AS a", "warehouse") as first, open_sql("SELECT 2 AS a", "warehouse") as second:
        assert [list(next(rows).values()) for rows in (first, second)] == [[1], [2]]
