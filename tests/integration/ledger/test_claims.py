"""Who will be asked is on disk before anyone is, and nobody twice."""

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.api.wire import Outcome
from airflow_provider_dropcowboy.ledger.claims import claim, find_claims, new_claim_id, reclaim
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.foresight import Foresight
from airflow_provider_dropcowboy.ledger.judgement import Claim
from airflow_provider_dropcowboy.ledger.runs import end_run
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, LEDGER, SENDS
from airflow_provider_dropcowboy.screening.screen import Candidate, Consent, Message, Need, Ruling
from airflow_provider_dropcowboy.states import BINDING, State
from tests.integration.ledger.conftest import Desk, begin, message, messages, stopped

SAME_NUMBER = "another key has the same number"


def keys(claims: list[Claim]) -> list[str]:
    return [claim.message.contact_key for claim in claims]


def test_a_new_message_is_claimed(desk: Desk) -> None:
    asked = message("1")
    judgement = desk.claim(asked, claim_id="c1")
    assert judgement.claimed == [Claim(Candidate(asked), 1, "c1")]
    assert (judgement.already, judgement.stopped, judgement.stop) == ([], [], None)
    row = desk.row(asked)
    assert (row.state, row.attempt, row.claim_id, row.run_id) == ("claimed", 1, "c1", desk.run.id)
    assert (row.phone_number, row.contact_key, row.owns_number) == (asked.phone.e164, "1", True)


def test_a_batch_is_claimed_in_its_order(desk: Desk) -> None:
    assert keys(desk.claim(*messages(range(50))).claimed) == [str(n) for n in range(50)]


@pytest.mark.parametrize("state", sorted(BINDING))
def test_what_was_asked_is_not_claimed_again(desk: Desk, state: State) -> None:
    asked = message("1")
    desk.claim(asked)
    desk.move(asked, state)
    judgement = desk.rival().claim(asked)
    assert judgement.claimed == []
    assert [row.state for row in judgement.already] == [state]


def test_what_was_surely_not_taken_is_claimed_anew_under_the_next_attempt(desk: Desk) -> None:
    asked = message("1")
    desk.record(desk.claim_one(asked), kind=Outcome.RELEASED, reason="HTTP 429")
    rival = desk.rival()
    again = rival.claim_one(asked)
    assert again.attempt == 2
    row = rival.row(asked)
    assert (row.state, row.attempt, row.claim_id, row.run_id) == ("claimed", 2, again.claim_id, rival.run.id)
    assert (row.reason, row.answered_at, row.owns_number) == (None, None, True)


def test_what_was_refused_is_claimed_only_if_it_asks_for_something_else(desk: Desk) -> None:
    first = message("1", text="first text")
    desk.record(desk.claim_one(first), kind=Outcome.REJECTED, reason="Spam detected")
    rival = desk.rival()
    (refused,) = rival.claim(first).already
    assert (refused.state, refused.reason) == (State.REJECTED, "Spam detected")
    assert rival.claim_one(message("1", text="other text")).attempt == 2
    assert rival.row(first).content_digest == message("1", text="other text").content_digest


def test_what_was_refused_for_its_number_is_claimed_once_the_number_is_corrected(desk: Desk) -> None:
    desk.record(desk.claim_one(message("1", number=1)), kind=Outcome.REJECTED, reason="Invalid phone_number")
    rival = desk.rival()
    corrected = message("1", number=2)
    assert rival.claim_one(corrected).attempt == 2
    assert rival.row(corrected).phone_number == corrected.phone.e164


def test_two_keys_with_one_number_are_one_message(desk: Desk) -> None:
    judgement = desk.claim(message("1", number=7), message("2", number=7), message("3", number=8))
    assert keys(judgement.claimed) == ["1", "3"]
    assert stopped(judgement) == {"2": SAME_NUMBER}


def test_a_number_that_an_earlier_batch_asked_is_a_duplicate(desk: Desk) -> None:
    desk.claim(message("1", number=7))
    judgement = desk.rival().claim(message("2", number=7))
    assert (judgement.claimed, stopped(judgement)) == ([], {"2": SAME_NUMBER})


def test_a_row_that_was_asked_wins_over_the_order_in_the_file(desk: Desk) -> None:
    desk.claim(message("2", number=7))
    judgement = desk.rival().claim(message("1", number=7), message("2", number=7))
    assert stopped(judgement) == {"1": SAME_NUMBER}
    assert [row.message.contact_key for row in judgement.already] == ["2"]


@pytest.mark.parametrize("kind", [Outcome.RELEASED, Outcome.REFUSED, Outcome.REJECTED])
def test_a_number_is_free_again_if_it_was_surely_not_called(desk: Desk, kind: Outcome) -> None:
    desk.record(desk.claim_one(message("1", number=7)), kind=kind)
    assert keys(desk.rival().claim(message("2", number=7)).claimed) == ["2"]


def test_a_released_key_does_not_take_a_number_that_another_key_has_by_now(desk: Desk) -> None:
    released = message("1", number=7)
    desk.record(desk.claim_one(released), kind=Outcome.RELEASED)
    desk.claim(message("2", number=7))
    judgement = desk.rival().claim(released)
    assert (judgement.claimed, stopped(judgement)) == ([], {released.contact_key: SAME_NUMBER})


def test_the_same_number_in_another_campaign_is_another_message(desk: Desk, ledger: Ledger) -> None:
    desk.claim(message("1", number=7))
    other = Desk(ledger, begin(ledger, name="summer", prefix="ba9876543210"))
    theirs = message("2", number=7)
    assert keys(other.claim(theirs).claimed) == ["2"]


class TestClaimsOfOtherRuns:
    def test_a_claim_of_a_run_that_lives_counts_as_claimed(self, desk: Desk) -> None:
        asked = message("1")
        desk.claim(asked)
        assert [row.state for row in desk.rival().claim(asked).already] == [State.CLAIMED]

    def test_a_claim_of_a_run_that_fell_silent_counts_as_unknown_and_is_not_rewritten(self, desk: Desk) -> None:
        asked = message("1")
        desk.claim(asked)
        desk.fall_silent()
        judgement = desk.rival().claim(asked)
        assert (judgement.claimed, [row.state for row in judgement.already]) == ([], [State.UNKNOWN])
        assert desk.row(asked).state == State.CLAIMED

    def test_a_claim_of_a_run_that_ended_counts_as_unknown(self, desk: Desk) -> None:
        asked = message("1")
        desk.claim(asked)
        end_run(desk.ledger, desk.run, counts={}, reason=None)
        assert [row.state for row in desk.rival().claim(asked).already] == [State.UNKNOWN]

    def test_what_is_in_doubt_is_asked_once_more_where_the_user_says_so(self, desk: Desk) -> None:
        asked = message("1")
        desk.record(desk.claim_one(asked), kind=Outcome.UNKNOWN)
        with desk.ledger.writing() as connection:
            claimed_at = connection.execute(sa.select(SENDS.c.claimed_at)).scalar_one()
            connection.execute(SENDS.update().values(claimed_at=claimed_at - timedelta(days=3)))
        rival = desk.rival()
        assert rival.claim(asked, resend_after=timedelta(days=4)).claimed == []
        (again,) = rival.claim(asked, resend_after=timedelta(days=2)).claimed
        assert again.attempt == 2
        assert desk.history() == [("resent", "unknown", "claimed")]
        rival.record(again, kind=Outcome.UNKNOWN)
        with desk.ledger.writing() as connection:
            connection.execute(SENDS.update().values(claimed_at=claimed_at - timedelta(days=3)))
        assert desk.rival().claim(asked, resend_after=timedelta(days=2)).claimed == []


class TestPause:
    def test_nobody_of_a_paused_campaign_is_claimed(self, desk: Desk) -> None:
        with desk.ledger.writing() as connection:
            connection.execute(CAMPAIGNS.update().values(paused_at=desk.ledger.born_at))
        judgement = desk.claim(message("1"))
        assert judgement.stop is not None
        assert "dropcowboy resume 'spring'" in judgement.stop
        assert (judgement.claimed, judgement.already, judgement.stopped) == ([], [], [])
        with desk.ledger.reading() as connection:
            assert connection.execute(sa.select(sa.func.count()).select_from(SENDS)).scalar_one() == 0

    def test_a_pause_of_all_campaigns_holds_for_each(self, desk: Desk) -> None:
        claimed = desk.claim_one(message("1"))
        with desk.ledger.writing() as connection:
            connection.execute(LEDGER.update().values(paused_at=desk.ledger.born_at))
        assert "dropcowboy resume --all" in str(desk.claim(message("2")).stop)
        stopped = reclaim(desk.ledger, desk.run, claims=[claimed], claim_id=new_claim_id())
        assert "dropcowboy resume --all" in str(stopped.stop)
        assert desk.row(claimed.message).claim_id == claimed.claim_id


class TestClaimingTheNextAttempt:
    def test_the_consent_of_the_row_counts_for_each_further_request(self, desk: Desk) -> None:
        need = Need((frozenset({Consent.EXPRESS}),), "the law")
        ruling = Ruling(True, None, None, is_banned=False, rule="open: test", needs=(need,))
        consenting = Candidate(message("1"), ruling, consent=frozenset({Consent.EXPRESS}))
        (first,) = claim(desk.ledger, desk.run, candidates=[consenting], claim_id=new_claim_id()).claimed
        again = reclaim(desk.ledger, desk.run, claims=[first], claim_id="next")
        assert again.stopped == []
        assert [(one.message, one.attempt) for one in again.claimed] == [(consenting.message, 2)]

    def test_each_further_request_has_a_claim_of_its_own(self, desk: Desk) -> None:
        claims = desk.claim(*messages(range(3))).claimed
        judgement = reclaim(desk.ledger, desk.run, claims=claims, claim_id="next")
        assert judgement.claimed == [Claim(old.candidate, 2, "next") for old in claims]
        assert judgement.already == []
        assert {(row.attempt, row.claim_id) for row in map(desk.row, messages(range(3)))} == {(2, "next")}

    @pytest.mark.parametrize("state", [State.DELIVERED, State.FAILED, State.RELEASED, State.ACCEPTED])
    def test_who_was_moved_by_a_callback_or_a_person_is_not_asked_again(self, desk: Desk, state: State) -> None:
        claims = desk.claim(message("1"), message("2")).claimed
        desk.move(claims[0].message, state)
        judgement = reclaim(desk.ledger, desk.run, claims=claims, claim_id=new_claim_id())
        assert keys(judgement.claimed) == ["2"]
        assert [(row.message.contact_key, row.state) for row in judgement.already] == [("1", state)]

    def test_who_was_claimed_by_another_run_meanwhile_is_not_asked_again(self, desk: Desk) -> None:
        claimed = desk.claim_one(message("1"))
        desk.move(claimed.message, State.RELEASED)  # a person settled it, wrongly
        rival = desk.rival()
        theirs = rival.claim_one(message("1"))
        judgement = reclaim(desk.ledger, desk.run, claims=[claimed], claim_id=new_claim_id())
        assert (judgement.claimed, [row.state for row in judgement.already]) == ([], [State.CLAIMED])
        assert desk.row(claimed.message).claim_id == theirs.claim_id


class TestClaimsFoundAgain:
    def test_a_batch_is_found_by_its_claim_id(self, desk: Desk) -> None:
        asked = messages(range(5))
        claims = desk.claim(*asked, claim_id="lost").claimed
        assert find_claims(desk.ledger, desk.run, candidates=list(map(Candidate, asked)), claim_id="lost") == claims

    def test_a_batch_that_is_not_on_disk_is_not_found(self, desk: Desk) -> None:
        asked = messages(range(5))
        desk.rival().claim(*asked[:2])
        assert find_claims(desk.ledger, desk.run, candidates=list(map(Candidate, asked)), claim_id="lost") == []

    def test_one_that_a_callback_settled_meanwhile_is_not_found(self, desk: Desk) -> None:
        asked = messages(range(3))
        desk.claim(*asked, claim_id="lost")
        desk.move(asked[1], State.DELIVERED)
        assert keys(find_claims(desk.ledger, desk.run, candidates=list(map(Candidate, asked)), claim_id="lost")) == [
            "0",
            "2",
        ]


class TestPreview:
    def test_a_preview_says_what_a_claim_would_and_writes_nothing(self, desk: Desk) -> None:
        accepted, released, refused, dup = message("1"), message("2"), message("3"), message("5", number=4)
        desk.record(desk.claim_one(accepted), kind=Outcome.ACCEPTED)
        desk.record(desk.claim_one(released), kind=Outcome.RELEASED)
        desk.record(desk.claim_one(refused), kind=Outcome.REJECTED)
        batch: list[Message] = [accepted, released, refused, message("4"), dup]
        campaign = desk.run.campaign
        foresight = Foresight(desk.ledger, campaign.account, name=campaign.name, channel=campaign.channel)
        seen, ready = foresight.screen(list(map(Candidate, batch)))
        before = [desk.row(item) for item in (accepted, released, refused)]
        said = desk.claim(*batch)
        assert [candidate.message for candidate in ready] == [item.message for item in said.claimed]
        assert (seen.already, seen.stopped) == (said.already, said.stopped)
        assert keys(said.claimed) == ["2", "4"]
        assert [row.state for row in before] == ["accepted", "released", "rejected"]


def test_the_number_is_looked_up_by_its_index(desk: Desk) -> None:
    asked = messages(range(500))
    desk.claim(*asked)
    on_postgresql = desk.ledger.engine.dialect.name == "postgresql"
    lines: list[str] = []

    def explain(
        connection: sa.Connection, cursor: Any, statement: str, parameters: Any, _context: object, _many: bool
    ) -> None:
        if "owns_number" in statement and statement.startswith("SELECT"):
            looking = connection.connection.cursor()
            looking.execute(("EXPLAIN " if on_postgresql else "EXPLAIN QUERY PLAN ") + statement, parameters)
            lines.extend(str(row) for row in looking.fetchall())

    with desk.ledger.writing() as connection:
        connection.exec_driver_sql("ANALYZE")
    sa.event.listen(desk.ledger.engine, "before_cursor_execute", explain)
    desk.claim(asked[0])
    assert any("dropcowboy_sends_number" in line for line in lines), lines


def test_a_batch_is_claimed_and_recorded_in_few_statements(desk: Desk) -> None:
    statements: list[str] = []
    sa.event.listen(desk.ledger.engine, "before_cursor_execute", lambda *event: statements.append(event[2]))
    claimed = desk.claim(*messages(range(100))).claimed
    assert len(statements) == 6  # with BEGIN, which takes PostgreSQL's lock too; COMMIT is not among them
    statements.clear()
    desk.record(*claimed, kind=Outcome.ACCEPTED)
    assert len(statements) == 2
