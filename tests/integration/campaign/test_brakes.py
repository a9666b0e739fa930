"""A run whose requests are refused or in doubt too often stops, says so, and goes on when it is cleared."""

import pytest

from airflow_provider_dropcowboy.errors import RejectRateError, UnknownRateError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.states import State
from tests.integration.campaign.conftest import states
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.sandbox_process import SandboxProcess


def test_a_run_that_is_refused_too_often_stops_and_clearing_it_goes_on(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
) -> None:
    sandbox.fault("invalid_400", share=0.5)
    careful = plan(max_reject_rate=0.2)
    with pytest.raises(RejectRateError, match=r"of the last \d+ requests were refused .*the task allows 20.0%") as stop:
        run(careful, people(1_000))
    assert "+1504" not in str(stop.value)
    assert 50 <= sandbox.takes()["asks"] < 150
    rejected = states(ledger)[State.REJECTED]
    sandbox.clear_faults()
    cleared = run(careful, people(1_000))
    assert dict(cleared.counts) == {"rejected": rejected, "accepted": 1_000 - rejected}
    assert set(sandbox.asks().values()) == {1}


def test_a_run_whose_requests_are_in_doubt_too_often_stops_and_clearing_it_goes_on(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
) -> None:
    sandbox.fault("lose_answer", share=0.3)
    careful = plan(max_unknown_rate=0.02)
    with pytest.raises(UnknownRateError, match=r"are in doubt .*the task allows 2.0%.*dropcowboy unknown list"):
        run(careful, people(1_000))
    assert 50 <= sandbox.takes()["asks"] < 150
    in_doubt = states(ledger)[State.UNKNOWN]
    sandbox.clear_faults()
    cleared = run(careful, people(1_000))  # what it inherits in doubt does not stop it
    assert dict(cleared.counts) == {"unknown": in_doubt, "accepted": 1_000 - in_doubt}
    assert set(sandbox.asks().values()) == {1}


def test_a_few_bad_numbers_stop_no_small_run(sandbox: SandboxProcess, plan: MakePlan, run: RunPlan) -> None:
    sandbox.fault("invalid_400", times=20)
    summary = run(plan(max_reject_rate=0.2, max_unknown_rate=0.02), people(49))
    assert dict(summary.counts) == {"rejected": 20, "accepted": 29}
