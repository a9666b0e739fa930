"""Waves: each task counts its own rows over all its waves, and nobody vanishes whom the source no longer names."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.campaign.control import Control, Order
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.campaign.summary import Summary
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import InterruptedRunError, NothingAcceptedError
from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger, upgrade_ledger
from airflow_provider_dropcowboy.ledger.judgement import ClaimRules
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.ledger.schema import HELD, RUNS
from tests.clock import BriskClock
from tests.integration.campaign.test_windows import OpenUntil
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.integration.ledger.test_counts import migrate_to
from tests.sandbox_process import SandboxProcess

TASK = Who(dag_id="daily", task_id="send", run_id="scheduled__1", try_number=1, map_index=-1)
TOMORROW = utcnow() + timedelta(days=1)
Wave = Callable[..., Summary]


@pytest.fixture
def wave(plan: MakePlan, run: RunPlan) -> Wave:
    """Runs one wave: before its hours, unless ``is_open``."""

    def run_wave(rows: Any, *earlier: Summary, is_open: bool = False, who: Who = TASK, **changes: Any) -> Summary:
        hours = OpenUntil(utcnow() + timedelta(hours=1)) if is_open else OpenUntil(datetime(2026, 1, 1, tzinfo=UTC))
        run_ids = tuple(summary.run_id for summary in earlier)
        waiting = {"hours": hours, "earlier_runs": run_ids, "waits_until": utcnow() + timedelta(hours=1)}
        return run(plan(who=who, **{**waiting, **changes}), rows)

    return run_wave


def held_rows(ledger: Ledger) -> int:
    """Rows that anybody waits for."""
    with ledger.reading() as connection:
        return connection.execute(sa.select(sa.func.count()).select_from(HELD)).scalar_one()


def counts_kept(ledger: Ledger, summary: Summary) -> dict[str, int]:
    """What the run's row says, of which the page and the report are made."""
    with ledger.reading() as connection:
        return dict(connection.execute(sa.select(RUNS.c.counts).where(RUNS.c.id == summary.run_id)).scalar_one())


def test_mapped_tasks_of_one_campaign_keep_their_own_held_rows(wave: Wave, ledger: Ledger) -> None:
    tasks = [(replace(TASK, map_index=index), people(5, first=10 * index)) for index in range(2)]
    first = [wave(rows, who=who) for who, rows in tasks]
    assert [dict(summary.counts) for summary in first] == [{"held": 5}, {"held": 5}]
    assert held_rows(ledger) == 10
    (who, rows), (other, other_rows) = tasks
    second = wave(rows, first[0], who=who, is_open=True)
    assert (dict(second.counts), second.read) == ({"accepted": 5}, 5)
    assert held_rows(ledger) == 5
    third = wave(other_rows[1:], first[1], who=other, is_open=True)
    assert (dict(third.counts), third.read) == ({"withdrawn": 1, "accepted": 4}, 5)
    assert counts_kept(ledger, third) == dict(third.counts)
    assert held_rows(ledger) == 0


def test_a_row_that_another_task_of_the_campaign_sent_meanwhile_is_not_lost(wave: Wave) -> None:
    first = wave(people(5))
    wave(people(1), is_open=True, who=replace(TASK, task_id="other"))
    second = wave(people(3, first=2), first, is_open=True)
    assert (dict(second.counts), second.read) == ({"withdrawn": 1, "accepted": 4}, 5)


def test_the_rows_of_waves_that_were_killed_withdraw_nobody_from_the_next_try(wave: Wave, ledger: Ledger) -> None:
    wave(people(5))  # and killed while it waited
    retry = replace(TASK, try_number=2)
    first = wave(people(4), who=retry)
    second = wave(people(4), first, who=retry, is_open=True)
    assert (dict(second.counts), second.read) == ({"accepted": 4}, 4)
    assert held_rows(ledger) == 0


def test_claims_that_the_end_of_hours_gave_back_are_withdrawn_if_the_source_drops_them(
    sandbox: SandboxProcess, wave: Wave, ledger: Ledger
) -> None:
    sandbox.settings(latency_ms=200)
    first = wave(people(40), concurrency=2, hours=OpenUntil(utcnow() + timedelta(seconds=1)), waits_until=TOMORROW)
    held = first.counts["held"]
    assert held_rows(ledger) == held > 0
    sandbox.settings(latency_ms=0)
    second = wave(people(10), first, is_open=True)
    sent = max(10, first.counts["accepted"])
    assert (second.read, second.counts["withdrawn"]) == (40, 40 - sent)
    assert counts_kept(ledger, second) == dict(second.counts)


def test_a_limit_counts_every_row_in_each_wave_and_in_the_dry_run_alike(wave: Wave) -> None:
    rules = {"claim_rules": ClaimRules(limit=70)}
    both = [*people(200), *({**row, "phone": "+12125550100"} for row in people(1, first=900))]
    first = wave(both, **rules, is_open=True, waits_until=None)
    assert (dict(first.counts), first.read) == ({"held": 131, "accepted": 70}, 201)
    second = wave(both, first, **rules, is_open=True)
    assert (dict(second.counts), second.read) == ({"held": 131, "accepted": 70}, 201)


def test_a_wave_of_which_nothing_was_accepted_waits_for_the_last_one(
    sandbox: SandboxProcess, wave: Wave, plan: MakePlan
) -> None:
    class Half(OpenUntil):
        def judge(self, e164: str, **where: Any) -> Any:
            hours = OpenUntil(utcnow() + timedelta(hours=1)) if e164 < "+15042000005" else self
            return OpenUntil.judge(hours, e164, **where)

    sandbox.fault("invalid_400", share=1.0)
    first = wave(people(10), hours=Half(datetime(2026, 1, 1, tzinfo=UTC)), waits_until=TOMORROW)
    assert dict(first.counts) == {"held": 5, "rejected": 5}
    with pytest.raises(NothingAcceptedError, match="None of 10 messages was accepted"):
        wave(people(10), first, is_open=True)


def test_a_run_that_was_stopped_counts_the_rows_that_it_decided(plan: MakePlan, ledger: Ledger) -> None:
    control, told = Control(), list[Summary]()

    def rows() -> Any:
        yield from people(50)
        control.stop(Order("told to"))
        yield from people(50, first=50)

    with pytest.raises(InterruptedRunError):
        run_campaign(plan(), ledger, rows=rows(), control=control, tell=told.append, clock=BriskClock())
    (summary,) = told
    assert summary.read == sum(summary.counts.values()) < 100
    assert counts_kept(ledger, summary) == dict(summary.counts)


@pytest.mark.parametrize(("tasks", "kept"), [(1, 3), (2, 0)])
def test_an_upgrade_gives_held_rows_to_the_task_that_waits_and_drops_what_is_nobodys(
    ledger_url: str, tasks: int, kept: int
) -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    engine = sa.create_engine(ledger_url)
    with engine.begin() as connection:
        migrate_to(connection, "0009")
        row = {"campaign_id": 1, "account": "a", "dag_id": "daily", "run_id": "r", "worker": "w", "started_at": at}
        row |= {"heartbeat_at": at, "ended_at": at, "wanted": 1, "connections": 0, "counts": {}, "map_index": -1}
        for index in range(tasks):
            for try_number, opening in ((1, at), (2, None), (2, at)):  # killed while it waited; then two waves
                run = row | {"task_id": f"send{index}", "try_number": try_number, "next_opening_at": opening}
                connection.execute(RUNS.insert().values(run))
        held = sa.text("INSERT INTO dropcowboy_held (campaign_id, scope, foreign_id) VALUES (1, '', :name)")
        connection.execute(held, [{"name": name} for name in "abc"])
    engine.dispose()
    upgrade_ledger(ledger_url)
    upgraded = open_ledger(ledger_url)
    with upgraded.reading() as connection:
        rows = connection.execute(sa.select(HELD)).all()
    upgraded.engine.dispose()
    assert [row.first_run_id for row in rows] == [2] * kept
