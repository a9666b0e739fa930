"""The account that the sandbox gives of what it was asked."""

from airflow_provider_dropcowboy.sandbox import state
from airflow_provider_dropcowboy.sandbox.vendor import Vendor
from tests.unit.sandbox.asks import MakeAsk


def test_asks_and_takes_are_counted_apart(vendor: Vendor, rvm_ask: MakeAsk) -> None:
    for ask in (rvm_ask(), rvm_ask(), rvm_ask(foreign_id="two", phone_number="+15045550101")):
        vendor.state.count_ask(ask)
    vendor.sends.rvm(rvm_ask())
    assert vendor.state.takes() == {
        "sends": 1,
        "taken_twice": 0,
        "asks": 3,
        "takes": 1,
        "by_phone_taken_more_than_once": 0,
        "max_in_flight": 0,
    }


def test_a_send_taken_three_times_is_one_that_was_taken_twice(vendor: Vendor, rvm_ask: MakeAsk) -> None:
    for _ in range(3):
        vendor.sends.rvm(rvm_ask())
    assert vendor.state.takes()["taken_twice"] == 1


def test_one_number_under_two_names_is_seen(vendor: Vendor, rvm_ask: MakeAsk) -> None:
    vendor.sends.rvm(rvm_ask(foreign_id="one"))
    vendor.sends.rvm(rvm_ask(foreign_id="two"))
    counts = vendor.state.takes()
    assert (counts["taken_twice"], counts["by_phone_taken_more_than_once"]) == (0, 1)


def test_what_each_ask_met_is_kept_in_its_order(vendor: Vendor, rvm_ask: MakeAsk) -> None:
    for answer in ("429", "lose_answer", "200"):
        vendor.state.count_ask(rvm_ask())
        vendor.state.answer(rvm_ask(), answer)
    assert vendor.state.sends["one"].answers == "429 lose_answer 200"


def test_a_text_without_a_foreign_id_is_counted_by_its_number(vendor: Vendor, sms_ask: MakeAsk) -> None:
    vendor.sends.sms(sms_ask(foreign_id=None))
    assert vendor.state.sends["sms +15045550100"].takes == 1


def test_the_kept_body_has_no_credentials(vendor: Vendor, rvm_ask: MakeAsk) -> None:
    vendor.state.count_ask(rvm_ask(byoc={"key": "hidden"}))
    assert "sandbox-secret" not in str(vendor.state.sends["one"].first_body)
    assert "hidden" not in str(vendor.state.sends["one"].first_body)


def test_only_so_many_bodies_are_kept(vendor: Vendor, rvm_ask: MakeAsk) -> None:
    for number in range(state.MAX_BODIES + 1):
        vendor.state.count_ask(rvm_ask(foreign_id=str(number)))
    assert sum(send.first_body is not None for send in vendor.state.sends.values()) == state.MAX_BODIES


def test_a_reset_forgets_all_but_what_is_on_its_way(vendor: Vendor, rvm_ask: MakeAsk) -> None:
    vendor.state.arrive("rvm")
    vendor.state.count_ask(rvm_ask())
    vendor.reset()
    assert vendor.state.takes() == {
        "sends": 0,
        "taken_twice": 0,
        "asks": 0,
        "takes": 0,
        "by_phone_taken_more_than_once": 0,
        "max_in_flight": 1,
    }
