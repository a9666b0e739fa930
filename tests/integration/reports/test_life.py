"""The life of one message, on both databases."""

from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.wire import Outcome
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.ledger.settling import settle_unknown
from airflow_provider_dropcowboy.reports.deliveries import read_life
from airflow_provider_dropcowboy.screening.calling_hours import CallingHours, Mode
from tests.integration.conftest import MakePlan, RunPlan, people
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


def test_it_tells_by_which_calling_hours_the_person_was_called_and_by_which_version(
    ledger: Ledger, plan: MakePlan, run: RunPlan
) -> None:
    rules = (Path(__file__).parents[2] / "data" / "always_open.toml").read_text()
    hours = CallingHours.load(Mode.STATE, channel="rvm", message_kind="marketing", rules_text=rules)
    run(plan(hours=hours), people(1))
    with ledger.reading() as connection:
        foreign_id = connection.execute(sa.select(SENDS.c.foreign_id)).scalar_one()
    life = read_life(ledger, foreign_id)
    assert life is not None
    assert life.events[0].reason == f"open: US (none), US-LA (none); calling hours {hours.version}"


def test_it_shows_no_number(ledger: Ledger, sent: Sent) -> None:
    sent.ask([1])
    sent.tell(1)
    life = read_life(ledger, sent.foreign_id(1))
    assert life is not None
    assert life.phone_number == "+1********01"
    assert phone(1).e164.removeprefix("+") not in repr(life)


def test_a_message_that_was_never_asked_for_has_no_life(ledger: Ledger, sent: Sent) -> None:
    assert read_life(ledger, sent.foreign_id(1)) is None
