"""A result whose token proves a send that the ledger does not know: it is kept, and the message is not sent again."""

import json

import pytest

from airflow_provider_dropcowboy.api.callbacks import read_callback
from airflow_provider_dropcowboy.ledger.batch import names
from airflow_provider_dropcowboy.ledger.claims import claim, new_claim_id
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.foresight import Foresight
from airflow_provider_dropcowboy.ledger.judgement import LOST
from airflow_provider_dropcowboy.ledger.reconcile import Match, Received, reconcile
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.ledger.sends import _known_or_lost
from airflow_provider_dropcowboy.reports.results import read_funnel
from airflow_provider_dropcowboy.screening.screen import Candidate
from airflow_provider_dropcowboy.states import State
from tests.integration.sent import Sent


@pytest.fixture
def sent(ledger: Ledger) -> Sent:
    """A campaign of which 1 to 4 were sent, before the ledger was restored to an older copy."""
    sent = Sent(ledger)
    sent.ask([1, 2, 3, 4])
    with ledger.writing() as connection:
        connection.execute(SENDS.delete())
    return sent


def test_a_message_that_only_its_result_proves_is_not_claimed_again(sent: Sent) -> None:
    assert sent.tell(1, status="success") == sent.tell(2, status="failure") == [Match.UNMATCHED]
    assert sent.tell(1, status="failure") == [Match.UNMATCHED]  # one of two: the better
    unreadable = Received(sent.foreign_id(3), 1, None, "<html>")
    assert reconcile(sent.ledger, [unreadable])[Match.UNREADABLE] == 1
    candidates = [Candidate(sent.message(key)) for key in (1, 2, 3, 4)]
    campaign = sent.campaign
    foresight = Foresight(sent.ledger, campaign.account, name=campaign.name, channel=campaign.channel)
    foreseen, ready = foresight.screen(candidates)
    judgement = claim(sent.ledger, sent.run, candidates=candidates, claim_id=new_claim_id())
    for each in (foreseen, judgement):
        assert {(row.message.contact_key, row.state, row.reason) for row in each.already} == {
            ("1", State.DELIVERED, LOST),
            ("2", State.FAILED, LOST),
            ("3", State.ACCEPTED, LOST),
        }
    assert [item.message.contact_key for item in judgement.claimed] == ["4"]
    assert ready == [candidates[3]]


def test_a_result_without_a_token_proves_nothing(sent: Sent) -> None:
    payload = json.dumps({"foreign_id": sent.foreign_id(1), "status": "success"})
    received = Received(sent.foreign_id(1), None, read_callback(payload.encode()), payload)
    assert reconcile(sent.ledger, [received])[Match.UNMATCHED] == 1
    assert len(sent.claim(1)) == 1


def test_the_report_says_how_many_sends_the_ledger_lost(sent: Sent) -> None:
    sent.tell(1, 2)
    sent.ask([4])
    sent.tell(4)
    other = Sent(sent.ledger, "autumn")
    other.tell(7)
    assert read_funnel(sent.ledger, sent.campaign).as_dict()["lost"] == 2
    assert read_funnel(sent.ledger, other.campaign).lost == 1


def test_what_is_lost_is_looked_up_in_an_index_that_nearly_always_is_empty(sent: Sent) -> None:
    dialect = sent.ledger.engine.dialect
    compiled = _known_or_lost(dialect.name).compile(dialect=dialect)
    values = compiled.construct_params({"foreign_ids": names([sent.foreign_id(1)], dialect.name)})
    by_place = tuple(values[name] for name in compiled.positiontup) if compiled.positiontup else values
    explain = "EXPLAIN QUERY PLAN " if dialect.name == "sqlite" else "EXPLAIN "
    with sent.ledger.reading() as connection:
        plan = connection.exec_driver_sql(explain + compiled.string, by_place).all()
    assert "dropcowboy_callbacks_lost" in str(plan)
