"""Who asked not to be called is not called, whichever list says so and whenever it does."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from airflow_provider_dropcowboy.campaign import claiming
from airflow_provider_dropcowboy.campaign.control import Control
from airflow_provider_dropcowboy.campaign.heartbeat import Standing
from airflow_provider_dropcowboy.campaign.preview import preview_campaign
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.clock import Deadline, utcnow
from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
from airflow_provider_dropcowboy.errors import ConfigurationError, SourceError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.judgement import ClaimRules, Judgement
from airflow_provider_dropcowboy.ledger.patience import reclaim_patiently
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.ledger.suppressions import suppress, unsuppress
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.states import State
from tests.clock import BriskClock
from tests.integration.campaign.conftest import states
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.sandbox_process import SandboxProcess

ANYBODY = Phone("+15042000003")


def test_the_list_of_a_task_suppresses_numbers_in_any_notation(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan
) -> None:
    suppressed: list[dict[str, object]] = [
        {"phone": "(504) 200-0003"},
        {"phone": None},  # names nobody
        {"phone": "504.200.0004 "},
    ]
    summary = run(plan(), people(10), suppressed=suppressed)
    assert dict(summary.counts) == {"suppressed": 2, "accepted": 8}
    assert summary.reasons[State.SUPPRESSED, "on the suppression list"] == 2
    assert not {"+15042000003", "+15042000004"} & sandbox.takes_by_phone().keys()


def test_who_leaves_the_list_is_called_by_the_next_run(plan: MakePlan, run: RunPlan) -> None:
    run(plan(), people(10), suppressed=[{"phone": "+15042000003"}])
    summary = run(plan(), people(10), suppressed=[])
    assert (summary.asked, dict(summary.counts)) == (1, {"accepted": 10})


def test_the_ledgers_own_list_holds_for_every_campaign(plan: MakePlan, run: RunPlan, ledger: Ledger) -> None:
    suppress(ledger, [ANYBODY], source="test")
    for name in ("spring", "summer"):
        assert dict(run(plan(campaign=name), people(10)).counts) == {"suppressed": 1, "accepted": 9}
    unsuppress(ledger, ANYBODY)
    assert run(plan(), people(10)).asked == 1


def test_the_first_rule_that_applies_gives_the_reason(plan: MakePlan, run: RunPlan, ledger: Ledger) -> None:
    suppress(ledger, [Phone(str(row["phone"])) for row in people(3)], source="test")
    rows = [{**row, "consented": row["id"] != 0} for row in people(4)]
    summary = run(plan(opt_in_column="consented"), rows, suppressed=[{"phone": "+15042000001"}])
    assert dict(summary.reasons) == {
        (State.SUPPRESSED, "no consent in consented"): 1,
        (State.SUPPRESSED, "on the suppression list"): 1,
        (State.SUPPRESSED, "on the ledger's suppression list"): 1,
    }


def test_a_dry_run_knows_both_lists(plan: MakePlan, run: RunPlan, ledger: Ledger) -> None:
    run(plan(), [])
    suppress(ledger, [ANYBODY], source="test")
    seen = preview_campaign(plan(), ledger, rows=people(10), suppressed=SuppressionList([{"phone": "+15042000004"}]))
    assert dict(seen.counts) == {"suppressed": 2, "ready": 8}


@pytest.mark.parametrize("entry", ["n/a", "5550107", "", "5.04555E+09", "#REF!", 5550107, True])
def test_an_entry_that_is_no_number_stops_the_run_before_the_first_send(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, entry: object
) -> None:
    with pytest.raises(ConfigurationError, match="1 of 2 entries cannot be read"):
        run(plan(), people(10), suppressed=[{"phone": "+15042000003", "why": "x"}, {"phone": entry, "why": "x"}])
    assert sandbox.takes()["asks"] == 0


def test_a_list_that_cannot_be_read_to_its_end_stops_the_run_before_the_first_send(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan
) -> None:
    def broken() -> Iterator[dict[str, object]]:
        yield {"phone": "+15042000003"}
        raise SourceError("the warehouse went away")

    with pytest.raises(SourceError, match="the warehouse went away"):
        run(plan(), people(10), suppressed=broken())
    assert sandbox.takes()["asks"] == 0


def test_who_opts_out_between_two_requests_is_not_asked_again(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def after_an_opt_out(ledger: Ledger, *arguments: Any, **named: Any) -> tuple[Judgement, Deadline]:
        suppress(ledger, [ANYBODY], source="test")
        return reclaim_patiently(ledger, *arguments, **named)

    sandbox.fault("429", to=ANYBODY.e164, times=1)
    monkeypatch.setattr(claiming, "reclaim_patiently", after_an_opt_out)
    for _ in range(2):
        summary = run(plan(), people(10))
        assert dict(summary.counts) == {"suppressed": 1, "accepted": 9}
    assert sandbox.takes_by_phone()[ANYBODY.e164] == 0


def test_who_opts_out_before_a_resend_is_still_in_doubt(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    def after_an_opt_out(ledger: Ledger, *arguments: Any, **named: Any) -> tuple[Judgement, Deadline]:
        suppress(ledger, [ANYBODY], source="test")
        return reclaim_patiently(ledger, *arguments, **named)

    sandbox.fault("lose_answer", to=ANYBODY.e164, times=1)
    run(plan(), people(10))
    with ledger.writing() as connection:
        connection.execute(SENDS.update().values(claimed_at=utcnow() - timedelta(days=1)))
    sandbox.fault("429", to=ANYBODY.e164, times=1)
    monkeypatch.setattr(claiming, "reclaim_patiently", after_an_opt_out)

    summary = run(plan(claim_rules=ClaimRules(resend_after=timedelta(hours=2))), people(10))

    # its first request may have been accepted: the run says so, as the ledger does
    assert (dict(summary.counts), dict(summary.own)) == ({"accepted": 9, "unknown": 1}, {"unknown": 1})
    assert summary.reasons_of("unknown") == "not sent again: on the ledger's suppression list (1)"
    assert states(ledger) == {State.ACCEPTED: 9, State.UNKNOWN: 1}
    assert sandbox.takes_by_phone()[ANYBODY.e164] == 1


def test_who_opts_out_between_the_claim_and_the_request_is_not_called(
    sandbox: SandboxProcess, plan: MakePlan, ledger: Ledger
) -> None:
    optout = Phone("+15042000006")
    most_out: list[int] = []

    def opt_out_after_the_first(standing: Standing) -> None:
        most_out.append(standing.in_flight + standing.retrying)
        if standing.asked:
            suppress(ledger, [optout], source="callback")

    summary = run_campaign(
        plan(concurrency=50, rate_per_s=6.0),
        ledger,
        rows=people(12),
        control=Control(),
        watch=opt_out_after_the_first,
        clock=BriskClock(),
    )
    assert dict(summary.counts) == {"suppressed": 1, "accepted": 11}
    assert summary.reasons == {(State.SUPPRESSED, "on the ledger's suppression list"): 1}
    assert optout.e164 not in sandbox.takes_by_phone()
    assert states(ledger) == {State.ACCEPTED: 11, State.RELEASED: 1}
    assert max(most_out) <= 9  # so many claims, and no more, wait for a pace of 6 a second
