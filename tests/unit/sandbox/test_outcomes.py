"""What becomes of the messages the sandbox took."""

from collections import Counter

import pytest

from airflow_provider_dropcowboy.sandbox.results import outcome_of, v1_callback
from airflow_provider_dropcowboy.sandbox.settings import DEFAULT_OUTCOMES, OUTCOMES, SettingsError, complete_outcomes
from tests.unit.sandbox.asks import MakeAsk


def test_a_number_always_has_the_same_outcome() -> None:
    assert len({outcome_of("+15045550100", DEFAULT_OUTCOMES) for _ in range(10)}) == 1


def test_many_numbers_come_near_the_shares() -> None:
    drawn = Counter(outcome_of(f"+1504555{number:04d}", DEFAULT_OUTCOMES) for number in range(10_000))
    for outcome in OUTCOMES:
        assert drawn[outcome] / 10_000 == pytest.approx(DEFAULT_OUTCOMES[outcome], abs=0.01)


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_an_outcome_with_the_whole_share_is_everyones(outcome: str) -> None:
    shares = complete_outcomes({"success": 0.0, outcome: 1.0})
    assert {outcome_of(f"+1504555{number:04d}", shares) for number in range(500)} == {outcome}


def test_success_takes_what_the_others_leave() -> None:
    assert complete_outcomes({"dnc": 0.25}) == {"success": 0.75, "failure": 0.0, "dnc": 0.25, "silent": 0.0}


@pytest.mark.parametrize("shares", [{"success": 0.5}, {"dnc": 1.5}, {"dnc": -0.1}, {"lost": 0.1}, {"dnc": "many"}])
def test_shares_that_make_no_whole_are_refused(shares: dict[str, float]) -> None:
    with pytest.raises(SettingsError):
        complete_outcomes(shares)


def test_a_success_costs_and_a_failure_has_a_reason(rvm_ask: MakeAsk) -> None:
    success = v1_callback(rvm_ask(), outcome="success", take=1)
    failure = v1_callback(rvm_ask(), outcome="failure", take=1)
    assert (success["status"], success["reason"], success["product_cost"]) == ("success", "", 0.099)
    assert (failure["status"], failure["product_cost"]) == ("failure", 0.0)
    assert failure["reason"]


def test_a_person_who_opted_out_is_marked_dnc(sms_ask: MakeAsk) -> None:
    body = v1_callback(sms_ask(), outcome="dnc", take=1)
    assert (body["status"], body["dnc"], body["reason_code"]) == ("failure", True, 4016)


def test_a_callback_names_the_send_and_not_the_secret(rvm_ask: MakeAsk) -> None:
    body = v1_callback(rvm_ask(), outcome="success", take=1)
    assert (body["foreign_id"], body["phone_number"]) == ("one", "+15045550100")
    assert "sandbox-secret" not in str(body)


def test_each_take_is_a_drop_of_its_own(rvm_ask: MakeAsk) -> None:
    first, second = (v1_callback(rvm_ask(), outcome="success", take=take)["drop_id"] for take in (1, 2))
    assert first != second


def test_a_status_code_comes_only_when_asked_for(rvm_ask: MakeAsk) -> None:
    assert "status_code" not in v1_callback(rvm_ask(), outcome="success", take=1)
    assert "status_code" in v1_callback(rvm_ask(status_format="code"), outcome="success", take=1)
