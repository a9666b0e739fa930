"""Ledger and receiver keep nothing in a session of PostgreSQL: each transaction may run in another one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.secret import Secret
from tests.integration.conftest import MakePlan, people
from tests.integration.pooler import TransactionPooler
from tests.integration.receiver.running import CALLBACK_SECRET, RunningReceiver
from tests.sandbox_process import SandboxProcess

PEOPLE = 300


@pytest.fixture
def pooler(postgres_url: str) -> Iterator[TransactionPooler]:
    """In front of a new, empty database."""
    url = sa.make_url(postgres_url)
    assert url.port is not None
    assert url.database is not None
    with TransactionPooler(url.port, url.database) as started:
        yield started


def test_a_campaign_and_its_results_go_through_a_transaction_pooler(
    sandbox: SandboxProcess, plan: MakePlan, postgres_url: str, pooler: TransactionPooler, tmp_path: Path
) -> None:
    sandbox.settings(outcomes={"success": 1.0})
    url = sa.make_url(postgres_url).set(port=pooler.port)
    ledger = open_ledger(url, may_create=True)
    with RunningReceiver(tmp_path / "spool", ledger_url=url.render_as_string(hide_password=False)) as receiver:
        receiver.wait_for_ledger()
        ready = plan(callback_url=receiver.url, callback_secret=Secret(CALLBACK_SECRET))
        for asked in (PEOPLE, 0):
            summary = run_campaign(ready, ledger, rows=people(PEOPLE), control=Control())
            assert summary.as_dict()["asked"] == asked
        sandbox.callbacks(wait_for=PEOPLE)
    with ledger.reading() as connection:
        counted = connection.execute(sa.select(SENDS.c.state, sa.func.count()).group_by(SENDS.c.state)).all()
    ledger.engine.dispose()
    assert [tuple(row) for row in counted] == [("delivered", PEOPLE)]
    assert set(sandbox.asks().values()) == {1}
    assert pooler.most_sessions > 1
