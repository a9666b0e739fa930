"""Results by API v2: their codes decide where a send stands, free it, stop its account, or forbid its number."""

import json

import pytest

from airflow_provider_dropcowboy.api.callbacks import read_callback
from airflow_provider_dropcowboy.campaign.messages import RvmTemplate
from airflow_provider_dropcowboy.errors import (
    NothingAcceptedError,
)
from airflow_provider_dropcowboy.ledger.campaigns import find_campaign
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.limits import beat
from airflow_provider_dropcowboy.ledger.reconcile import Match, Received, reconcile
from airflow_provider_dropcowboy.ledger.runs import Run, begin_run
from airflow_provider_dropcowboy.ledger.schema import RUNS
from airflow_provider_dropcowboy.sandbox.catalog import POOL_ID, RECORDING_ID
from tests.integration.campaign.conftest import keys, sends
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.sandbox_process import SandboxProcess


def result(ledger: Ledger, foreign_id: str, code: int, *, request: int = 1) -> Match:
    """A verified callback of API v2 comes in."""
    status = "success" if code == 0 else "failure"
    payload = json.dumps({"foreign_id": foreign_id, "status": status, "reason_code": code, "drop_id": "d"})
    (match,) = reconcile(ledger, [Received(foreign_id, request, read_callback(payload.encode()), payload)])
    return match


def test_a_refused_message_is_sent_again_under_another_key_once_its_content_differs(
    sandbox: SandboxProcess, ledger: Ledger, plan_v2: MakePlan, run: RunPlan
) -> None:
    sandbox.settings(codes={"*": 3033})
    run(plan_v2(), people(1))
    (sent,) = sends(ledger)
    assert result(ledger, sent.foreign_id, 3033) is Match.APPLIED
    sandbox.settings(codes={})

    with pytest.raises(NothingAcceptedError):
        run(plan_v2(), people(1))
    other = run(plan_v2(template=RvmTemplate(recording_id=RECORDING_ID, pool_id=POOL_ID)), people(1))

    assert dict(other.counts) == {"accepted": 1}
    assert keys(sandbox)["first"] == 2
    assert set(sandbox.takes_by_phone().values()) == {1}
    (again,) = sends(ledger)
    assert (again.key_generation, again.attempt) == (2, 2)
    # a result of the first key is not this one's
    assert result(ledger, again.foreign_id, 3033, request=1) is Match.REPEATED
    assert sends(ledger)[0].state == "accepted"


def test_a_refusal_of_the_account_frees_the_message_and_stops_its_running_tasks(
    sandbox: SandboxProcess, ledger: Ledger, plan_v2: MakePlan, run: RunPlan
) -> None:
    plan = plan_v2()
    run(plan, people(1))
    campaign = find_campaign(ledger, plan.account.name, name="spring", channel=plan.channel)
    assert campaign is not None
    running: Run = begin_run(ledger, campaign, who=plan.who, wanted=1)
    assert beat(ledger, running, counts={}) is None

    assert result(ledger, sends(ledger)[0].foreign_id, 3007) is Match.APPLIED

    assert str(beat(ledger, running, counts={})).startswith("refused: 3007: key, secret or scope wrong")
    assert sends(ledger)[0].state == "released"
    with ledger.writing() as connection:
        connection.execute(RUNS.delete().where(RUNS.c.id == running.id))
    assert dict(run(plan, people(1)).counts) == {"accepted": 1}


@pytest.mark.parametrize(
    ("code", "state"), [(0, "delivered"), (4000, "failed"), (4016, "failed"), (9999, "failed"), (3027, "accepted")]
)
def test_a_code_decides_where_a_send_stands(
    code: int, state: str, sandbox: SandboxProcess, ledger: Ledger, plan_v2: MakePlan, run: RunPlan
) -> None:
    run(plan_v2(), people(1))
    result(ledger, sends(ledger)[0].foreign_id, code)

    (sent,) = sends(ledger)
    assert sent.state == state


@pytest.mark.parametrize(
    "code", [4016, 4017, 4019, 6005], ids=["do not contact", "litigator", "reassigned", "opt-in revoked"]
)
def test_a_code_that_forbids_the_number_suppresses_it_for_every_campaign(
    code: int, ledger: Ledger, plan_v2: MakePlan, run: RunPlan
) -> None:
    run(plan_v2(), people(1))
    result(ledger, sends(ledger)[0].foreign_id, code)

    again = run(plan_v2(campaign="another"), people(1))

    assert dict(again.counts) == {"suppressed": 1}


def test_a_result_about_another_number_is_loud_and_moves_nothing(
    ledger: Ledger, plan_v2: MakePlan, run: RunPlan, caplog: pytest.LogCaptureFixture
) -> None:
    run(plan_v2(), people(1))
    (sent,) = sends(ledger)
    payload = json.dumps({"status": "success", "reason_code": 0, "phone_number": "+15042999999"})

    (match,) = reconcile(ledger, [Received(sent.foreign_id, 1, read_callback(payload.encode()), payload)])

    assert (match, sends(ledger)[0].state) == (Match.UNMATCHED, "accepted")
    assert "names another number" in caplog.text
