"""One warehouse after the other, as the Airflow connection ``warehouse``."""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy.engine import make_url

from tests.in_airflow.conftest import (  # noqa: F401  # fixtures
    ledger,
    metadata_database,
    migrated_database,
    results_connection,
    vendor_connection,
)
from tests.postgres_server import connection_fields
from tests.warehouses import engines
from tests.warehouses.engines import MARIADB, SERVERS, WHEELS, Warehouse


@pytest.fixture(scope="session")
def clickhouse_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with engines.clickhouse_server(tmp_path_factory.mktemp("clickhouse")) as port:
        yield port


@pytest.fixture(scope="session")
def snowflake_port() -> Iterator[int]:
    with engines.snowflake_server() as port:
        yield port


@pytest.fixture(scope="session")
def mariadb_port() -> Iterator[int]:
    with engines.mariadb_server() as port:
        yield port


@pytest.fixture(
    params=[
        *(pytest.param(name, marks=[pytest.mark.xdist_group(name)] if name in SERVERS else []) for name in WHEELS),
        *(pytest.param(name, marks=pytest.mark.mariadb) for name in MARIADB),
    ]
)
def warehouse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Warehouse:
    """A database of the test's own; the Airflow connection ``warehouse`` leads to it."""
    return make_warehouse(request.param, request, monkeypatch, tmp_path)


def make_warehouse(name: str, request: pytest.FixtureRequest, patch: pytest.MonkeyPatch, folder: Path) -> Warehouse:
    """The warehouse of this name, as the Airflow connection ``warehouse``."""
    made: Warehouse = _MAKERS[name](request, patch, folder)
    patch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps(made.connection))
    return made


@dataclass(slots=True)
class BigQuery:
    """The jobs of the hook's own cursor, answered as the REST API would.

    :ivar cursors: of the hook, which asked.
    :ivar queries: that were run, with their parameters bound.
    :ivar answers: fields and rows of the queries that begin so; of others, nothing.
    """

    cursors: list[Any] = field(default_factory=list)
    queries: list[str] = field(default_factory=list)
    answers: dict[str, tuple[Sequence[tuple[str, str]], Sequence[Sequence[str]]]] = field(default_factory=dict)

    def answer(self) -> dict[str, object]:
        """The answer to the last query."""
        bare = re.sub(r"--[^\n]*\n", "", self.queries[-1]).strip()
        found = next((answer for begin, answer in self.answers.items() if bare.startswith(begin)), ((), ()))
        return {
            "schema": {"fields": [{"name": name, "type": kind, "mode": "NULLABLE"} for name, kind in found[0]]},
            "rows": [{"f": [{"v": value} for value in row]} for row in found[1]],
        }


@pytest.fixture
def bigquery(monkeypatch: pytest.MonkeyPatch) -> BigQuery:
    """The Airflow connection ``warehouse`` is BigQuery, whose API is answered here."""
    from airflow.providers.google.cloud.hooks import bigquery as hooks

    made = BigQuery()

    class Job:
        job_id, location = "job-1", "EU"

    def run_query(cursor: object, sql: str, *_: object, **__: object) -> Job:
        made.cursors.append(cursor)
        made.queries.append(sql)
        return Job()

    monkeypatch.setattr(hooks.BigQueryCursor, "_run_query", run_query)
    monkeypatch.setattr(hooks.BigQueryCursor, "_get_query_result", lambda _: made.answer())
    monkeypatch.setattr(hooks, "build", lambda *_, **__: None)
    monkeypatch.setattr(hooks.BigQueryHook, "_authorize", lambda _: None)
    extra = {"project": "sales", "location": "EU", "use_legacy_sql": False, "is_anonymous": True}
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "gcpbigquery", "extra": extra}))
    return made


def _sqlite(_request: Any, _patch: Any, folder: Path) -> Warehouse:
    fields = {"conn_type": "sqlite", "host": str(folder / "warehouse.sqlite")}
    return Warehouse("sqlite", fields, ":{}", {"UUID": "TEXT", "DATE": "TEXT"})


def _duckdb(_request: Any, _patch: Any, folder: Path) -> Warehouse:
    return Warehouse("duckdb", {"conn_type": "duckdb", "host": str(folder / "warehouse.duckdb")}, "$" + "{}")


def _psycopg(request: Any, _patch: Any, _folder: Path) -> Warehouse:
    url = make_url(request.getfixturevalue("postgres_url"))
    return Warehouse("psycopg", connection_fields(url), "%({})s")


def _psycopg2(request: Any, patch: Any, folder: Path) -> Warehouse:
    """As with an Airflow on SQLAlchemy 1.4, which has no psycopg 3."""
    patch.setattr("airflow.providers.postgres.hooks.postgres.USE_PSYCOPG3", False)
    made = _psycopg(request, patch, folder)
    return Warehouse("psycopg2", made.connection | {"extra": {"cursor": "realdictcursor"}}, made.mark)


def _clickhouse(request: Any, _patch: Any, _folder: Path) -> Warehouse:
    port = request.getfixturevalue("clickhouse_port")
    database = f"test_{uuid4().hex}"
    with _admin(request, "clickhouse", port) as cursor:
        cursor.execute(f"CREATE DATABASE {database}")
    fields = {"conn_type": "clickhouse", "host": "127.0.0.1", "port": port, "schema": database}
    types = {"VARCHAR(200)": "Nullable(String)", "INTEGER": "Int32", "DATE": "Date"}
    return Warehouse("clickhouse", fields, "%({})s", types, "ENGINE = MergeTree ORDER BY tuple()")


def _admin(_request: Any, _name: str, port: int) -> Any:
    from contextlib import closing

    import clickhouse_connect.dbapi

    return closing(clickhouse_connect.dbapi.connect(host="127.0.0.1", port=port).cursor())


def _snowflake(request: Any, patch: Any, _folder: Path) -> Warehouse:
    """The hook has no setting for the server's protocol, so the driver's default is another one."""
    from snowflake.connector.connection import DEFAULT_CONFIGURATION

    patch.setitem(DEFAULT_CONFIGURATION, "protocol", ("http", (str,)))
    extra = {
        "account": "fakesnow",
        "database": f"test_{uuid4().hex}",
        "host": "127.0.0.1",
        "port": request.getfixturevalue("snowflake_port"),
    }
    fields = {"conn_type": "snowflake", "login": "loader", "password": "password-1", "schema": "public", "extra": extra}
    return Warehouse("snowflake", fields, "%({})s", {"UUID": "VARCHAR"})


def _mysql(request: Any, patch: Any, _folder: Path) -> Warehouse:
    import pymysql

    port = request.getfixturevalue("mariadb_port")
    database = f"test_{uuid4().hex}"
    with pymysql.connect(host="127.0.0.1", port=port, user="root") as connection:
        connection.cursor().execute(f"CREATE DATABASE {database}")
    extra: dict[str, object] = {}
    if request.param == "mysql-connector-python":
        extra["client"] = "mysql-connector-python"
    elif request.param == "pymysql":  # as its install_as_MySQLdb()
        patch.setitem(sys.modules, "MySQLdb", pymysql)
    else:
        extra["cursor"] = "sscursor"
    fields = {
        "conn_type": "mysql",
        "host": "127.0.0.1",
        "port": port,
        "login": "root",
        "schema": database,
        "extra": extra,
    }
    return Warehouse(request.param, fields, "%({})s")


_MAKERS = {
    "sqlite": _sqlite, "duckdb": _duckdb, "psycopg": _psycopg, "psycopg2": _psycopg2, "clickhouse": _clickhouse,
    "snowflake": _snowflake, **dict.fromkeys(MARIADB, _mysql),
}  # fmt: skip
