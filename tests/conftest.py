"""What every test may ask for. Importing it closes the tests off from the user's Airflow, proxies and settings."""

import logging
import os
import shutil
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tests.postgres_server import PostgresServer
    from tests.sandbox_process import SandboxProcess

TESTS = Path(__file__).parent

FOREIGN = ("AIRFLOW", "DROPCOWBOY", "PG")
"""Beginnings of variables of the user's that would change what a test sees."""


def _close_off(folder: Path) -> None:
    """Give this process an environment of its own.

    Airflow reads it when it is imported, so this runs before the first test module is; in each xdist worker anew.
    """
    for name in list(os.environ):
        if name.startswith(FOREIGN) or name.lower().endswith("_proxy"):
            del os.environ[name]
    dags, runtime = folder / "dags", folder / "runtime"
    dags.mkdir()
    runtime.mkdir(mode=0o700)
    os.environ |= {
        "AIRFLOW_HOME": str(folder),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",  # it changes what a schedule means; the tests want what users have
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder / 'airflow.db'}",
        "AIRFLOW__DROPCOWBOY__CALLING_HOURS_RULES": str(TESTS / "data" / "always_open.toml"),
        "XDG_RUNTIME_DIR": str(runtime),  # else platformdirs, under the PostgreSQL wheel, warns that there is none
    }


AIRFLOW_HOME = Path(tempfile.mkdtemp(prefix="airflow-home-"))
_close_off(AIRFLOW_HOME)

settings.register_profile("local", deadline=None, max_examples=50)
settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True, database=None, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")


def pytest_unconfigure() -> None:
    shutil.rmtree(AIRFLOW_HOME, ignore_errors=True)


LONG_FIRST = ("acceptance", "in_airflow", "warehouses", "integration")
"""Folders of tests that take seconds, in the order in which they start; the short ones fill the gaps in the end."""

WORKERS_A_CORE = 2
"""Half of the time of the long tests is waiting: for a kill's moment, a time-out, Airflow's scheduler."""


@pytest.hookimpl(optionalhook=True)  # the oldest Airflow is tested without xdist
def pytest_xdist_auto_num_workers() -> int:
    """How many xdist workers ``--numprocesses=logical`` starts."""
    return WORKERS_A_CORE * (os.cpu_count() or 1)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Tests that share what takes long to start go to one xdist worker, one after the other; long tests begin first."""
    for item in items:
        if "airflow_processes" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.xdist_group("airflow_processes"))
    yield
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> tuple[bool, int]:
    folder = item.path.relative_to(TESTS).parts[0]
    place = LONG_FIRST.index(folder) if folder in LONG_FIRST else len(LONG_FIRST)
    return "airflow_processes" not in getattr(item, "fixturenames", ()), place


@pytest.fixture(autouse=True)
def as_before_a_command() -> Iterator[None]:
    """A command of the program changes these two for its process. After a test that ran one, they are as before."""
    root = logging.getLogger()
    level, context = root.level, os.environ.get("_AIRFLOW_PROCESS_CONTEXT")
    yield
    if root.level != level:
        root.setLevel(level)
    if context is None:
        os.environ.pop("_AIRFLOW_PROCESS_CONTEXT", None)


@pytest.fixture(scope="session")
def sandbox_process() -> Iterator["SandboxProcess"]:
    """One sandbox a worker; a test asks for ``sandbox``."""
    from tests.sandbox_process import SandboxProcess

    with SandboxProcess() as process:
        yield process


@pytest.fixture
def sandbox(sandbox_process: "SandboxProcess") -> Iterator["SandboxProcess"]:
    """The vendor's stand-in over HTTP, in a process of its own, as it was when it started."""
    from airflow_provider_dropcowboy.sandbox.settings import CHANGEABLE

    sandbox_process.reset()  # which leaves the settings
    at_start = sandbox_process.settings()
    yield sandbox_process
    sandbox_process.settings(**{name: at_start[name] for name in CHANGEABLE})


@pytest.fixture(scope="session")
def postgres_server() -> Iterator["PostgresServer"]:
    """One PostgreSQL a worker; a test asks for ``postgres_url`` or ``ledger_url``."""
    from tests.postgres_server import PostgresServer

    with PostgresServer() as server:
        yield server


@pytest.fixture
def postgres_url(postgres_server: "PostgresServer") -> Iterator[str]:
    """SQLAlchemy's address of a new, empty PostgreSQL database."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)


@pytest.fixture(scope="session")
def ledger_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An embedded ledger in which nothing has happened; a copy of it takes less time than its migrations."""
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    _set_up_ledger(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def ledger_database(postgres_server: "PostgresServer") -> str:
    """The same on PostgreSQL; the name of its database."""
    name = postgres_server.create_database()
    _set_up_ledger(postgres_server.url(name))
    return name


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """SQLAlchemy's address of a new database, once of each kind the ledger lives in.

    It is empty, or, where the test asks for an open ``ledger``, set up.
    """
    is_set_up = "ledger" in request.fixturenames
    if request.param == "sqlite":
        path = tmp_path / "ledger.db"
        if is_set_up:
            shutil.copy(request.getfixturevalue("ledger_file"), path)
        yield f"sqlite:///{path}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    template = {"template": request.getfixturevalue("ledger_database")} if is_set_up else {}
    name = server.create_database(**template)
    yield server.url(name)
    server.drop_database(name)


def _set_up_ledger(url: str) -> None:
    from airflow_provider_dropcowboy.ledger.database import open_ledger

    open_ledger(url, may_create=True).engine.dispose()
