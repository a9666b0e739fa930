"""What became of a campaign, on both databases."""

from datetime import timedelta
from decimal import Decimal

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.wire import Outcome
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.reports.results import read_funnel
from airflow_provider_dropcowboy.states import State
from tests.integration.sent import Sent, age


def test_every_send_is_counted_once_under_the_state_in_which_it_stands(ledger: Ledger, sent: Sent) -> None:
    sent.ask([1, 2])
    age(ledger, timedelta(hours=73))
    sent = Sent(ledger)
    sent.ask([3, 4, 5, 6])
    sent.ask([7], outcome=Outcome.REJECTED, reason="Invalid brand_id")
    sent.ask([8], outcome=Outcome.UNKNOWN, reason="no answer within 30 s")
    sent.tell(3, 4)
    sent.tell(5, status="failure", reason="Voicemail box full")
    sent.claim(9)
    assert read_funnel(ledger, sent.campaign).counts == {
        State.EXPIRED: 2,
        State.DELIVERED: 2,
        State.FAILED: 1,
        State.ACCEPTED: 1,
        State.REJECTED: 1,
        State.UNKNOWN: 1,
        State.CLAIMED: 1,
    }
    sent.end()
    funnel = read_funnel(ledger, sent.campaign)
    assert (funnel.counts[State.CLAIMED], funnel.counts[State.UNKNOWN]) == (0, 2)
    assert funnel.reasons == {
        (State.REJECTED, "Invalid brand_id"): 1,
        (State.UNKNOWN, "no answer within 30 s"): 1,
        (State.FAILED, "Voicemail box full"): 1,
    }


def test_a_campaign_of_another_name_is_not_counted(ledger: Ledger, sent: Sent) -> None:
    sent.ask([1])
    Sent(ledger, "autumn").ask([1, 2])
    assert read_funnel(ledger, sent.campaign).counts == {State.ACCEPTED: 1}


def test_a_late_result_of_an_expired_send_still_counts(ledger: Ledger, sent: Sent) -> None:
    sent.ask([1])
    age(ledger, timedelta(hours=73))
    assert read_funnel(ledger, sent.campaign).counts == {State.EXPIRED: 1}
    sent.tell(1)
    assert read_funnel(ledger, sent.campaign).counts == {State.DELIVERED: 1}


def test_costs_add_up_to_the_millionth_of_a_dollar(ledger: Ledger, sent: Sent) -> None:
    sent.ask(range(11))
    sent.tell(*range(10), product_cost=0.099, compliance_fee=0.0029)
    funnel = read_funnel(ledger, sent.campaign)
    assert (funnel.cost_usd, funnel.costed) == (Decimal("1.019"), 10)


def test_the_times_to_delivery_are_times_that_occurred(ledger: Ledger, sent: Sent) -> None:
    sent.ask(range(100))
    sent.tell(*range(100))
    with ledger.writing() as connection:
        for key in range(100):
            which = SENDS.c.foreign_id == sent.foreign_id(key)
            claimed_at = connection.execute(sa.select(SENDS.c.claimed_at).where(which)).scalar_one()
            final_at = claimed_at + timedelta(seconds=(key * 37) % 100 + 1)
            connection.execute(SENDS.update().where(which).values(final_at=final_at))
    seconds = read_funnel(ledger, sent.campaign).seconds_to_delivery
    assert {percentile: round(took, 2) for percentile, took in seconds.items()} == {50: 50.0, 90: 90.0, 99: 99.0}


def test_a_campaign_of_which_nobody_was_asked_has_an_empty_funnel(ledger: Ledger, sent: Sent) -> None:
    funnel = read_funnel(ledger, sent.campaign)
    assert (funnel.counts.total(), funnel.cost_usd) == (0, Decimal(0))
    assert funnel.seconds_to_delivery == {}
