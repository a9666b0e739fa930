"""The torture is run once a database; many tests look at what came of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache

import pytest

from tests.acceptance.databases import DATABASES, Databases
from tests.acceptance.torture import KILLS_A_ROUND, Round, torture

ROWS = 4000
SEED = 20261124


@pytest.fixture(scope="session")
def open_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Databases]]:
    """Databases of a kind, for ledgers."""
    with ExitStack() as opened:

        @cache
        def open_kind(kind: str) -> Databases:
            return opened.enter_context(Databases(kind, tmp_path_factory.mktemp(kind)))

        yield open_kind


@pytest.fixture(scope="session")
def torture_once(
    open_databases: Callable[[str], Databases], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Round]:
    """What 12 kills of two runs at once came to on a kind of database."""

    @cache
    def torture_on(kind: str) -> Round:
        folder = tmp_path_factory.mktemp("torture")
        return torture(open_databases(kind).new(), rows=ROWS, kills=KILLS_A_ROUND, seed=SEED, folder=folder)

    return torture_on


@pytest.fixture(params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """The kind of database that the ledger is on."""
    kind: str = request.param
    return kind


@pytest.fixture(
    params=[
        # half a minute on a machine with nothing else to do; the first test that asks for it waits
        pytest.param(kind, marks=[pytest.mark.xdist_group(f"torture on {kind}"), pytest.mark.timeout(900)])
        for kind in DATABASES
    ]
)
def tortured(request: pytest.FixtureRequest, torture_once: Callable[[str], Round]) -> Round:
    """Two runs at once of 4,000 rows, killed 12 times, every fault in force; then two full reruns without faults."""
    return torture_once(request.param)
