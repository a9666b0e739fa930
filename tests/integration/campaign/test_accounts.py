"""Every row is in one count, a dry run counts the same, and no log says who anybody is."""

import logging
from dataclasses import replace

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.campaign.messages import SmsTemplate
from airflow_provider_dropcowboy.campaign.preview import preview_campaign
from airflow_provider_dropcowboy.contacts.contact import Template
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.schema import METADATA
from airflow_provider_dropcowboy.sandbox.catalog import POOL_ID
from airflow_provider_dropcowboy.states import State
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.sandbox_process import SandboxProcess

TEXT = SmsTemplate(caller_id="+15045550199", pool_id=POOL_ID, sms_body=Template.parse("Hi {name}, the vet comes"))


DIRTY: list[dict[str, object]] = [
    *people(20),
    {"id": 3, "phone": "+15042999999", "name": "again"},  # the key came before
    {"id": 100, "phone": "+15042000004", "name": "other key"},  # the number came before
    {"id": 101, "phone": "12", "name": "short"},
    {"id": None, "phone": "+15042000102", "name": "nobody"},
    {"id": 103, "phone": "+15042000103", "name": None},
    {"id": 104, "phone": None, "name": "no phone"},
    {"id": "105", "phone": "(504) 200-0105", "name": "x" * 200},
]


class TestAccounts:
    def test_every_row_is_in_one_count(self, plan: MakePlan, run: RunPlan) -> None:
        summary = run(plan(template=TEXT), DIRTY)
        assert summary.read == len(DIRTY) == sum(summary.counts.values())
        assert dict(summary.counts) == {"invalid": 5, "duplicate": 2, "accepted": 20}
        assert {reason for (state, reason) in summary.reasons if state is State.INVALID} == {
            "phone: too short",
            "phone: empty",
            "key: empty",
            "no value for {name}",
            "text: longer than 160 characters with the row's values",
        }

    def test_only_a_clear_yes_is_a_consent(self, plan: MakePlan, run: RunPlan) -> None:
        answers: list[object] = [True, "yes", 1, None, "", "no", "maybe", 0]
        rows = [row | {"Consent": answer} for row, answer in zip(people(8), answers, strict=True)]
        summary = run(plan(opt_in_column="consent"), rows)
        assert dict(summary.counts) == {"suppressed": 5, "accepted": 3}

    def test_an_empty_source_is_a_run_of_nobody(self, plan: MakePlan, run: RunPlan) -> None:
        assert run(plan(), []).as_dict()["read"] == 0

    def test_a_dry_run_counts_what_a_run_would_and_writes_nothing(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
    ) -> None:
        texts = plan(template=TEXT)
        run(texts, people(5))
        before = everything(ledger)
        seen = preview_campaign(replace(texts, is_dry_run=True), ledger, rows=DIRTY)
        assert everything(ledger) == before
        assert sandbox.stats()["asks"] == 5
        done = run(texts, DIRTY)
        counts = dict(seen.counts)
        counts["accepted"] = counts.get("accepted", 0) + counts.pop("ready")
        assert counts == dict(done.counts)
        assert (seen.read, seen.already, seen.asked) == (done.read, done.already, 0)

    def test_a_dry_run_without_a_ledger_needs_none(self, plan: MakePlan, sandbox: SandboxProcess) -> None:
        seen = preview_campaign(plan(template=TEXT, is_dry_run=True), None, rows=DIRTY)
        assert dict(seen.counts) == {"ready": 20, "invalid": 5, "duplicate": 2}
        assert sandbox.stats()["asks"] == 0


def everything(ledger: Ledger) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table of the ledger."""
    with ledger.reading() as connection:
        return {
            table.name: sorted((tuple(row) for row in connection.execute(sa.select(table))), key=repr)
            for table in METADATA.sorted_tables
        }


def test_no_log_at_any_level_holds_a_number_a_text_or_a_secret(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.fault("lose_answer", times=1)
    sandbox.fault("429", times=2)
    sandbox.fault("invalid_400", times=1)
    with caplog.at_level(logging.DEBUG):
        run(plan(template=TEXT), DIRTY)
    assert "campaign spring" in caplog.text
    said = caplog.text + "".join(str(record.__dict__) for record in caplog.records)
    for kept in (sandbox.secret, "Zoë", "the vet comes", "5042000", "504200-", "15045550199"):
        assert kept not in said
