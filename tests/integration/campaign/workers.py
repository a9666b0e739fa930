"""Runs in processes of their own, which a test may kill."""

import sys
from pathlib import Path

from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.ledger.database import open_ledger
from tests.integration.conftest import default_plan, people

ROOT = Path(__file__).parents[3]


def command(ledger_url: str, *, base_url: str, team_id: str, secret: str, count: int) -> list[str]:
    """The command line of a process that runs a campaign of so many people."""
    module = "tests.integration.campaign.workers"
    return [sys.executable, "-m", module, ledger_url, base_url, team_id, secret, str(count)]


def main(ledger_url: str, base_url: str, team_id: str, secret: str, count: str) -> None:
    ledger = open_ledger(ledger_url, may_create=True)
    plan = default_plan(base_url, team_id=team_id, secret=secret)
    print(run_campaign(plan, ledger, rows=people(int(count)), control=Control()).as_dict())
    ledger.engine.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
