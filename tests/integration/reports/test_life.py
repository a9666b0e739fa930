"""The life of one message, on both databases."""

from datetime import timedelta

from airflow_provider_dropcowboy.api.answers import Outcome
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.settling import settle_unknown
from airflow_provider_dropcowboy.reports.life import read_life
from tests.integration.sent import Sent, age, phone


def test_it_tells_who_claimed_it_who_settled_it_and_what_the_callbacks_said(ledger: Ledger, sent: Sent) -> None:
    sent.ask([1], outcome=Outcome.UNKNOWN)
    age(ledger, timedelta(hours=2))
    settle_unknown(ledger, sent.campaign, is_sent=True, reason="in their log")
    sent.tell(1, network={"name": "Verizon"}, product_cost=0.099)
    sent.tell(1)
    life = read_life(ledger, sent.foreign_id(1))
    assert life is not None
    assert (life.state, life.network, life.cost_usd, life.drop_id) == ("delivered", "Verizon", 0.099, "d1")
    events = [(event.event, event.state, event.reason) for event in life.events]
    assert events == [
        ("claimed", None, None),
        ("answered", None, None),
        ("settled as sent", "unknown to accepted", "in their log"),
        ("callback, applied", "success", None),
        ("callback, repeated", "success", None),
    ]
    assert str(life.events[0].by).startswith("daily.send scheduled__1 try 2 on ")


def test_it_shows_no_number(ledger: Ledger, sent: Sent) -> None:
    sent.ask([1])
    sent.tell(1)
    life = read_life(ledger, sent.foreign_id(1))
    assert life is not None
    assert life.phone_number == "+1********01"
    assert phone(1).e164.removeprefix("+") not in repr(life)


def test_a_message_that_was_never_asked_for_has_no_life(ledger: Ledger, sent: Sent) -> None:
    assert read_life(ledger, sent.foreign_id(1)) is None
