"""A campaign from its rows to its records, against the sandbox and on both databases."""

import logging
import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.campaign.compose import RvmTemplate, SmsTemplate
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.contacts.text import Template
from airflow_provider_dropcowboy.errors import (
    AuthenticationError,
    BalanceError,
    DropCowboyError,
    NothingAcceptedError,
    NothingSentError,
    NotTakenError,
    SourceError,
    VendorDownError,
)
from airflow_provider_dropcowboy.ledger.counts import count_campaign
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.judgement import ClaimRules
from airflow_provider_dropcowboy.ledger.runs import find_campaign
from airflow_provider_dropcowboy.ledger.schema import METADATA, RUNS, SENDS
from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID, POOL_ID, RECORDING_ID, SECOND_RECORDING_ID
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.states import State
from tests.integration.campaign.conftest import states, taken_once, wait_until
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.sandbox_process import SandboxProcess

TEXT = SmsTemplate(caller_id="+15045550199", pool_id=POOL_ID, sms_body=Template.parse("Hi {name}, the vet comes"))

A_DAY: Final = timedelta(days=1)


def history(ledger: Ledger) -> int:
    """How many things out of the ordinary the ledger has seen."""
    with ledger.reading() as connection:
        return int(
            connection.execute(
                sa.select(sa.func.count()).select_from(METADATA.tables["dropcowboy_history"])
            ).scalar_one()
        )


def test_every_row_is_asked_for_once_however_often_it_runs(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
) -> None:
    first = run(plan(), people(500))
    assert (first.read, dict(first.counts), first.asked, first.already) == (500, {"accepted": 500}, 500, 0)
    second = run(plan(), reversed(people(500)))
    assert (second.read, dict(second.counts), second.asked, second.already) == (500, {"accepted": 500}, 0, 500)
    assert set(sandbox.asks().values()) == {1}
    assert taken_once(sandbox, 500)
    assert states(ledger) == {State.ACCEPTED: 500}


def test_a_text_reaches_each_person_with_their_own_words(sandbox: SandboxProcess, plan: MakePlan, run: RunPlan) -> None:
    summary = run(plan(template=TEXT), people(20))
    assert dict(summary.counts) == {"accepted": 20}
    bodies = [send["first_body"] for send in sandbox.sends().values()]
    assert {body["sms_body"] for body in bodies} == {f"Hi Zoë{n}, the vet comes" for n in range(20)}
    assert all(body["opt_in"] is True for body in bodies)


def test_new_rows_are_asked_and_old_ones_are_not(sandbox: SandboxProcess, plan: MakePlan, run: RunPlan) -> None:
    run(plan(), people(50))
    summary = run(plan(), people(60))
    assert (summary.asked, summary.already, dict(summary.counts)) == (10, 50, {"accepted": 60})
    assert taken_once(sandbox, 60)


@pytest.mark.parametrize("concurrency", [1, 20])
def test_no_more_requests_are_under_way_than_the_plan_allows(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, concurrency: int
) -> None:
    sandbox.settings(latency_ms=5)
    run(plan(concurrency=concurrency), people(100))
    assert 1 <= sandbox.stats()["max_in_flight"] <= concurrency


class TestDoubt:
    @pytest.mark.parametrize(
        "fault",
        ["lose_answer", "drop_request", "reset_after", "reset_before", "truncated_after", "500_after", "500_before",
         "502_after", "503_before", "503_retry_after_before", "504_after", "timeout_408", "conflict", "odd_json_after",
         "html_200_after", "html_200_before", "redirect_302", "redirect_307"],
    )  # fmt: skip
    def test_what_may_have_been_taken_is_never_asked_again(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger, fault: str
    ) -> None:
        sandbox.fault(fault, times=3)
        first = run(plan(), people(30))
        assert dict(first.counts) == {"accepted": 27, "unknown": 3}
        sandbox.clear_faults()
        second = run(plan(), people(30))
        assert (dict(second.counts), second.asked) == ({"accepted": 27, "unknown": 3}, 0)
        assert set(sandbox.asks().values()) == {1}
        assert sandbox.stats()["trap"]["requests"] == 0
        assert history(ledger) == 0

    def test_a_vendor_that_accepts_in_other_words_is_believed_and_named_once(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, caplog: pytest.LogCaptureFixture
    ) -> None:
        sandbox.fault("other_words_after")
        assert dict(run(plan(), people(30)).counts) == {"accepted": 30}
        assert taken_once(sandbox, 30)
        (warning,) = [record.getMessage() for record in caplog.records if "other words" in record.getMessage()]
        assert "HTTP 200 {success}" in warning

    def test_a_vendor_that_is_down_puts_few_in_doubt(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan
    ) -> None:
        sandbox.fault("503_after")
        with pytest.raises(VendorDownError):
            run(plan(), people(500))
        assert sandbox.stats()["asks"] <= 20 + 2 * 10
        assert max(sandbox.asks().values()) == 1


class TestSurelyNotTaken:
    @pytest.mark.parametrize("fault", ["429", "429_seconds"])
    def test_who_met_a_limit_is_asked_again_and_accepted(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger, fault: str
    ) -> None:
        sandbox.fault(fault, times=10, **({} if fault == "429" else {"delay_s": 0}))
        summary = run(plan(), people(30))
        assert (dict(summary.counts), summary.asked) == ({"accepted": 30}, 30)
        assert taken_once(sandbox, 30)
        asks = sandbox.asks()
        assert sum(asks.values()) == 40
        with ledger.reading() as connection:
            rows = connection.execute(sa.select(SENDS.c.foreign_id, SENDS.c.attempt)).all()
        assert {row.foreign_id: row.attempt for row in rows} == asks  # each request had an attempt of its own

    def test_who_met_only_limits_is_released_and_the_next_run_asks(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
    ) -> None:
        sandbox.fault("429", to=f"+1504{2_000_003}")
        with pytest.raises(NotTakenError, match="1 of 10 messages were not accepted"):
            run(plan(), people(10))
        assert states(ledger) == {State.ACCEPTED: 9, State.RELEASED: 1}
        sandbox.clear_faults()
        summary = run(plan(), people(10))
        assert (dict(summary.counts), summary.asked, summary.already) == ({"accepted": 10}, 1, 9)
        assert taken_once(sandbox, 10)

    def test_a_vendor_that_is_not_there_leaves_nothing_in_doubt(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
    ) -> None:
        nowhere = Account(sandbox.team_id, Secret(sandbox.secret), "http://127.0.0.1:1/v1")
        with pytest.raises(VendorDownError):
            run(plan(account=nowhere), people(100))
        assert set(states(ledger)) <= {State.RELEASED}


class TestRefusals:
    def test_wrong_credentials_stop_the_run_at_once_and_leave_nothing_in_doubt(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
    ) -> None:
        wrong = Account(sandbox.team_id, Secret("not-the-secret"), sandbox.base_url)
        with pytest.raises(AuthenticationError, match="HTTP 401"):
            run(plan(account=wrong), people(500))
        assert set(states(ledger)) == {State.RELEASED}
        assert states(ledger)[State.RELEASED] <= 3 * 10
        assert sandbox.stats()["takes"] == 0
        summary = run(plan(), people(500))
        assert (dict(summary.counts), summary.asked) == ({"accepted": 500}, 500)
        assert taken_once(sandbox, 500)

    @pytest.mark.parametrize("fault", ["payment_required", "forbidden", "not_found_html"])
    def test_a_refusal_of_all_requests_alike_stops_the_run(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger, fault: str
    ) -> None:
        sandbox.fault(fault)
        with pytest.raises(AuthenticationError):
            run(plan(), people(100))
        assert set(states(ledger)) == {State.RELEASED}

    def test_a_refused_message_keeps_its_reason_and_is_not_asked_again(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
    ) -> None:
        sandbox.fault("invalid_400", times=5)
        first = run(plan(), people(10))
        assert dict(first.counts) == {"rejected": 5, "accepted": 5}
        assert {state for state, _reason in first.reasons} == {State.REJECTED}
        second = run(plan(), people(10))
        assert (dict(second.counts), second.asked) == (dict(first.counts), 0)
        assert set(sandbox.asks().values()) == {1}

    def test_a_refused_message_is_asked_again_once_its_request_is_another_one(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan
    ) -> None:
        with pytest.raises(NothingAcceptedError):
            run(plan(template=RvmTemplate(brand_id="no-such-brand", recording_id=RECORDING_ID)), people(10))
        summary = run(plan(), people(10))
        assert (dict(summary.counts), summary.asked) == ({"accepted": 10}, 10)
        assert taken_once(sandbox, 10)

    @pytest.mark.parametrize(
        ("faults", "counts"),
        [
            (("invalid_400",), "None of 4 messages was accepted. 4 were rejected"),
            (("lose_answer",), "None of 4 messages was accepted. 4 are in doubt"),
            (("invalid_400", "lose_answer"), "None of 4 messages was accepted. 2 were rejected.*2 are in doubt"),
        ],
    )
    def test_a_run_of_which_nothing_was_accepted_fails_however_small_and_so_does_its_rerun(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, faults: tuple[str, ...], counts: str
    ) -> None:
        for fault in faults:
            sandbox.fault(fault, times=4 // len(faults))
        for _ in range(2):
            with pytest.raises(NothingAcceptedError, match=counts):
                run(plan(concurrency=1), people(4))
        assert set(sandbox.asks().values()) == {1}

    def test_an_accepted_message_is_not_asked_again_with_another_recording(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan
    ) -> None:
        run(plan(), people(10))
        other = plan(template=RvmTemplate(brand_id=BRAND_ID, recording_id=SECOND_RECORDING_ID))
        assert run(other, people(10)).asked == 0
        assert taken_once(sandbox, 10)


class TestSources:
    def test_a_source_that_fails_half_way_ends_the_run_with_its_own_error(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
    ) -> None:
        def rows() -> Iterator[dict[str, object]]:
            yield from people(95)
            raise SourceError("the warehouse went away")

        with pytest.raises(SourceError, match="the warehouse went away"):
            run(plan(), rows())
        asked = sandbox.stats()["takes"]
        assert states(ledger)[State.ACCEPTED] == asked
        assert set(states(ledger)) <= {State.ACCEPTED, State.RELEASED}
        summary = run(plan(), people(100))
        assert (dict(summary.counts), summary.asked) == ({"accepted": 100}, 100 - asked)
        assert taken_once(sandbox, 100)

    def test_a_source_without_the_column_asks_nobody(
        self, sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        with pytest.raises(DropCowboyError, match="no column 'id'"):
            run(plan(), [{"phone": "+15042000001"}])
        assert sandbox.stats()["asks"] == 0
        assert "0 rows read" not in caplog.text, "the error says it"


def test_a_ledger_that_lost_what_it_had_committed_fails_the_run_which_says_so(
    plan: MakePlan, run: RunPlan, ledger: Ledger
) -> None:
    def rows() -> Iterator[dict[str, object]]:
        yield from people(100)
        # less than a batch may wait until the source goes on
        wait_until(lambda: (now := states(ledger)).get(State.ACCEPTED, 0) >= 50 and not now.get(State.CLAIMED))
        with ledger.writing() as connection:
            connection.execute(SENDS.delete())

    with pytest.raises(BalanceError, match="lost what it had committed"):
        run(plan(), rows())
    with ledger.reading() as connection:
        row = connection.execute(sa.select(RUNS)).one()
    assert (row.stop_reason, row.ended_at is not None) == ("failed with BalanceError", True)


def test_a_run_leaves_its_row_ended_with_its_counts(plan: MakePlan, run: RunPlan, ledger: Ledger) -> None:
    run(plan(), people(10))
    with ledger.reading() as connection:
        row = connection.execute(sa.select(RUNS)).one()
    assert (row.counts, row.stop_reason, row.ended_at is not None) == ({"accepted": 10}, None, True)
    campaign = find_campaign(ledger, row.account, name="spring", channel=Channel.RVM)
    assert campaign is not None
    assert count_campaign(ledger, campaign) == {State.ACCEPTED: 10}


UUID_KEY = "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (UUID_KEY, UUID_KEY.replace("-", "")),
        (UUID_KEY.replace("-", ""), UUID_KEY),
        (UUID_KEY.replace("-", "").upper(), UUID_KEY),
        (UUID_KEY.replace("-", ""), UUID_KEY.replace("-", "")),
        ("Zoe\u0308", "Zo\u00eb"),
        ("1.50", 1.5),
    ],
)
@pytest.mark.parametrize("is_of_older_release", [False, True])
def test_a_person_is_sent_to_once_whatever_the_notation_of_the_key(
    plan: MakePlan, run: RunPlan, monkeypatch: pytest.MonkeyPatch, before: str, after: object, is_of_older_release: bool
) -> None:
    with monkeypatch.context() as older:
        if is_of_older_release:  # it named a message by the key as it was written
            older.setattr("airflow_provider_dropcowboy.campaign.identity.same_person", lambda key: key)
            older.setattr("airflow_provider_dropcowboy.campaign.identity.other_notations", lambda _key: ())
        assert run(plan(), [{"id": before, "phone": "+15042000001"}]).asked == 1
    again = run(plan(), [{"id": after, "phone": "+15042000002"}, {"id": before, "phone": "+15042000003"}])
    assert (again.asked, again.already, dict(again.counts)) == (0, 1, {"accepted": 1, "duplicate": 1})


def test_a_message_of_an_older_release_that_was_not_sent_goes_on_under_its_name(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"id": UUID_KEY.replace("-", ""), "phone": "+15042000001"}
    sandbox.fault("invalid_400", share=1.0)
    with monkeypatch.context() as older:
        older.setattr("airflow_provider_dropcowboy.campaign.identity.same_person", lambda key: key)
        older.setattr("airflow_provider_dropcowboy.campaign.identity.other_notations", lambda _key: ())
        with pytest.raises(DropCowboyError):
            run(plan(), [row])
    sandbox.clear_faults()
    other = plan(template=RvmTemplate(brand_id=BRAND_ID, recording_id=SECOND_RECORDING_ID))
    assert run(other, [row]).asked == 1
    assert states(ledger) == {State.ACCEPTED: 1}


class TestNothingSent:
    """A run that sent nothing says why in its last line, and fails where that is wanted."""

    @pytest.mark.parametrize(
        ("changes", "rows", "why"),
        [
            ({}, [], "the source has no rows"),
            ({}, [{"id": n, "phone": "n/a" if n else None} for n in range(3)], "3 rows were read: 3 invalid"),
            ({"opt_in_column": "name"}, people(2), r"2 suppressed \(no consent in name \(2\)\)\. Check opt_in_column"),
            ({"claim_rules": ClaimRules(repeat_window=A_DAY)}, people(1), r"capped .*set repeat_window=None"),
            ({"claim_rules": ClaimRules(caps=((1, A_DAY),))}, people(1), "capped .*max_attempts"),
            ({"claim_rules": ClaimRules(limit=0)}, people(9, first=5), r"9 held .*Raise limit"),
        ],
        ids=["no rows", "all invalid", "no consent", "repeated", "attempts", "limit"],
    )
    def test_the_last_line_is_a_warning_with_the_reason(
        self,
        plan: MakePlan,
        run: RunPlan,
        caplog: pytest.LogCaptureFixture,
        changes: dict[str, object],
        rows: list[dict[str, object]],
        why: str,
    ) -> None:
        caplog.set_level("INFO")
        run(plan(campaign="another"), people(1))
        run(plan(**changes), rows)
        assert caplog.records[-1].levelname == "WARNING"
        assert re.search(f"^Nothing was sent: .*{why}", caplog.messages[-1])
        with pytest.raises(NothingSentError, match=f"^Nothing was sent: .*{why}"):
            run(plan(fail_if_nothing_sent=True, **changes), rows)

    def test_a_rerun_with_nothing_left_to_send_is_in_order(
        self, plan: MakePlan, run: RunPlan, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        rows = [*people(2), {"id": 9, "phone": "n/a"}]
        for _ in ("first", "again"):
            run(plan(fail_if_nothing_sent=True), rows)
        assert caplog.records[-1].levelname == "INFO"
        assert caplog.messages[-1] == "Nothing new to send: 2 messages of the campaign were sent before."

    def test_a_run_that_is_too_old_fails_where_that_is_wanted(self, plan: MakePlan, run: RunPlan) -> None:
        old = plan(stale_from=utcnow() - 2 * A_DAY, max_staleness=A_DAY, fail_if_nothing_sent=True)
        with pytest.raises(NothingSentError, match="this run was due 2 days"):
            run(old, people(1))
