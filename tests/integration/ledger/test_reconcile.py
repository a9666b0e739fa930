"""Every callback is kept, and the send it is about moves on, whatever came before."""

import json
import logging
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.callbacks import read_callback
from airflow_provider_dropcowboy.api.wire import Outcome
from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from airflow_provider_dropcowboy.ledger.digest import number_digest
from airflow_provider_dropcowboy.ledger.reconcile import Match, Received, reconcile
from airflow_provider_dropcowboy.ledger.schema import CALLBACKS, SUPPRESSIONS
from airflow_provider_dropcowboy.screening.screen import Message
from airflow_provider_dropcowboy.states import State
from tests.integration.ledger.conftest import Desk, begin, message, messages


def person(ledger: Ledger, key: str = "1", *, number: int | None = None) -> Message:
    """A message whose number the ledger can tell from others."""
    made = message(key, number=number)
    return replace(made, number_digest=number_digest(ledger.key, made.phone))


def told(about: Message, status: str = "success", *, attempt: int | None = 1, **fields: object) -> Received:
    """A callback under a good token; attempt None: through the account-wide webhook."""
    raw = json.dumps({"status": status, "phone_number": about.phone.e164, "drop_id": "d1", **fields})
    return Received(about.foreign_id, attempt, read_callback(raw.encode()), raw)


def kept(ledger: Ledger) -> list[Any]:
    """The callbacks in the ledger, in their order."""
    with ledger.reading() as connection:
        return list(connection.execute(sa.select(CALLBACKS).order_by(CALLBACKS.c.id)))


def suppressed(ledger: Ledger) -> list[tuple[str, str]]:
    """Numbers on the ledger's suppression list, and who put them there."""
    with ledger.reading() as connection:
        rows = connection.execute(sa.select(SUPPRESSIONS.c.phone_number, SUPPRESSIONS.c.source))
        return [(row.phone_number, row.source) for row in rows]


@pytest.mark.parametrize(
    ("status", "state"), [("success", State.DELIVERED), ("failure", State.FAILED)], ids=["delivered", "failed"]
)
@pytest.mark.parametrize("outcome", [Outcome.ACCEPTED, Outcome.UNKNOWN])
def test_an_accepted_or_unknown_send_ends_as_its_callback_says(
    desk: Desk, status: str, state: State, outcome: Outcome
) -> None:
    asked = person(desk.ledger)
    desk.record(desk.claim_one(asked), kind=outcome)
    fields: dict[str, Any] = {
        "reason": "mailbox full",
        "product_cost": 0.099,
        "compliance_fee": 0.0029,
        "network": {"name": "Acme"},
    }
    assert reconcile(desk.ledger, [told(asked, status, **fields)]) == {Match.APPLIED: 1}
    row = desk.row(asked)
    assert (row.state, row.reason, row.drop_id, row.cost_micros, row.network) == (
        state, "mailbox full", "d1", 101_900, "Acme",
    )  # fmt: skip
    assert row.final_at is not None
    assert desk.history() == []


def test_on_postgresql_what_becomes_of_a_send_hardly_grows_the_indexes(postgres_url: str) -> None:
    ledger = open_ledger(postgres_url, may_create=True)
    desk = Desk(ledger, begin(ledger))

    def bytes_of_indexes() -> int:
        with ledger.reading() as connection:
            size: int = connection.execute(sa.text("SELECT pg_indexes_size('dropcowboy_sends')")).scalar_one()
            return size

    asked = [person(ledger, str(key)) for key in range(1_000)]
    claims = desk.claim(*asked).claimed
    before = bytes_of_indexes()
    desk.record(*claims, kind=Outcome.ACCEPTED)
    reconcile(ledger, [told(each) for each in asked])
    after = bytes_of_indexes()
    ledger.engine.dispose()
    assert before <= after < 1.1 * before


def test_a_callback_that_comes_before_the_answer_is_recorded_stands(desk: Desk) -> None:
    asked = person(desk.ledger)
    claimed = desk.claim_one(asked)
    reconcile(desk.ledger, [told(asked)])
    assert desk.record(claimed, kind=Outcome.ACCEPTED) == 0
    assert desk.row(asked).state == State.DELIVERED


@pytest.mark.parametrize("outcome", [Outcome.RELEASED, Outcome.REJECTED])
def test_a_result_of_what_was_not_taken_is_reported_loudly(
    desk: Desk, outcome: Outcome, caplog: pytest.LogCaptureFixture
) -> None:
    asked = person(desk.ledger)
    desk.record(desk.claim_one(asked), kind=outcome)
    with caplog.at_level(logging.ERROR):
        assert reconcile(desk.ledger, [told(asked)]) == {Match.APPLIED: 1}
    assert "an answer was misread" in caplog.text
    assert asked.phone.e164 not in caplog.text
    row = desk.row(asked)
    assert (row.state, row.owns_number) == (State.DELIVERED, True)
    assert desk.history() == [("a result although not accepted", STATE[outcome], "delivered")]


STATE = {Outcome.RELEASED: "released", Outcome.REJECTED: "rejected"}


def test_a_result_of_an_earlier_request_is_reported_loudly(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    asked = person(desk.ledger)
    desk.record(desk.claim_one(asked), kind=Outcome.RELEASED)
    assert desk.claim_one(asked).attempt == 2
    reconcile(desk.ledger, [told(asked, attempt=1)])
    assert desk.row(asked).state == State.DELIVERED
    assert desk.history() == [("a result of an earlier request", "claimed", "delivered")]
    assert "may be contacted twice" in caplog.text


def test_a_released_send_whose_number_another_one_has_by_now_ends_without_it(desk: Desk) -> None:
    first, second = person(desk.ledger, "1", number=7), person(desk.ledger, "2", number=7)
    desk.record(desk.claim_one(first), kind=Outcome.RELEASED)
    desk.claim_one(second)
    reconcile(desk.ledger, [told(first)])
    assert [(row.state, row.owns_number) for row in map(desk.row, (first, second))] == [
        ("delivered", False),
        ("claimed", True),
    ]


def test_the_same_result_again_changes_nothing_and_is_kept(desk: Desk) -> None:
    asked = person(desk.ledger)
    desk.record(desk.claim_one(asked), kind=Outcome.ACCEPTED)
    once, again = told(asked, product_cost=0.1), told(asked, product_cost=0.1)
    assert reconcile(desk.ledger, [once, again]) == {Match.APPLIED: 1, Match.REPEATED: 1}
    assert reconcile(desk.ledger, [once]) == {Match.REPEATED: 1}
    assert (desk.row(asked).cost_micros, desk.history(), len(kept(desk.ledger))) == (100_000, [], 3)


def test_of_two_results_that_contradict_the_first_is_kept_and_the_second_reported_once(desk: Desk) -> None:
    asked = person(desk.ledger)
    desk.record(desk.claim_one(asked), kind=Outcome.ACCEPTED)
    assert reconcile(desk.ledger, [told(asked), told(asked, "failure")]) == {Match.APPLIED: 1, Match.CONFLICT: 1}
    assert reconcile(desk.ledger, [told(asked, "failure")]) == {Match.REPEATED: 1}
    assert desk.row(asked).state == State.DELIVERED
    assert desk.history() == [("a contradicting result", "delivered", "failed")]


def test_a_second_drop_is_billed_on_top_and_only_once(desk: Desk) -> None:
    asked = person(desk.ledger)
    desk.record(desk.claim_one(asked), kind=Outcome.ACCEPTED)
    second = told(asked, drop_id="d2", product_cost=0.2)
    reconcile(desk.ledger, [told(asked, product_cost=0.1), second])
    reconcile(desk.ledger, [second])  # a receiver that was killed before it knew that the first one was on disk
    assert desk.row(asked).cost_micros == 300_000
    assert desk.history() == [("a second drop", "delivered", "delivered")]


def test_who_asked_not_to_be_called_again_is_suppressed_at_once(desk: Desk) -> None:
    asked = person(desk.ledger)
    desk.record(desk.claim_one(asked), kind=Outcome.ACCEPTED)
    reconcile(desk.ledger, [told(asked, "failure", dnc=True), told(asked, "failure", dnc=True)])
    assert suppressed(desk.ledger) == [(asked.phone.e164, "callback")]


def test_a_late_delivered_does_not_erase_an_opt_out(desk: Desk) -> None:
    asked = person(desk.ledger)
    desk.record(desk.claim_one(asked), kind=Outcome.ACCEPTED)
    reconcile(desk.ledger, [told(asked, "failure", dnc=True)])
    reconcile(desk.ledger, [told(asked, "success")])
    assert desk.row(asked).state == State.FAILED
    assert len(suppressed(desk.ledger)) == 1


def test_a_callback_about_nobody_is_kept(desk: Desk) -> None:
    stranger = person(desk.ledger, "9")
    assert reconcile(desk.ledger, [told(stranger)]) == {Match.UNMATCHED: 1}
    (row,) = kept(desk.ledger)
    assert (row.foreign_id, row.attempt, row.is_verified, row.match) == (stranger.foreign_id, 1, True, "unmatched")


def test_a_callback_about_another_number_moves_nothing(desk: Desk) -> None:
    asked = person(desk.ledger)
    desk.record(desk.claim_one(asked), kind=Outcome.ACCEPTED)
    about_another = told(asked, phone_number="+15042009999", dnc=True)
    assert reconcile(desk.ledger, [about_another]) == {Match.UNMATCHED: 1}
    assert desk.row(asked).state == State.ACCEPTED
    assert suppressed(desk.ledger) == []


@pytest.mark.parametrize("written", ["{0}", "({1}) {2}-{3}", "1{1}{2}{3}"])
def test_a_number_may_be_written_in_any_way(desk: Desk, written: str) -> None:
    asked = person(desk.ledger)
    desk.record(desk.claim_one(asked), kind=Outcome.ACCEPTED)
    e164 = asked.phone.e164
    number = written.format(e164, e164[2:5], e164[5:8], e164[8:])
    assert reconcile(desk.ledger, [told(asked, phone_number=number)]) == {Match.APPLIED: 1}


class TestWithoutToken:
    def test_a_callback_that_names_the_sends_own_number_moves_it(self, desk: Desk) -> None:
        asked = person(desk.ledger)
        desk.record(desk.claim_one(asked), kind=Outcome.ACCEPTED)
        assert reconcile(desk.ledger, [told(asked, attempt=None)]) == {Match.APPLIED: 1}
        assert [row.is_verified for row in kept(desk.ledger)] == [False]

    @pytest.mark.parametrize("number", [None, "", "+15042009999", "call me"])
    def test_one_that_does_not_is_only_kept(self, desk: Desk, number: str | None) -> None:
        asked = person(desk.ledger)
        desk.record(desk.claim_one(asked), kind=Outcome.ACCEPTED)
        item = told(asked, attempt=None, phone_number=number, dnc=True)
        assert reconcile(desk.ledger, [item]) == {Match.UNMATCHED: 1}
        assert desk.row(asked).state == State.ACCEPTED
        assert suppressed(desk.ledger) == []


def test_what_cannot_be_read_is_kept_as_it_came(ledger: Ledger) -> None:
    assert reconcile(ledger, [Received("f", 1, None, "<html>")]) == {Match.UNREADABLE: 1}
    assert [(row.payload, row.match, row.status) for row in kept(ledger)] == [("<html>", "unreadable", None)]


def test_a_large_batch_is_one_transaction_of_few_statements(desk: Desk) -> None:
    asked = [replace(item, number_digest=number_digest(desk.ledger.key, item.phone)) for item in messages(range(300))]
    desk.claim(*asked)
    statements: list[str] = []
    sa.event.listen(desk.ledger.engine, "before_cursor_execute", lambda *event: statements.append(event[2]))
    assert reconcile(desk.ledger, list(map(told, asked))) == {Match.APPLIED: 300}
    assert len(statements) < 12
    assert {desk.row(item).state for item in asked} == {"delivered"}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20)
@given(
    batches=st.lists(
        st.lists(
            st.tuples(st.sampled_from("123"), st.sampled_from(["success", "failure"]), st.sampled_from(["d1", "d2"])),
            max_size=5,
        ),
        max_size=4,
    )
)
def test_any_order_of_callbacks_twice_over_leaves_the_ledger_as_once(
    desk: Desk, batches: list[list[tuple[str, str, str]]]
) -> None:
    asked = {key: person(desk.ledger, key) for key in "123"}
    claims = desk.claim(*asked.values()).claimed
    if claims:
        desk.record(*claims, kind=Outcome.ACCEPTED)
    received = [
        [told(asked[key], status, drop_id=drop, product_cost=0.1) for key, status, drop in batch] for batch in batches
    ]
    counts: Counter[Match] = Counter()
    for batch in received:
        counts += reconcile(desk.ledger, batch)
    assert sum(counts.values()) == sum(map(len, batches))
    before = [tuple(desk.row(item)) for item in asked.values()], desk.history()
    for batch in received:
        assert not set(reconcile(desk.ledger, batch)) - {Match.REPEATED}
    assert ([tuple(desk.row(item)) for item in asked.values()], desk.history()) == before
