"""Warehouses without an engine here: the real hook, and a stand-in where its driver would connect.

What is proven is what leaves the process (the connection's settings, the query, the parameters) and what is made of the
answer. That the warehouse itself accepts the SQL is not: sqlglot parses it in the warehouse's dialect.
"""

import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
import sqlglot

from airflow_provider_dropcowboy.errors import ConfigurationError, SourceError
from airflow_provider_dropcowboy.operators._task import database_hook, open_sql
from airflow_provider_dropcowboy.reports.deliveries import COLUMNS, Delivery
from airflow_provider_dropcowboy.reports.dialects import Table
from airflow_provider_dropcowboy.reports.export import create_table, write_deliveries
from tests.warehouses.conftest import BigQuery

# of the provider of Databricks, which names itself to the warehouse
pytestmark = pytest.mark.filterwarnings("ignore:ProvidersManager.hooks is deprecated")

AT = datetime(2026, 11, 24, 9, 0, 0, 120, tzinfo=UTC)
SENT = Delivery(
    campaign="spring", channel="rvm", contact_key="O'Neil", phone_number="+15045550101", foreign_id="f" * 48,
    state="delivered", reason=None, claimed_at=AT, answered_at=AT, final_at=None, drop_id="d", cost_usd=Decimal("0.1"),
    network=None,
)  # fmt: skip


@dataclass(slots=True)
class Driver:
    """What a stand-in saw of its driver's connection, and what it answers.

    :ivar module: the driver's, whose ``paramstyle`` holds.
    """

    module: str
    rows: list[Sequence[object]] = field(default_factory=lambda: [(1, "+15045550101"), (2, "+15045550102")])
    names: tuple[str, ...] = ("contact_id", "phone")
    error: Exception | None = None
    connected: dict[str, Any] = field(default_factory=dict)
    statements: list[tuple[str, Any]] = field(default_factory=list)
    commits: int = 0

    def connect(self, *args: Any, **settings: Any) -> Any:
        """The driver's ``connect``."""
        self.connected = {**{f"argument {place}": value for place, value in enumerate(args)}, **settings}
        return type("Connection", (_Connection,), {"__module__": self.module})(self)


class _Connection:
    autocommit = False

    def __init__(self, driver: Driver) -> None:
        self.driver = driver

    def cursor(self) -> Any:
        return type("Cursor", (_Cursor,), {"__module__": self.driver.module})(self.driver)

    def commit(self) -> None:
        self.driver.commits += 1

    def rollback(self) -> None:
        """Nothing was written."""

    def close(self) -> None:
        """Nothing is held."""


class _Cursor:
    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.description: list[tuple[object, ...]] | None = None
        self._rows: list[Sequence[object]] = []

    def execute(self, statement: str, parameters: Any = None) -> None:
        self.driver.statements.append((statement, parameters))
        if self.driver.error is not None and "SELECT 1" not in statement:
            raise self.driver.error
        is_export = "foreign_id" in statement
        self.description = [(name,) for name in (COLUMNS if is_export else self.driver.names)]
        self._rows = [] if is_export else list(self.driver.rows)

    def fetchmany(self, size: int) -> list[Sequence[object]]:
        rows, self._rows = self._rows[:size], self._rows[size:]
        return rows

    def fetchall(self) -> list[Sequence[object]]:
        return self.fetchmany(len(self._rows))

    def close(self) -> None:
        """Nothing is held."""


@dataclass(frozen=True, slots=True)
class Case:
    """A warehouse: its Airflow connection, where its driver connects, and what has to arrive there."""

    seam: str
    module: str
    dialect: str
    fields: Mapping[str, Any]
    arrives: Mapping[str, Any]
    parameter: str


CASES = {
    "databricks": Case(
        "databricks.sql.connect", "databricks.sql.client", "databricks",
        {"conn_type": "databricks", "host": "db.example.com", "password": "token-1",
         "extra": {"http_path": "/sql/1", "catalog": "main", "session_configuration": {"ansi_mode": "true"}}},
        {"argument 0": "db.example.com", "argument 1": "/sql/1", "argument 2": "token-1", "catalog": "main",
         "session_configuration": {"ansi_mode": "true"}},
        ":day",
    ),
    "redshift": Case(
        "redshift_connector.connect", "redshift_connector", "redshift",
        {"conn_type": "redshift", "host": "r.example.com", "port": 5439, "login": "loader", "password": "password-1",
         "schema": "dev", "extra": {"ssl": True, "sslmode": "verify-full", "timeout": 30}},
        {"host": "r.example.com", "database": "dev", "ssl": True, "sslmode": "verify-full", "timeout": 30},
        "%s",
    ),
    "trino": Case(
        "trino.dbapi.connect", "trino.dbapi", "trino",
        {"conn_type": "trino", "host": "t.example.com", "port": 443, "login": "loader", "schema": "sales",
         "extra": {"protocol": "https", "catalog": "iceberg", "auth": "jwt", "jwt__token": "token-1"}},
        {"http_scheme": "https", "catalog": "iceberg", "schema": "sales", "user": "loader"},
        "?",
    ),
    "mssql": Case(
        "pymssql.connect", "pymssql._pymssql", "tsql",
        {"conn_type": "mssql", "host": "m.example.com", "port": 1433, "login": "loader", "password": "password-1",
         "schema": "sales", "extra": {"tds_version": "7.3", "login_timeout": 5}},
        {"server": "m.example.com", "database": "sales", "tds_version": "7.3", "login_timeout": 5},
        "%(day)s",
    ),
    "oracle": Case(
        "oracledb.connect", "oracledb", "oracle",
        {"conn_type": "oracle", "host": "o.example.com", "port": 1521, "login": "loader", "password": "password-1",
         "extra": {"service_name": "SALES", "tcp_connect_timeout": 5}},
        {"user": "loader"},
        ":day",
    ),
}  # fmt: skip


@pytest.fixture(params=list(CASES))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def driver(name: str, monkeypatch: pytest.MonkeyPatch) -> Driver:
    """The driver's seam of the warehouse ``name``, which is the Airflow connection ``warehouse``."""
    case = CASES[name]
    made = Driver(case.module)
    package = case.module.split(".", maxsplit=1)[0]
    __import__(case.seam.rpartition(".")[0])
    assert package in sys.modules
    monkeypatch.setattr(case.seam, made.connect)
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(dict(case.fields)))
    return made


def test_every_setting_of_the_connection_reaches_the_driver(name: str, driver: Driver) -> None:
    case = CASES[name]
    parameters: Any = ["2026-11-24"] if case.parameter in ("?", "%s") else {"day": "2026-11-24"}
    query = f"SELECT contact_id, phone FROM due WHERE day = {case.parameter}"
    with open_sql(query, "warehouse", parameters=parameters) as rows:
        assert list(rows) == [{"contact_id": 1, "phone": "+15045550101"}, {"contact_id": 2, "phone": "+15045550102"}]
    assert driver.connected.items() >= dict(case.arrives).items()
    ((statement, bound),) = driver.statements
    assert (statement, list(bound.values()) if isinstance(bound, dict) else list(bound)) == (query, ["2026-11-24"])


def test_a_wrong_query_and_a_busy_warehouse_are_told_apart(driver: Driver) -> None:
    for said, kind in (("column NOPE cannot be resolved", ConfigurationError), ("too many queries", SourceError)):
        driver.error = RuntimeError(said)
        with pytest.raises(kind, match=said), open_sql("SELECT nope FROM due", "warehouse") as rows:
            list(rows)


def test_an_export_speaks_the_warehouses_sql(name: str, driver: Driver) -> None:
    hook = database_hook("warehouse", argument="table_conn_id")
    table = Table('analytics."Deliveries"', str(hook.conn_type))
    assert table.dialect == CASES[name].dialect
    connection: Any = hook.get_conn()
    create_table(connection, table)
    assert write_deliveries(connection, table, deliveries=[SENT]) == 1
    for statement, _ in driver.statements:
        if name != "mssql" or not statement.startswith("IF "):
            sqlglot.parse_one(re.sub(r"%s|%\(p[0-9]+\)s", "?", statement), read=table.dialect)
    verbs = [statement.split(" ", 1)[0] for statement, _ in driver.statements]
    merges = name in ("databricks", "trino")
    assert verbs == ["IF" if name == "mssql" else "CREATE", "SELECT", *(["MERGE"] if merges else ["DELETE", "INSERT"])]
    assert driver.commits == (0 if merges else 2)
    # these two carry few parameters, and a chunk has 500 rows
    assert [bool(bound) for _, bound in driver.statements[1:]] == ([False] * 2 if merges else [True] * 3)


class TestBigQuery:
    """The real cursor of the hook; its jobs are answered as the REST API would."""

    def test_a_query_is_read_with_the_hooks_own_binding_and_types(self, bigquery: BigQuery) -> None:
        kinds = [("contact_id", "INTEGER"), ("phone", "STRING"), ("balance", "NUMERIC"), ("seen_at", "TIMESTAMP")]
        bigquery.answers["SELECT"] = kinds, [("7", "+15045550101", "1.50", "1.795e9")]
        query = "SELECT * FROM due WHERE day = %(day)s"
        with open_sql(query, "warehouse", parameters={"day": "2026-11-24"}) as rows:
            (row,) = rows
        assert bigquery.queries == ["SELECT * FROM due WHERE day = '2026-11-24'"]
        # numbers with a scale are text and instants are seconds: cast in the query what is a key or part of a text
        assert row == {"contact_id": 7, "phone": "+15045550101", "balance": "1.50", "seen_at": 1.795e9}

    def test_google_clouds_own_connection_is_refused_with_the_right_type(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "google_cloud_platform"}))
        with (
            pytest.raises(ConfigurationError, match="Give BigQuery a connection of type 'gcpbigquery'"),
            open_sql("SELECT 1", "warehouse"),
        ):
            pass

    def test_an_export_merges(self, bigquery: BigQuery) -> None:
        hook = database_hook("warehouse", argument="table_conn_id")
        table = Table('"sales-1".analytics.deliveries', str(hook.conn_type))
        connection: Any = hook.get_conn()
        create_table(connection, table)
        assert write_deliveries(connection, table, deliveries=[SENT]) == 1
        assert [query.split(" ", 1)[0] for query in bigquery.queries] == ["CREATE", "SELECT", "MERGE"]
        for query in bigquery.queries:
            sqlglot.parse_one(query, read="bigquery")
            assert "`sales-1`.analytics" in query
        assert r"CAST('O\'Neil' AS STRING)" in bigquery.queries[-1]
