"""Evidence about a ledger, and what it means for the run that is to begin: a line of the table a test."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_dropcowboy.ledger.health import REFUSALS, Evidence, Refusal, refusal_of
from airflow_provider_dropcowboy.ledger.runs import Who

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
TASK = Who(dag_id="daily", task_id="send", run_id="scheduled__1", try_number=1, due_at=NOW)
RETRY = replace(TASK, try_number=2)
COMMAND = Who(task_id="dropcowboy send rvm")


def evidence(
    who: Who = TASK, *, restored: datetime | None = None, created: datetime | None = None, **more: object
) -> Evidence:
    """A ledger that began a day ago; the campaign is new to it."""
    facts = {"ledger_id": "here", "born_at": NOW - 24 * HOUR, "at": NOW, "restored_at": restored, "created_at": created}
    return Evidence(who=who, **(facts | more))  # type: ignore[arg-type]  # by name


@pytest.mark.parametrize(
    ("refusal", "of"),
    [
        (None, evidence()),
        (None, evidence(COMMAND)),
        (None, evidence(RETRY, created=NOW)),
        # clocks, whoever adopted
        (Refusal.CLOCKS_DIFFER, evidence(clock_skew=timedelta(seconds=31), created=NOW, adopted_at=NOW)),
        (Refusal.CLOCKS_DIFFER, evidence(clock_skew=timedelta(seconds=-31))),
        (None, evidence(clock_skew=timedelta(seconds=29))),
        # the task remembers
        (Refusal.OTHER_LEDGER, evidence(replace(TASK, earlier_ledger="other"))),
        (
            Refusal.OTHER_LEDGER,
            evidence(replace(RETRY, earlier_ledger="other"), created=NOW - HOUR, born_at=NOW - HOUR),
        ),
        (None, evidence(replace(RETRY, earlier_ledger="here"), created=NOW - HOUR)),
        (None, evidence(replace(RETRY, earlier_ledger=""))),
        (None, evidence(replace(TASK, earlier_ledger="other"), created=NOW - HOUR, adopted_at=NOW)),
        # its DAG run remembers
        (Refusal.OTHER_LEDGER_IN_DAG_RUN, evidence(replace(TASK, sibling_ledgers=frozenset({"here", "other"})))),
        (None, evidence(replace(TASK, sibling_ledgers=frozenset({"here"})), created=NOW)),
        # earlier runs of its own
        (Refusal.EARLIER_RUNS_MISSING, evidence(is_forgotten=True)),
        (None, evidence(is_forgotten=True, created=NOW, adopted_at=NOW)),
        # a retry on a ledger that is younger than its run
        (Refusal.YOUNGER_THAN_RUN, evidence(replace(RETRY, due_at=NOW - 25 * HOUR))),
        (None, evidence(replace(TASK, due_at=NOW - 25 * HOUR))),
        (None, evidence(replace(RETRY, due_at=NOW - 25 * HOUR, earlier_ledger=""))),
        (None, evidence(replace(RETRY, due_at=NOW - 25 * HOUR), created=NOW)),
        # a restore
        (Refusal.RESTORED_SINCE_DUE, evidence(replace(TASK, due_at=NOW - 2 * HOUR), restored=NOW - HOUR)),
        (None, evidence(restored=NOW - HOUR)),
        (None, evidence(restored=NOW - HOUR, created=NOW)),
        (Refusal.RESTORED_SINCE_CREATED, evidence(restored=NOW - HOUR, created=NOW - 2 * HOUR)),
        (Refusal.RESTORED_SINCE_CREATED, evidence(COMMAND, restored=NOW - HOUR, created=NOW - 2 * HOUR)),
        (
            Refusal.RESTORED_SINCE_CREATED,
            evidence(restored=NOW - HOUR, created=NOW - 3 * HOUR, adopted_at=NOW - 2 * HOUR),
        ),
        (None, evidence(COMMAND, restored=NOW - HOUR, created=NOW - 2 * HOUR, adopted_at=NOW)),
        (Refusal.RESTORED_AND_UNKNOWN, evidence(COMMAND, restored=NOW - HOUR)),
        (None, evidence(COMMAND, restored=NOW - timedelta(days=30))),
        (Refusal.RESTORED_AND_UNKNOWN, evidence(restored=NOW - HOUR, has_results=True)),
        (None, evidence(has_results=True)),
    ],
)
def test_a_run_begins_only_where_the_ledger_can_know_every_send(refusal: Refusal | None, of: Evidence) -> None:
    assert refusal_of(of) is refusal


def test_every_refusal_is_in_the_table() -> None:
    assert {refusal for refusal, _applies in REFUSALS} == set(Refusal)
