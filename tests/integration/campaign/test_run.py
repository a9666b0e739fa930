"""A campaign from its rows to its records, against the sandbox and on both databases."""

import logging
from collections.abc import Iterator
from itertools import cycle

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.campaign.messages import RvmTemplate, SmsTemplate
from airflow_provider_dropcowboy.contacts.contact import Template
from airflow_provider_dropcowboy.errors import (
    BalanceError,
    DropCowboyError,
    NotTakenError,
    SourceError,
    VendorDownError,
)
from airflow_provider_dropcowboy.ledger.campaigns import find_campaign
from airflow_provider_dropcowboy.ledger.counts import count_campaign
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.schema import METADATA, RUNS, SENDS
from airflow_provider_dropcowboy.sandbox.catalog import BRAND_ID, POOL_ID, SECOND_RECORDING_ID
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.states import State
from tests.integration.campaign.conftest import states, taken_once, wait_until
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.sandbox_process import SandboxProcess

TEXT = SmsTemplate(caller_id="+15045550199", pool_id=POOL_ID, sms_body=Template.parse("Hi {name}, the vet comes"))


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


DATABASES = ("sqlite", "postgresql")
"""Where what is tested is the wire, each fault meets one of them; tests of the ledger write each outcome on both."""

DOUBTS = (
    "lose_answer", "drop_request", "reset_after", "reset_before", "truncated_after", "500_after", "500_before",
    "502_after", "503_before", "503_retry_after_before", "504_after", "timeout_408", "conflict", "odd_json_after",
    "html_200_after", "html_200_before", "redirect_302", "redirect_307",
)  # fmt: skip


class TestDoubt:
    @pytest.mark.parametrize(
        ("ledger_url", "fault"), list(zip(cycle(DATABASES), DOUBTS, strict=False)), indirect=["ledger_url"]
    )
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
@pytest.mark.parametrize(
    ("ledger_url", "is_of_older_release"), [("sqlite", False), ("postgresql", True)], indirect=["ledger_url"]
)
def test_a_person_is_sent_to_once_whatever_the_notation_of_the_key(
    plan: MakePlan, run: RunPlan, monkeypatch: pytest.MonkeyPatch, before: str, after: object, is_of_older_release: bool
) -> None:
    with monkeypatch.context() as older:
        if is_of_older_release:  # it named a message by the key as it was written
            older.setattr("airflow_provider_dropcowboy.campaign.messages.same_person", lambda key: key)
            older.setattr("airflow_provider_dropcowboy.campaign.messages.other_notations", lambda _key: ())
        assert run(plan(), [{"id": before, "phone": "+15042000001"}]).asked == 1
    again = run(plan(), [{"id": after, "phone": "+15042000002"}, {"id": before, "phone": "+15042000003"}])
    assert (again.asked, again.already, dict(again.counts)) == (0, 1, {"accepted": 1, "duplicate": 1})


def test_a_message_of_an_older_release_that_was_not_sent_goes_on_under_its_name(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = {"id": UUID_KEY.replace("-", ""), "phone": "+15042000001"}
    sandbox.fault("invalid_400", share=1.0)
    with monkeypatch.context() as older:
        older.setattr("airflow_provider_dropcowboy.campaign.messages.same_person", lambda key: key)
        older.setattr("airflow_provider_dropcowboy.campaign.messages.other_notations", lambda _key: ())
        with pytest.raises(DropCowboyError):
            run(plan(), [row])
    sandbox.clear_faults()
    other = plan(template=RvmTemplate(brand_id=BRAND_ID, recording_id=SECOND_RECORDING_ID))
    assert run(other, [row]).asked == 1
    assert states(ledger) == {State.ACCEPTED: 1}
