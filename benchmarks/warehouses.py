"""Reading from each engine of the tests: rate over a bare loop, and peak memory: ``python -m benchmarks.warehouses``.

The bare loop is over the same driver's cursor in the same process: ``fetchmany``, and a dict a row. MariaDB is measured
where its server is installed. Memory is of this process: what an engine inside it (DuckDB, SQLite) holds counts too.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_dropcowboy.contacts.sql import CHUNK_ROWS, stream_rows
from airflow_provider_dropcowboy.operators._task import database_hook
from tests.postgres_server import PostgresServer
from tests.warehouses import engines
from tests.warehouses.conftest import make_warehouse

COLUMNS = "id AS contact_id, CAST(5045550100 + id AS VARCHAR(20)) AS phone, 'Ann' AS first_name"
ROWS = {
    "sqlite": "WITH RECURSIVE n(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM n LIMIT {rows}) SELECT {columns} FROM n",
    "duckdb": "SELECT {columns} FROM (SELECT range AS id FROM range({rows})) AS n",
    "snowflake": 'SELECT n.id AS "contact_id", CAST(5045550100 + n.id AS VARCHAR) AS "phone", \'Ann\' AS "first_name" '
    "FROM (SELECT SEQ8() AS id FROM TABLE(GENERATOR(ROWCOUNT => {rows}))) AS n",
    "clickhouse": "SELECT number AS contact_id, toString(5045550100 + number) AS phone, 'Ann' AS first_name "
    "FROM numbers({rows})",
    **dict.fromkeys(("psycopg", "psycopg2"), "SELECT {columns} FROM generate_series(1, {rows}) AS n(id)"),
    **dict.fromkeys(
        engines.MARIADB,
        "SELECT seq AS contact_id, CAST(5045550100 + seq AS CHAR) AS phone, 'Ann' AS first_name FROM seq_1_to_{rows}",
    ),
}
TRIES = 3


@contextmanager
def serving() -> Iterator[dict[str, Any]]:
    """The servers, and where they are."""
    with ExitStack() as stack:
        postgres = stack.enter_context(PostgresServer())
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        there: dict[str, Any] = {
            "postgres_url": postgres.url(postgres.create_database()),
            "clickhouse_port": stack.enter_context(engines.clickhouse_server(folder)),
            "snowflake_port": stack.enter_context(engines.snowflake_server()),
        }
        if shutil.which("mariadbd"):
            there["mariadb_port"] = stack.enter_context(engines.mariadb_server())
        yield there


def read(name: str, rows: int) -> None:
    """Print what reading came to, as JSON; in a process of its own, for its memory."""
    values = json.loads(os.environ["SERVERS"])
    request: Any = SimpleNamespace(param=name, getfixturevalue=values.__getitem__)
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as folder:
        make_warehouse(name, request, patch, Path(folder))
        connect = database_hook("warehouse", argument="sql_conn_id").get_conn
        query = ROWS[name].format(rows=rows, columns=COLUMNS)
        _seconds(stream_rows(connect, query), rows)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        ours, bare = [], []
        for _ in range(TRIES):  # in turns, so that what else the machine does falls on both
            ours.append(_seconds(stream_rows(connect, query), rows))
            bare.append(_seconds(_bare(connect, query), rows))
    print(json.dumps({"peak": peak, "rate": rows / min(ours), "bare": rows / min(bare)}))


def _bare(connect: Callable[[], Any], query: str) -> Iterator[dict[str, object]]:
    from airflow_provider_dropcowboy.contacts import sql

    connection = connect()
    if connection.__class__.__module__.startswith("clickhouse_connect."):
        cursor = connection.cursor()  # holds the whole result
    else:
        cursor, _ = sql._streaming_cursor(connection)
    cursor.execute(query)
    if cursor.description is None:
        cursor.fetchmany(0)
    names = [str(column[0]) for column in cursor.description or ()]
    while chunk := cursor.fetchmany(CHUNK_ROWS):
        for row in chunk:
            yield dict(zip(names, row, strict=True))
    connection.close()


def _seconds(found: Iterator[dict[str, object]], expected: int) -> float:
    started = time.perf_counter()
    assert sum(1 for _ in found) == expected
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", nargs="*", default=list(ROWS))
    parser.add_argument("--read", help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.read:
        read(chosen.read, chosen.rows)
        return
    with serving() as there:
        environment = os.environ | {"SERVERS": json.dumps(there)}
        for name in chosen.only:
            if name in engines.MARIADB and "mariadb_port" not in there:
                print(f"{name:24} no MariaDB server is installed")
                continue
            few, many = (
                json.loads(
                    subprocess.run(
                        [sys.executable, "-m", "benchmarks.warehouses", "--read", name, "--rows", str(rows)],
                        env=environment,
                        check=True,
                        stdout=subprocess.PIPE,
                    ).stdout.splitlines()[-1]
                )
                for rows in (10_000, chosen.rows)
            )
            print(
                f"{name:24} rate over the bare loop {many['rate'] / many['bare']:.2f}   "
                f"peak memory {chosen.rows:,} over 10,000 rows {many['peak'] / few['peak']:.2f} ({few['peak']:.0f} MiB)"
            )


if __name__ == "__main__":
    main()
