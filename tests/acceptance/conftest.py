"""Each promise is tested on both versions of the API and on both databases; the torture on each pair of them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from itertools import product

import pytest

from tests.acceptance.databases import DATABASES, Databases
from tests.acceptance.torture import VERSIONS, Round, torture

ROWS = 2400
KILLS = 6
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
) -> Callable[[str, str], Round]:
    """What the kills of two runs at once came to, by a version of the API and a kind of database."""

    @cache
    def torture_on(api: str, kind: str) -> Round:
        folder = tmp_path_factory.mktemp("torture")
        return torture(open_databases(kind).new(), rows=ROWS, kills=KILLS, seed=SEED, folder=folder, api=api)

    return torture_on


@pytest.fixture(params=zip(VERSIONS, DATABASES, strict=True), ids="-".join)
def pair(request: pytest.FixtureRequest) -> tuple[str, str]:
    """A version of the API, and a kind of database: together, the pairs have them all."""
    api, kind = request.param
    return api, kind


@pytest.fixture
def api(pair: tuple[str, str]) -> str:
    """The version of the API."""
    return pair[0]


@pytest.fixture
def ledger_url(pair: tuple[str, str], open_databases: Callable[[str], Databases]) -> str:
    """SQLAlchemy's address of a new, empty database."""
    return open_databases(pair[1]).new()


@pytest.fixture(
    params=[
        # half a minute on a machine with nothing else to do; the first test that asks for it waits
        pytest.param(
            (api, kind),
            id=f"{api}-{kind}",
            marks=[pytest.mark.xdist_group(f"torture by {api} on {kind}"), pytest.mark.timeout(900)],
        )
        for api, kind in product(VERSIONS, DATABASES)
    ]
)
def tortured(request: pytest.FixtureRequest, torture_once: Callable[[str, str], Round]) -> Round:
    """Two runs at once, killed a few times, every fault in force; then two full reruns without faults."""
    return torture_once(*request.param)
