"""A sync and a campaign of one account together stay within its limit of requests at once."""

import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.lists.vendor import Stop
from tests.integration.conftest import default_plan, people
from tests.integration.lists.conftest import Sync, ids, inside, persons
from tests.sandbox_process import SandboxProcess

LIMIT = 8


def people_until(is_over: threading.Event) -> Iterator[dict[str, object]]:
    """As many as can be asked until then."""
    for n in itertools.takewhile(lambda _: not is_over.is_set(), itertools.count()):
        yield from people(1, first=n)


def test_a_sync_beside_a_campaign_makes_no_request_above_the_limit(
    sandbox: SandboxProcess, sync: Sync, ledger: Ledger
) -> None:
    sync(persons(1))  # a list that is there is compared first: then all appends are ready at once
    # above the limit by one: the vendor may see the next request before it has counted the end of the last
    sandbox.settings(max_concurrency=LIMIT + 1, latency_ms=40)
    campaign = default_plan(
        sandbox.base_url, team_id=sandbox.team_id, secret=sandbox.secret, concurrency=LIMIT, max_concurrency=LIMIT
    )
    is_synced = threading.Event()
    with ThreadPoolExecutor(1) as beside:
        running = beside.submit(run_campaign, campaign, ledger, rows=people_until(is_synced), control=Control())
        try:
            sandbox.wait_for_asks(50)
            synced = sync(persons(45_000), max_concurrency=LIMIT, stop=Stop())
        finally:
            is_synced.set()
        ran = running.result()
    assert ran.counts == {"accepted": ran.read}
    assert set(sandbox.asks().values()) == {1}  # a 429 would have been asked again
    assert synced.appends == 5
    assert synced.added == 44_999
    assert ids(inside(sandbox)["leads"]) == list(range(45_000))
