"""What the vendor refuses: a message keeps its reason, and a fault of all of them stops the run."""

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.campaign.messages import RvmTemplate
from airflow_provider_dropcowboy.errors import (
    AuthenticationError,
    NothingAcceptedError,
)
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID, RECORDING_ID, SECOND_RECORDING_ID
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.states import State
from tests.integration.campaign.conftest import states, taken_once
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.sandbox_process import SandboxProcess


class TestRefusals:
    def test_wrong_credentials_stop_the_run_at_once_and_leave_nothing_in_doubt(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
    ) -> None:
        wrong = Account(sandbox.team_id, Secret("not-the-secret"), sandbox.base_url)
        with pytest.raises(AuthenticationError, match="HTTP 401"):
            run(plan(account=wrong), people(500))
        assert set(states(ledger)) == {State.RELEASED}
        assert states(ledger)[State.RELEASED] <= 3 * 10
        assert sandbox.stats()["takes"] == 0
        summary = run(plan(), people(500))
        assert (dict(summary.counts), summary.asked) == ({"accepted": 500}, 500)
        assert taken_once(sandbox, 500)

    @pytest.mark.parametrize("fault", ["payment_required", "forbidden", "not_found_html"])
    def test_a_refusal_of_all_requests_alike_stops_the_run(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger, fault: str
    ) -> None:
        sandbox.fault(fault)
        with pytest.raises(AuthenticationError):
            run(plan(), people(100))
        assert set(states(ledger)) == {State.RELEASED}

    def test_a_refused_message_keeps_its_reason_and_is_not_asked_again(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
    ) -> None:
        sandbox.fault("invalid_400", times=5)
        first = run(plan(), people(10))
        assert dict(first.counts) == {"rejected": 5, "accepted": 5}
        assert {state for state, _reason in first.reasons} == {State.REJECTED}
        second = run(plan(), people(10))
        assert (dict(second.counts), second.asked) == (dict(first.counts), 0)
        assert set(sandbox.asks().values()) == {1}

    def test_a_refused_message_is_asked_again_once_its_request_is_another_one(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan
    ) -> None:
        with pytest.raises(NothingAcceptedError):
            run(plan(template=RvmTemplate(brand_id="no-such-brand", recording_id=RECORDING_ID)), people(10))
        summary = run(plan(), people(10))
        assert (dict(summary.counts), summary.asked) == ({"accepted": 10}, 10)
        assert taken_once(sandbox, 10)

    @pytest.mark.parametrize(
        ("faults", "counts"),
        [
            (("invalid_400",), "None of 4 messages was accepted. 4 were rejected"),
            (("lose_answer",), "None of 4 messages was accepted. 4 are in doubt"),
            (("invalid_400", "lose_answer"), "None of 4 messages was accepted. 2 were rejected.*2 are in doubt"),
        ],
    )
    def test_a_run_of_which_nothing_was_accepted_fails_however_small_and_so_does_its_rerun(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, faults: tuple[str, ...], counts: str
    ) -> None:
        for fault in faults:
            sandbox.fault(fault, times=4 // len(faults))
        for _ in range(2):
            with pytest.raises(NothingAcceptedError, match=counts):
                run(plan(concurrency=1), people(4))
        assert set(sandbox.asks().values()) == {1}

    def test_an_accepted_message_is_not_asked_again_with_another_recording(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan
    ) -> None:
        run(plan(), people(10))
        other = plan(template=RvmTemplate(brand_id=BRAND_ID, recording_id=SECOND_RECORDING_ID))
        assert run(other, people(10)).asked == 0
        assert taken_once(sandbox, 10)
