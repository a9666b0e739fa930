"""Runs that lose their ledger for a while, and what moves in it meanwhile."""

import random
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_dropcowboy.campaign import claiming
from airflow_provider_dropcowboy.campaign.control import Control, Order
from airflow_provider_dropcowboy.campaign.run import run_campaign
from airflow_provider_dropcowboy.clock import Deadline
from airflow_provider_dropcowboy.errors import InterruptedRunError, LedgerError, LedgerReplacedError, NotTakenError
from airflow_provider_dropcowboy.ledger import patience
from airflow_provider_dropcowboy.ledger.claims import claim as real_claim
from airflow_provider_dropcowboy.ledger.claims import record_and_claim
from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from airflow_provider_dropcowboy.ledger.judgement import Claim, Judgement
from airflow_provider_dropcowboy.ledger.patience import CLAIM_PATIENCE_S, reclaim_patiently
from airflow_provider_dropcowboy.ledger.runs import Run
from airflow_provider_dropcowboy.ledger.schema import RUNS, SENDS
from airflow_provider_dropcowboy.states import State
from tests.clock import BriskClock
from tests.integration.campaign.conftest import states, taken_once
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.sandbox_process import SandboxProcess


@pytest.mark.parametrize("seed", range(3))
def test_a_ledger_that_loses_answers_costs_nobody_a_call(
    sandbox: SandboxProcess,
    plan: MakePlan,
    run: RunPlan,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    seed: int,
) -> None:
    sandbox.fault("429", share=0.2, times=20)
    dice = random.Random(seed)
    really_commit = ledger.engine.dialect.do_commit

    def commit(connection: Any) -> None:
        """One in five answers is lost, before or after the commit."""
        fate = dice.random()
        if fate < 0.1:
            connection.rollback()
        else:
            really_commit(connection)
        if fate < 0.2:
            assert ledger.engine.dialect.dbapi is not None
            raise ledger.engine.dialect.dbapi.OperationalError("the connection was lost")

    run(plan(), [])
    monkeypatch.setattr(ledger.engine.dialect, "do_commit", commit)
    attempts = 0
    while True:
        try:
            summary = run(plan(), people(300))
            break
        except (LedgerError, NotTakenError):  # the start or the end of the run met it, which are not asked again
            attempts += 1
            assert attempts < 50
    monkeypatch.undo()
    summary = run(plan(), people(300))
    assert dict(summary.counts) == {"accepted": 300}
    assert taken_once(sandbox, 300)


def test_a_claim_that_nobody_confirmed_is_not_sent_and_the_run_says_that_the_ledger_was_away(
    sandbox: SandboxProcess,
    plan: MakePlan,
    run: RunPlan,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    clock = BriskClock()

    def lost(*arguments: Any, **named: Any) -> Judgement:
        real_claim(*arguments, **named)
        clock.let_pass(timedelta(seconds=CLAIM_PATIENCE_S))
        raise LedgerError("the answer to the COMMIT was lost")

    monkeypatch.setattr(patience, "claim", lost)
    with pytest.raises(LedgerError, match="COMMIT"):
        run(plan(), people(30), clock=clock)
    assert sandbox.takes()["asks"] == 0
    monkeypatch.undo()
    summary = run(plan(), people(30))
    assert dict(summary.counts) == {"unknown": 10, "accepted": 20}


@pytest.mark.parametrize("is_carried_out", [True, False])
def test_answers_and_claims_whose_common_commit_fails_each_time_are_settled_apart(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, monkeypatch: pytest.MonkeyPatch, is_carried_out: bool
) -> None:
    failed: list[int] = []

    def lost(*arguments: Any, **named: Any) -> Judgement:
        failed.append(len(named["candidates"]))
        if is_carried_out:
            record_and_claim(*arguments, **named)
        raise LedgerError("the answer to the COMMIT was lost")

    sandbox.fault("429", times=5)
    monkeypatch.setattr(claiming, "record_and_claim", lost)
    summary = run(plan(), people(300))
    assert failed
    assert dict(summary.counts) == {"accepted": 300}
    assert taken_once(sandbox, 300)


@pytest.mark.parametrize("is_carried_out", [True, False])
def test_a_common_commit_that_nobody_confirmed_sends_nothing_of_its_claims(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, monkeypatch: pytest.MonkeyPatch, is_carried_out: bool
) -> None:
    clock = BriskClock()

    def lost(*arguments: Any, **named: Any) -> Judgement:
        if is_carried_out:
            record_and_claim(*arguments, **named)
        monkeypatch.setattr(patience, "find_claims", away)
        raise LedgerError("the answer to the COMMIT was lost")

    def away(*_arguments: Any, **_named: Any) -> list[Claim]:
        clock.let_pass(timedelta(seconds=CLAIM_PATIENCE_S))
        raise LedgerError("the database is away")

    monkeypatch.setattr(claiming, "record_and_claim", lost)
    with pytest.raises(LedgerError, match="away"):
        run(plan(), people(300), clock=clock)
    contacted = sandbox.takes()["takes"]
    assert 0 < contacted < 300
    monkeypatch.undo()
    summary = run(plan(), people(300))
    assert summary.counts["accepted"] + summary.counts.get("unknown", 0) == 300
    assert summary.counts.get("unknown", 0) == (300 - sandbox.takes()["takes"])
    assert bool(summary.counts.get("unknown", 0)) == is_carried_out
    assert taken_once(sandbox, sandbox.takes()["takes"])


@pytest.mark.parametrize("is_carried_out", [True, False])
def test_a_stop_while_the_answer_to_a_common_commit_is_lost_leaves_nobody_in_doubt(
    sandbox: SandboxProcess,
    plan: MakePlan,
    run: RunPlan,
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    is_carried_out: bool,
) -> None:
    control = Control()

    def lost(*arguments: Any, **named: Any) -> Judgement:
        if is_carried_out:
            record_and_claim(*arguments, **named)
        control.stop(Order("told to", grace_s=30))
        raise LedgerError("the answer to the COMMIT was lost")

    monkeypatch.setattr(claiming, "record_and_claim", lost)
    with pytest.raises(InterruptedRunError, match="told to"):
        run(plan(), people(300), control=control)
    contacted = sandbox.takes()["takes"]
    assert states(ledger)[State.ACCEPTED] == contacted < 300
    assert set(states(ledger)) <= {State.ACCEPTED, State.RELEASED}
    monkeypatch.undo()
    assert dict(run(plan(), people(300)).counts) == {"accepted": 300}
    assert taken_once(sandbox, 300)


def test_a_callback_while_a_message_waits_for_its_next_request_settles_it(
    sandbox: SandboxProcess,
    plan: MakePlan,
    run: RunPlan,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def called_back(ledger: Ledger, run: Run, *, claims: list[Claim], **named: Any) -> tuple[Judgement, Deadline]:
        with ledger.writing() as connection:
            names = [claim.message.foreign_id for claim in claims]
            connection.execute(SENDS.update().where(SENDS.c.foreign_id.in_(names)).values(state="delivered"))
        return reclaim_patiently(ledger, run, claims=claims, **named)

    sandbox.fault("429", times=1)
    monkeypatch.setattr(claiming, "reclaim_patiently", called_back)
    summary = run(plan(), people(10))
    assert dict(summary.counts) == {"accepted": 9, "delivered": 1}
    assert set(sandbox.asks().values()) == {1}


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
def test_a_run_whose_ledger_is_deleted_stops_and_the_same_run_again_calls_nobody_twice(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
) -> None:
    path = Path(str(ledger.engine.url.database))

    def rows() -> Iterator[dict[str, object]]:
        for row in people(1_500):
            if row["id"] == 700:
                path.unlink()
            yield row

    with pytest.raises(LedgerReplacedError, match="was deleted while this process used it"):
        run(plan(), rows())
    contacted = sandbox.takes()["takes"]
    assert 0 < contacted < 1_500
    with pytest.raises(LedgerReplacedError, match=r"Nothing was sent\."):
        open_ledger(ledger.engine.url, may_create=True)
    ledger.engine.dispose()
    (copy,) = path.parent.glob("ledger.db.lost-*")
    for each in path.parent.glob("ledger.db-*"):
        each.unlink()
    copy.replace(path)
    put_back = open_ledger(ledger.engine.url, may_create=True)
    summary = run_campaign(plan(), put_back, rows=people(1_500), control=Control(), clock=BriskClock())
    put_back.engine.dispose()
    # those whose answers came after the loss stay claimed, by a run that may still live
    assert set(summary.counts) <= {"accepted", "claimed"}
    assert summary.counts.get("claimed", 0) <= 30
    assert taken_once(sandbox, sandbox.takes()["takes"])


def test_a_run_that_its_ledger_does_not_know_any_more_stops(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
) -> None:
    def rows() -> Iterator[dict[str, object]]:
        for row in people(1_500):
            if row["id"] == 700:
                with ledger.writing() as connection:  # as in a database that was restored to before this run
                    connection.execute(RUNS.delete())
            yield row

    with pytest.raises(LedgerReplacedError, match="does not know this run any more"):
        run(plan(), rows())
    assert sandbox.takes()["takes"] < 1_500
