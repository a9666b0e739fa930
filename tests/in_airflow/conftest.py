"""A metadata database of its own for every test that runs Airflow."""

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from tests.conftest import AIRFLOW_HOME
from tests.in_airflow.processes import AirflowProcesses
from tests.in_airflow.vendor import CALLBACKS, connection_to
from tests.in_airflow.warehouse import Warehouse
from tests.sandbox_process import SandboxProcess

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer


RUNNING = pytest.StashKey[AirflowProcesses]()
"""The Airflow of ``airflow_processes``."""


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Generator[None]:
    """Airflow ends after the last test of its group, and takes no time from the tests after that."""
    yield
    is_grouped = item.config.getoption("loadgroup", default=False)
    if is_grouped and nextitem and _needs_airflow(item) and not _needs_airflow(nextitem):
        item.config.stash[RUNNING].stop()


def _needs_airflow(item: pytest.Item) -> bool:
    return "airflow_processes" in getattr(item, "fixturenames", ())


@pytest.fixture(scope="session")
def migrated_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file with Airflow's tables, empty; made once for all xdist workers, since it takes seconds."""
    shared = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        shared = shared.parent
    migrated = shared / "migrated.db"
    with (shared / "migrated.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not migrated.exists():
            unfinished = shared / "unfinished.db"
            subprocess.run(
                [sys.executable, "-m", "airflow", "db", "migrate"],
                env=os.environ | {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{unfinished}"},
                check=True,
            )
            unfinished.rename(migrated)
    return migrated


@pytest.fixture
def metadata_database(migrated_database: Path) -> None:
    """This process's Airflow has a metadata database in which nothing has happened yet."""
    from airflow import settings

    assert settings.Session is not None
    assert settings.engine is not None
    settings.Session.remove()
    settings.engine.dispose()
    for leftover in AIRFLOW_HOME.glob("airflow.db-*"):
        leftover.unlink()
    shutil.copyfile(migrated_database, AIRFLOW_HOME / "airflow.db")


@pytest.fixture(scope="session")
def airflow_processes(
    postgres_server: "PostgresServer", tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config
) -> Iterator[AirflowProcesses]:
    """One running Airflow that logs all it can, shared by the tests that ask for it: each takes DAG ids of its own."""
    airflow = AirflowProcesses(
        tmp_path_factory.mktemp("airflow") / "home",
        postgres_server.url(postgres_server.create_database()),
        environment={"AIRFLOW__LOGGING__LOGGING_LEVEL": "DEBUG"},
    )
    pytestconfig.stash[RUNNING] = airflow
    yield airflow
    airflow.stop()


@pytest.fixture
def vendor_connection(sandbox: SandboxProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, object]:
    """``dropcowboy_default`` is the sandbox, with a ledger of the test's own; the connection's fields."""
    fields = connection_to(sandbox)
    monkeypatch.setenv("AIRFLOW_CONN_DROPCOWBOY_DEFAULT", json.dumps(fields))
    monkeypatch.setenv("DROPCOWBOY_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    return fields


@pytest.fixture
def warehouse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Warehouse:
    """The connection ``warehouse`` is a SQLite file."""
    made = Warehouse(tmp_path / "warehouse.db")
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", made.connection)
    return made


@pytest.fixture
def results_connection(vendor_connection: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """``dropcowboy_default`` has a receiver's URL; the test brings the results itself."""
    fields = vendor_connection | {"extra": vendor_connection["extra"] | CALLBACKS}
    monkeypatch.setenv("AIRFLOW_CONN_DROPCOWBOY_DEFAULT", json.dumps(fields))
    return fields


@pytest.fixture
def ledger(ledger_file: Path, tmp_path: Path) -> Iterator[Ledger]:
    """The ledger of ``dropcowboy_default``, set up."""
    opened = open_ledger(f"sqlite:///{shutil.copy(ledger_file, tmp_path / 'ledger.db')}")
    yield opened
    opened.engine.dispose()
