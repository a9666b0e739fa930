"""What "sent" counts is the same in a run's summary and in the campaign's report."""

import pytest

from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.campaign.summary import Summary
from airflow_provider_dropcowboy.errors import DropCowboyError
from airflow_provider_dropcowboy.ledger.campaigns import campaigns_of
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.reports.results import read_funnel
from airflow_provider_dropcowboy.states import State
from tests.clock import BriskClock
from tests.integration.conftest import MakePlan, people
from tests.sandbox_process import SandboxProcess


@pytest.mark.parametrize("fault", ["invalid_400", "429", "unauthorized", "500_after"])
def test_a_stopped_run_and_its_report_say_the_same_number_sent(
    sandbox: SandboxProcess, plan: MakePlan, ledger: Ledger, fault: str
) -> None:
    sandbox.fault(fault, share=0.5)
    stopped = plan(max_reject_rate=0.2, max_unknown_rate=0.02, concurrency=10)
    said: list[Summary] = []
    with pytest.raises(DropCowboyError):
        run_campaign(stopped, ledger, rows=people(300), control=Control(), tell=said.append, clock=BriskClock())
    (campaign,) = campaigns_of(ledger, stopped.account.name, name=stopped.campaign)
    funnel = read_funnel(ledger, campaign)
    released = funnel.counts[State.RELEASED]
    assert said[0].asked == funnel.sent == funnel.as_dict()["asked"] == funnel.counts.total() - released
