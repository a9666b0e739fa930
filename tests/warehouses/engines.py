"""The engines a warehouse of these tests runs on, each behind the driver and the Airflow hook that users have."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from airflow_provider_dropcowboy.operators._task import database_hook
from tests.ports import free_ports

Fields = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Warehouse:
    """A database of a test's own.

    :ivar name: of the engine, or of its driver.
    :ivar connection: fields of the Airflow connection to it.
    :ivar mark: one parameter of a query, as the driver writes it; ``{}`` is its name.
    :ivar types: of columns, where they differ from the standard's.
    :ivar engine: what ends the definition of a table.
    """

    name: str
    connection: Fields
    mark: str
    types: dict[str, str] = field(default_factory=dict)
    engine: str = ""

    def parameter(self, name: str, value: object) -> tuple[str, dict[str, object] | list[object]]:
        """One parameter: its mark in the query, and the argument ``parameters``."""
        if "{}" in self.mark:
            return self.mark.format(name), {name: value}
        return self.mark, [value]


INTEGER, TEXT, DECIMAL, UUID, DATE = "INTEGER", "VARCHAR(200)", "DECIMAL(38, 2)", "UUID", "DATE"


def run_sql(*statements: str) -> list[Any]:
    """Run statements on the warehouse as another task would; the rows of the last, if it has any."""
    rows: list[Any] = []
    with closing(database_hook("warehouse", argument="conn").get_conn()) as connection:
        with closing(connection.cursor()) as cursor:
            for statement in statements:
                cursor.execute(statement)
            if statements[-1].startswith("SELECT"):
                rows = [list(row.values()) if isinstance(row, dict) else list(row) for row in cursor.fetchall()]
        connection.commit()
    return rows


@contextmanager
def serving(*command: str, ready: Callable[[], bool]) -> Iterator[subprocess.Popen[bytes]]:
    """A server in a process of its own, ended at the end.

    :param ready: whether it answers.
    """
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        try:
            while not ready():
                if process.poll() is not None:
                    assert process.stderr is not None
                    raise RuntimeError(f"{command[0]} ended: {process.stderr.read().decode()}")
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.communicate(timeout=20)
            except subprocess.TimeoutExpired:
                process.kill()


def _listens(port: int) -> Callable[[], bool]:
    """Whether somebody does, waiting for it a moment."""
    import socket

    def look() -> bool:
        with socket.socket() as client:
            client.settimeout(0.2)
            if client.connect_ex(("127.0.0.1", port)) == 0:
                return True
            select_a_moment()
            return False

    return look


def select_a_moment() -> None:
    """Leave the processor to the server that starts."""
    import select

    select.select([], [], [], 0.05)


@contextmanager
def clickhouse_server(folder: Path) -> Iterator[int]:
    """chdb behind ClickHouse's HTTP interface; its port."""
    (port,) = free_ports(1)
    command = (sys.executable, "-m", "tests.warehouses.clickhouse_server", str(port), str(folder))
    with serving(*command, ready=_listens(port)):
        yield port


@contextmanager
def snowflake_server() -> Iterator[int]:
    """fakesnow as a server; its port."""
    (port,) = free_ports(1)
    with serving(sys.executable, "-m", "tests.warehouses.snowflake_server", str(port), ready=_listens(port)):
        yield port


@contextmanager
def mariadb_server() -> Iterator[int]:
    """Debian's MariaDB with data of its own, on 127.0.0.1 alone; its port."""
    (port,) = free_ports(1)
    with tempfile.TemporaryDirectory(prefix="mariadb-") as folder:
        data = Path(folder, "data")
        user = [f"--user={'mysql' if os.geteuid() == 0 else ''}"] if os.geteuid() == 0 else []
        if user:
            import shutil

            shutil.chown(folder, "mysql")
        install = [
            "mariadb-install-db",
            "--no-defaults",
            f"--datadir={data}",
            "--auth-root-authentication-method=normal",
        ]
        subprocess.run([*install, "--skip-test-db", *user], check=True, capture_output=True)
        server = ["mariadbd", "--no-defaults", f"--datadir={data}", f"--port={port}", "--bind-address=127.0.0.1", *user]
        unflushed = ["--innodb-flush-log-at-trx-commit=0", f"--socket={folder}/socket", f"--pid-file={folder}/pid"]
        with serving(*server, *unflushed, ready=_listens(port)):
            yield port


WHEELS: Final = ("sqlite", "duckdb", "psycopg", "psycopg2", "clickhouse", "snowflake")
SERVERS: Final = ("clickhouse", "snowflake")
"""Those that start a server of their own, which takes seconds: their tests run on one xdist worker."""
MARIADB: Final = ("mysqlclient", "pymysql", "mysql-connector-python")
