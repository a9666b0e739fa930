"""Claims and outcomes over a database whose answers get lost."""

import itertools
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.api.wire import Outcome, SendOutcome
from airflow_provider_dropcowboy.errors import LedgerError
from airflow_provider_dropcowboy.ledger import patience
from airflow_provider_dropcowboy.ledger.claims import find_claims, new_claim_id, record_and_claim
from airflow_provider_dropcowboy.ledger.judgement import NO_RULES
from airflow_provider_dropcowboy.ledger.outcomes import Answered
from airflow_provider_dropcowboy.ledger.patience import (
    begin_patiently,
    bind_patiently,
    claim_patiently,
    reclaim_patiently,
    record_patiently,
)
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, RUNS
from airflow_provider_dropcowboy.screening.screen import Candidate
from airflow_provider_dropcowboy.states import LEASE, State
from tests.clock import BriskClock, FrozenClock
from tests.integration.ledger.conftest import ACCOUNT, Desk, messages

FATES = ("kept", "lost before", "lost after")
"""What becomes of a COMMIT: it is answered; or its answer never comes, and it was carried out or not."""


def people(count: int) -> list[Candidate]:
    return list(map(Candidate, messages(range(count))))


class Commits:
    """The fates of the next commits, one after the other; then all are kept."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, desk: Desk) -> None:
        self._fates: Iterator[str] = iter(())
        dialect = desk.ledger.engine.dialect
        really_commit = dialect.do_commit

        def commit(connection: Any) -> None:
            fate = next(self._fates, "kept")
            if fate == "lost before":
                connection.rollback()
            else:
                really_commit(connection)
            if fate != "kept":
                assert dialect.dbapi is not None
                raise dialect.dbapi.OperationalError("the connection was lost")

        monkeypatch.setattr(dialect, "do_commit", commit)

    def meet(self, fates: Iterable[str]) -> None:
        self._fates = iter(fates)


@pytest.fixture
def commits(monkeypatch: pytest.MonkeyPatch, desk: Desk) -> Commits:
    return Commits(monkeypatch, desk)


BRISK = BriskClock()


def never() -> bool:
    return False


def test_a_claim_whose_commit_got_no_answer_is_found_again_or_made_anew(desk: Desk, commits: Commits) -> None:
    for turn, fates in enumerate(itertools.product(FATES, repeat=3)):
        asked = messages(range(10 * turn, 10 * turn + 5))
        commits.meet(fates)
        judgement, _ = claim_patiently(
            desk.ledger, desk.run, candidates=list(map(Candidate, asked)), give_up=never, clock=BRISK
        )
        commits.meet([])
        claimed = {claim.message.contact_key for claim in judgement.claimed}
        assert (len(judgement.claimed), claimed) == (5, {item.contact_key for item in asked}), fates
        assert (judgement.already, judgement.stopped) == ([], []), fates
        for claim in judgement.claimed:
            row = desk.row(claim.message)
            assert (row.state, row.attempt, row.claim_id) == (State.CLAIMED, claim.attempt, claim.claim_id), fates
            assert claim.attempt == 1, fates


def test_a_campaign_and_a_run_whose_commit_got_no_answer_are_entered_once(desk: Desk, commits: Commits) -> None:
    for turn, fates in enumerate(itertools.product(FATES, repeat=2)):
        name = f"autumn after {fates}"
        commits.meet(fates)
        campaign = bind_patiently(
            desk.ledger, ACCOUNT, name=name, channel=Channel.RVM, prefix=f"{turn:012x}", clock=BRISK
        )
        commits.meet(["kept", *fates])  # the first one is of a transaction that reads the clock
        run = begin_patiently(desk.ledger, campaign, who=Who(task_id="test"), wanted=10, clock=BRISK)
        commits.meet([])
        other = begin_patiently(desk.ledger, campaign, who=Who(task_id="test"), wanted=10, clock=BRISK)
        with desk.ledger.reading() as connection:
            campaigns = connection.execute(sa.select(CAMPAIGNS.c.id).where(CAMPAIGNS.c.name == name)).scalars().all()
            runs = connection.execute(sa.select(RUNS.c.id).where(RUNS.c.campaign_id == campaign.id)).scalars().all()
        assert campaigns == [campaign.id], fates
        assert sorted(runs) == [run.id, other.id], fates


def test_a_further_attempt_whose_commit_got_no_answer_is_found_again_or_made_anew(desk: Desk, commits: Commits) -> None:
    for turn, fates in enumerate(itertools.product(FATES, repeat=3)):
        first = desk.claim(*messages(range(10 * turn, 10 * turn + 5))).claimed
        commits.meet(fates)
        judgement, _ = reclaim_patiently(desk.ledger, desk.run, claims=first, give_up=never, clock=BRISK)
        commits.meet([])
        assert len(judgement.claimed) == 5, fates
        assert judgement.already == [], fates
        for claim in judgement.claimed:
            row = desk.row(claim.message)
            assert (row.state, row.attempt, row.claim_id) == (State.CLAIMED, 2, claim.claim_id), fates


@pytest.mark.parametrize("fate", ["lost before", "lost after"])
def test_an_outcome_whose_commit_got_no_answer_is_written_again(desk: Desk, commits: Commits, fate: str) -> None:
    claims = desk.claim(*messages(range(5))).claimed
    commits.meet([fate, fate])
    answered = [Answered(claim, SendOutcome(Outcome.ACCEPTED)) for claim in claims]
    assert record_patiently(desk.ledger, desk.run, answered=answered, clock=BRISK) == 0
    assert {desk.row(claim.message).state for claim in claims} == {State.ACCEPTED}
    assert desk.history() == []


@pytest.mark.parametrize("fates", list(itertools.product(FATES, repeat=3)))
def test_answers_and_claims_that_share_a_commit_without_answer_are_each_written_once(
    desk: Desk, commits: Commits, fates: tuple[str, ...]
) -> None:
    claims = desk.claim(*messages(range(5))).claimed
    answered = [Answered(claim, SendOutcome(Outcome.ACCEPTED)) for claim in claims]
    candidates, claim_id = list(map(Candidate, messages(range(5, 10)))), new_claim_id()
    commits.meet(fates)
    try:
        conflicts, judgement = record_and_claim(
            desk.ledger,
            desk.run,
            answered=answered,
            candidates=candidates,
            claim_id=claim_id,
            rules=NO_RULES,
            met={},
        )
    except LedgerError:
        assert fates[0] != "kept"
        conflicts = record_patiently(desk.ledger, desk.run, answered=answered, clock=BRISK)
        judgement, _ = claim_patiently(
            desk.ledger, desk.run, candidates=candidates, give_up=never, clock=BRISK, uncertain=claim_id
        )
    commits.meet([])
    assert (conflicts, desk.history()) == (0, [])
    assert {desk.row(claim.message).state for claim in claims} == {State.ACCEPTED}
    assert [claim.message.contact_key for claim in judgement.claimed] == ["5", "6", "7", "8", "9"]
    for claim in judgement.claimed:
        row = desk.row(claim.message)
        assert (row.state, row.attempt, row.claim_id) == (State.CLAIMED, 1, claim.claim_id)


def test_answers_are_recorded_although_the_account_is_locked(desk: Desk) -> None:
    claims = desk.claim(*messages(range(5))).claimed
    if desk.ledger.engine.dialect.name == "sqlite":
        return  # one lock for all writers
    answered = [Answered(claim, SendOutcome(Outcome.ACCEPTED)) for claim in claims]
    with desk.ledger.claiming(ACCOUNT):
        with pytest.raises(LedgerError):
            record_and_claim(
                desk.ledger,
                desk.run,
                answered=answered,
                candidates=people(6)[5:],
                claim_id=new_claim_id(),
                rules=NO_RULES,
                met={},
            )
        assert record_patiently(desk.ledger, desk.run, answered=answered, clock=BRISK) == 0
    assert {desk.row(claim.message).state for claim in claims} == {State.ACCEPTED}


def test_what_is_claimed_meanwhile_by_another_run_is_left_to_it(
    desk: Desk, commits: Commits, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = messages(range(5))
    rival = desk.rival()

    def look(*arguments: Any, **named: Any) -> Any:
        rival.claim(*asked[:2])
        return found(*arguments, **named)

    found = find_claims
    monkeypatch.setattr(patience, "find_claims", look)
    commits.meet(["lost before"])
    judgement, _ = claim_patiently(
        desk.ledger, desk.run, candidates=list(map(Candidate, asked)), give_up=never, clock=BRISK
    )
    assert [claim.message.contact_key for claim in judgement.claimed] == ["2", "3", "4"]
    assert [row.message.contact_key for row in judgement.already] == ["0", "1"]


def test_a_run_that_is_to_stop_does_not_ask_the_ledger_again(desk: Desk, commits: Commits) -> None:
    commits.meet(["lost before"])
    with pytest.raises(LedgerError):
        claim_patiently(desk.ledger, desk.run, candidates=people(5), give_up=lambda: True)


def test_a_lease_counts_from_before_the_first_try(desk: Desk, commits: Commits) -> None:
    clock = FrozenClock()
    expected = clock.deadline(LEASE)

    def pass_time() -> bool:
        clock.suspend(timedelta(minutes=1))
        return False

    commits.meet(["lost after", "lost before"])
    _, lease_ends = claim_patiently(desk.ledger, desk.run, candidates=people(5), give_up=pass_time, clock=clock)
    assert clock.deadline(LEASE) != expected == lease_ends
