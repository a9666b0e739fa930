"""Rows that were sent before: a look counts them, and nothing of them is judged, claimed or sent."""

import random
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from airflow_provider_dropcowboy.campaign import claiming, source
from airflow_provider_dropcowboy.campaign.judge import LOOK_ROWS, Judge
from airflow_provider_dropcowboy.campaign.preview import preview_campaign
from airflow_provider_dropcowboy.campaign.summary import Summary
from airflow_provider_dropcowboy.contacts.contact import ContactColumns
from airflow_provider_dropcowboy.contacts.partition import Partition
from airflow_provider_dropcowboy.errors import LedgerError, NotTakenError
from airflow_provider_dropcowboy.ledger import foresight
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.states import State
from tests.integration.campaign.conftest import states, taken_once
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.sandbox_process import SandboxProcess

Look = Mapping[str, Any]

FILLER: list[dict[str, object]] = [{"id": f"filler {n}", "phone": "12", "name": "x"} for n in range(LOOK_ROWS)]
"""So many rows that the others are in two looks."""


def away(*_: object, **__: object) -> Look:
    raise LedgerError("the database went away for a moment")


def move(ledger: Ledger, state: State, *keys: int) -> None:
    """As if a callback or an answer had."""
    with ledger.writing() as connection:
        which = SENDS.c.contact_key.in_([str(key) for key in keys])
        connection.execute(SENDS.update().where(which).values(state=state.value, reason=f"because {state}"))


def counts(summary: Summary) -> tuple[object, ...]:
    return summary.read, dict(summary.counts), summary.asked, summary.already, dict(summary.reasons)


class TestARunOfSentRows:
    def test_nothing_is_judged_or_claimed(
        self, plan: MakePlan, run: RunPlan, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        run(plan(), people(30))
        judged: list[object] = []
        monkeypatch.setattr(Judge, "judge", lambda _judge, rows: judged.extend(rows))
        monkeypatch.setattr(claiming, "claim_patiently", away)
        again = run(plan(), reversed(people(30)))
        foreseen = preview_campaign(plan(), ledger, rows=people(30))
        assert counts(again) == counts(foreseen) == (30, {"accepted": 30}, 0, 30, {})
        assert judged == []

    def test_a_row_counts_as_sent_although_its_number_or_text_cannot_be_used_now(
        self, plan: MakePlan, run: RunPlan, ledger: Ledger
    ) -> None:
        run(plan(), people(3))
        rows: list[dict[str, object]] = [{**row, "phone": "none"} for row in people(4)]
        again = run(plan(), rows)
        foreseen = preview_campaign(plan(), ledger, rows=rows)
        assert dict(again.counts) == dict(foreseen.counts) == {"accepted": 3, "invalid": 1}

    def test_without_a_key_column_the_number_names_the_row(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan
    ) -> None:
        by_number = plan(columns=ContactColumns())
        run(by_number, people(5))
        rows = [{**row, "phone": f"({str(row['phone'])[2:5]}) {str(row['phone'])[5:]}"} for row in people(6)]
        again = run(by_number, [*rows, {"phone": "none"}])
        assert (dict(again.counts), again.asked) == ({"accepted": 6, "invalid": 1}, 1)
        assert taken_once(sandbox, 6)

    def test_a_key_that_comes_again_is_a_duplicate_whoever_sent_it(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan
    ) -> None:
        run(plan(), people(5))
        again = run(plan(concurrency=2), [*people(10), *people(4), *FILLER, *people(10)])
        counts = {"accepted": 10, "duplicate": 14, "invalid": len(FILLER)}
        assert (dict(again.counts), again.asked) == (counts, 5)
        assert dict(again.reasons) == {
            (State.DUPLICATE, "the same key came before"): 14,
            (State.INVALID, "phone: too short"): len(FILLER),
        }
        assert taken_once(sandbox, 10)


@pytest.mark.parametrize("partition", [None, Partition(1, 2)])
def test_a_look_counts_what_claims_count(
    sandbox: SandboxProcess,
    plan: MakePlan,
    run: RunPlan,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    partition: Partition | None,
) -> None:
    first = people(80)
    first[70:] = [{**row, "id": f"{row['id']:08d}-0000-4000-8000-00000000000A"} for row in first[70:]]
    sandbox.fault("429", to=f"+1504{2_000_040}")
    with pytest.raises(NotTakenError):
        run(plan(), first)
    move(ledger, State.DELIVERED, *range(10))
    move(ledger, State.FAILED, *range(10, 20))
    move(ledger, State.UNKNOWN, *range(20, 30))
    move(ledger, State.REJECTED, *range(30, 35))
    rows: list[dict[str, object]] = [
        *first,
        *({**row, "id": str(row["id"]).upper()} for row in first[40:]),  # the same people in another notation
        *({**row, "id": f"other {row['id']}"} for row in first[:20]),  # other people with their numbers
        {"id": None, "phone": "+15042000099", "name": "x"},
        {"id": "bad", "phone": "12", "name": "x"},
        *FILLER,
    ]
    random.Random(7).shuffle(rows)
    sandbox.clear_faults()
    made = plan(partition=partition)
    before = states(ledger)
    looked = preview_campaign(made, ledger, rows=rows)
    with monkeypatch.context() as without:
        without.setattr(foresight, "find_sends", lambda *_: {})
        assert counts(looked) == counts(preview_campaign(made, ledger, rows=rows))
    assert states(ledger) == before
    ran = run(made, rows)
    expected = Counter(looked.counts)
    expected["accepted"] += expected.pop("ready")
    assert (ran.read, Counter(ran.counts), ran.already) == (looked.read, expected, looked.already)
    again = run(made, rows)
    with monkeypatch.context() as without:
        without.setattr(source, "find_sends", away)
        assert counts(again) == counts(run(made, rows))
    assert again.asked == 0
