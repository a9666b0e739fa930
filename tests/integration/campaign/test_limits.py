"""Caps, limits and budgets are exact: whatever the try, the partition, the process and the moment."""

import json
import random
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.api.callbacks import read_callback
from airflow_provider_dropcowboy.campaign import claiming
from airflow_provider_dropcowboy.campaign.forecast import JudgedRow
from airflow_provider_dropcowboy.campaign.messages import RvmTemplate
from airflow_provider_dropcowboy.campaign.preview import preview_campaign
from airflow_provider_dropcowboy.clock import Deadline
from airflow_provider_dropcowboy.errors import BalanceError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.judgement import ClaimRules, Judgement
from airflow_provider_dropcowboy.ledger.patience import claim_patiently
from airflow_provider_dropcowboy.ledger.reconcile import Received, reconcile
from airflow_provider_dropcowboy.ledger.runs import SILENT_AFTER, Run
from airflow_provider_dropcowboy.ledger.schema import RUNS, SENDS
from airflow_provider_dropcowboy.ledger.suppressions import suppress
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID
from airflow_provider_dropcowboy.screening.calling_hours import CallingHours, Mode
from airflow_provider_dropcowboy.screening.screen import Candidate
from tests.integration.campaign.conftest import states, taken_once
from tests.integration.campaign.limited_worker import Worker, at_once
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.integration.sent import age
from tests.sandbox_process import SandboxProcess

DAY = timedelta(days=1)
PRICE = 10_000  # a cent, in millionths of a dollar

ONE_A_DAY_IN_LOUISIANA = """
version = "tests"
as_of = 2026-11-24
margin_minutes = 0
[[rule]]
region = ["US", "US-LA"]
cite = "none"
source = "tests"
confidence = "S"
caps = [{count = 1, hours = 24}]
"""


class TestCaps:
    def test_two_campaigns_at_once_call_no_number_above_the_cap(
        self, sandbox: SandboxProcess, ledger: Ledger, ledger_url: str
    ) -> None:
        workers = [
            Worker(ledger_url, sandbox, campaign=name, count=10_000, max_attempts=1, concurrency=45)
            for name in ("spring", "summer")
        ]
        first, second = at_once(workers)
        assert first["accepted"] + second["accepted"] == 10_000
        assert first["capped"] + second["capped"] == 10_000
        assert min(first["accepted"], second["accepted"]) > 0  # they did meet
        assert sandbox.takes_by_phone() == {str(row["phone"]): 1 for row in people(10_000)}

    def test_an_attempt_of_long_ago_caps_nobody(self, plan: MakePlan, run: RunPlan, ledger: Ledger) -> None:
        once_a_day = {"claim_rules": ClaimRules(caps=((1, DAY),))}
        run(plan(campaign="monday", **once_a_day), people(5))
        capped = run(plan(campaign="tuesday", **once_a_day), people(10))
        assert dict(capped.counts) == {"capped": 5, "accepted": 5}
        age(ledger, DAY)
        assert run(plan(campaign="wednesday", **once_a_day), people(5)).asked == 5

    def test_a_state_caps_its_own_numbers(self, plan: MakePlan, run: RunPlan) -> None:
        hours = CallingHours.load(
            Mode.STATE, channel="rvm", message_kind="marketing", rules_text=ONE_A_DAY_IN_LOUISIANA
        )
        run(plan(campaign="monday", claim_rules=ClaimRules(caps=((3, DAY),)), hours=hours), people(5))
        capped = run(plan(campaign="tuesday", claim_rules=ClaimRules(caps=((3, DAY),)), hours=hours), people(5))
        assert dict(capped.counts) == {"capped": 5}
        ((_state, reason),) = capped.reasons
        assert reason == "1 attempts on the number within 24 hours"

    def test_the_same_content_does_not_go_to_a_number_twice_within_the_repeat_window(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
    ) -> None:
        rules = {"claim_rules": ClaimRules(repeat_window=timedelta(hours=20))}
        run(plan(campaign="by hand", **rules), people(5))
        assert dict(run(plan(campaign="by hand again", **rules), people(5)).counts) == {"capped": 5}
        assert taken_once(sandbox, 5)
        other = RvmTemplate(brand_id=BRAND_ID, audio_url="https://localhost/other.mp3", audio_type="mp3")
        assert run(plan(campaign="another text", template=other, **rules), people(5)).asked == 5
        age(ledger, timedelta(hours=20))
        assert run(plan(campaign="tomorrow", **rules), people(5)).asked == 5


class TestLimit:
    def test_four_partitions_at_once_send_exactly_the_limit(
        self, sandbox: SandboxProcess, ledger: Ledger, ledger_url: str, plan: MakePlan, run: RunPlan
    ) -> None:
        workers = [Worker(ledger_url, sandbox, count=1_000, limit=151, partition=f"{n}/4") for n in range(1, 5)]
        assert sum(summary.get("accepted", 0) for summary in at_once(workers)) == 151
        assert taken_once(sandbox, 151)
        again = run(plan(claim_rules=ClaimRules(limit=151)), people(1_000))
        assert again.asked == 0
        assert run(plan(claim_rules=ClaimRules(limit=160)), people(1_000)).asked == 9
        assert taken_once(sandbox, 160)

    def test_a_killed_run_and_its_reruns_together_stay_within_the_limit(
        self, sandbox: SandboxProcess, ledger: Ledger, ledger_url: str, plan: MakePlan, run: RunPlan
    ) -> None:
        sandbox.settings(latency_ms=20)
        worker = Worker(ledger_url, sandbox, count=1_000, limit=200)
        worker.start()
        sandbox.wait_for_asks(50)
        worker.kill()
        sandbox.settings(latency_ms=0)
        with ledger.writing() as connection:  # a minute passes
            connection.execute(RUNS.update().values(heartbeat_at=ledger.born_at - 2 * SILENT_AFTER))
        for _ in range(2):
            summary = run(plan(claim_rules=ClaimRules(limit=200)), people(1_000))
        assert summary.counts["accepted"] + summary.counts.get("unknown", 0) == 200
        assert "over the campaign's limit of 200" in {reason for _state, reason in summary.reasons}
        assert sum(states(ledger).values()) == 200
        assert sandbox.takes()["takes"] <= 200
        assert max(sandbox.asks().values()) == 1


class TestBudget:
    def test_four_partitions_at_once_are_never_one_send_over_the_budget(
        self, sandbox: SandboxProcess, ledger: Ledger, ledger_url: str
    ) -> None:
        money = {"budget_micros": 101 * PRICE + PRICE - 1, "price_micros": PRICE}
        workers = [Worker(ledger_url, sandbox, count=1_000, partition=f"{n}/4", **money) for n in range(1, 5)]
        assert sum(summary.get("accepted", 0) for summary in at_once(workers)) == 101
        assert taken_once(sandbox, 101)

    def test_what_was_refused_or_surely_not_taken_costs_nothing(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan
    ) -> None:
        sandbox.fault("invalid_400", times=3)
        sandbox.fault("429", times=2)
        rules = ClaimRules(budget_micros=10 * PRICE, price_micros=PRICE)
        for _ in range(2):
            summary = run(plan(concurrency=1, claim_rules=rules), people(30))
        assert summary.counts["accepted"] == 10
        assert taken_once(sandbox, 10)

    @pytest.mark.parametrize(("cost_usd", "more"), [(0.02, 5), (0.01, 10), (0.004, 13), (0.05, 0)])
    def test_the_real_costs_of_callbacks_count_instead_of_the_price(
        self,
        sandbox: SandboxProcess,
        plan: MakePlan,
        run: RunPlan,
        ledger: Ledger,
        cost_usd: float,
        more: int,
    ) -> None:
        rules = ClaimRules(budget_micros=15 * PRICE, price_micros=PRICE)
        run(plan(claim_rules=rules), people(5))
        call_back(ledger, status="success", product_cost=cost_usd)
        assert run(plan(claim_rules=rules), people(30)).asked == more
        assert taken_once(sandbox, 5 + more)


class TestDryRun:
    def test_a_dry_run_of_a_new_campaign_knows_caps_and_lists_of_the_ledger(
        self, plan: MakePlan, run: RunPlan, ledger: Ledger
    ) -> None:
        run(plan(campaign="monday"), people(5))
        suppress(ledger, [Phone("+15042000007")], source="test")
        seen = preview_campaign(
            plan(campaign="tuesday", claim_rules=ClaimRules(caps=((1, DAY),))), ledger, rows=people(10)
        )
        assert dict(seen.counts) == {"capped": 5, "suppressed": 1, "ready": 4}

    def test_a_dry_run_counts_the_limit_over_all_its_batches(
        self, plan: MakePlan, run: RunPlan, ledger: Ledger
    ) -> None:
        limited = plan(claim_rules=ClaimRules(limit=700))
        expected = {"held": 500, "ready": 700}
        assert dict(preview_campaign(limited, None, rows=people(1_200)).counts) == expected
        assert dict(preview_campaign(limited, ledger, rows=people(1_200)).counts) == expected
        assert dict(run(limited, people(5)).counts) == {"accepted": 5}
        assert dict(preview_campaign(limited, ledger, rows=people(1_205)).counts) == {
            "held": 505,
            "accepted": 5,
            "ready": 695,
        }

    @pytest.mark.parametrize("rules", [ClaimRules(limit=70), ClaimRules(budget_micros=70 * PRICE, price_micros=PRICE)])
    def test_a_dry_run_and_the_run_count_every_row_alike(
        self, plan: MakePlan, run: RunPlan, ledger: Ledger, rules: ClaimRules
    ) -> None:
        # numbers come twice: beside each other, far apart, below the limit and above it
        rows = [*people(300), *({**row, "id": f"again {row['id']}"} for row in people(300)), {"id": 9, "phone": "x"}]
        random.Random(0).shuffle(rows)
        limited = plan(claim_rules=rules)
        foreseen = preview_campaign(limited, ledger, rows=rows)
        summary = run(limited, rows)
        assert dict(foreseen.counts) == {"ready": 70, "invalid": 1, "duplicate": 300, "held": 230}
        assert dict(summary.counts) == {"accepted": 70, "invalid": 1, "duplicate": 300, "held": 230}
        assert summary.read == foreseen.read == len(rows)

    def test_a_dry_run_tells_of_every_row_once(self, plan: MakePlan, run: RunPlan, ledger: Ledger) -> None:
        run(plan(), people(3))
        rows: list[dict[str, object]] = [*people(6), {"id": 5, "phone": "+15042000099"}, {"id": 9, "phone": "12"}]
        told: list[JudgedRow] = []
        seen = preview_campaign(plan(claim_rules=ClaimRules(limit=4)), ledger, rows=rows, observe=told.append)
        assert len(told) == seen.read == len(rows)
        counts = Counter(row.state.value for row in told)
        assert counts == dict(seen.counts) == {"accepted": 3, "ready": 1, "held": 2, "duplicate": 1, "invalid": 1}
        assert "+1504" not in repr(told)


def test_a_row_that_is_lost_on_its_way_fails_the_run(
    plan: MakePlan, run: RunPlan, monkeypatch: pytest.MonkeyPatch
) -> None:
    def losing(
        ledger: Ledger, at_run: Run, *, candidates: Sequence[Candidate], **named: Any
    ) -> tuple[Judgement, Deadline]:
        rest = [each for each in candidates if each.message.contact_key != "7"]
        return claim_patiently(ledger, at_run, candidates=rest, **named)

    monkeypatch.setattr(claiming, "claim_patiently", losing)
    with pytest.raises(BalanceError, match="10 rows were read, and 9 are counted"):
        run(plan(), people(10))


def call_back(ledger: Ledger, **fields: Any) -> None:
    """The vendor tells of every send that was accepted."""
    with ledger.reading() as connection:
        sends = connection.execute(sa.select(SENDS.c.foreign_id, SENDS.c.phone_number)).all()
    for send in sends:
        content = {"foreign_id": send.foreign_id, "drop_id": send.foreign_id, "phone_number": send.phone_number}
        payload = json.dumps(content | fields)
        reconcile(ledger, [Received(send.foreign_id, 1, read_callback(payload.encode()), payload)])
