"""What was accepted and never told, on both databases."""

from datetime import timedelta

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.reports.results import read_gaps
from tests.integration.sent import Sent, age


def test_an_hour_without_results_is_named_with_its_campaign(ledger: Ledger, sent: Sent) -> None:
    sent.ask(range(5))
    Sent(ledger, "texts", channel=Channel.SMS).ask(range(3))
    sent.tell(0, 1)
    age(ledger, timedelta(hours=5))
    gaps = read_gaps(ledger)
    assert {gap.campaign: (gap.channel, gap.untold, gap.accepted) for gap in gaps} == {
        "spring": ("rvm", 3, 5),
        "texts": ("sms", 3, 3),
    }
    assert all((gap.hour_at.minute, gap.hour_at.second) == (0, 0) for gap in gaps)
    assert [gap.campaign for gap in read_gaps(ledger, campaign="texts")] == ["texts"]


def test_what_was_accepted_a_moment_ago_is_no_gap(ledger: Ledger, sent: Sent) -> None:
    sent.ask(range(5))
    assert read_gaps(ledger) == []
    age(ledger, timedelta(hours=5))
    assert len(read_gaps(ledger)) == 1
    assert read_gaps(ledger, quiet_after=timedelta(hours=12)) == []


def test_each_hour_stands_by_itself_and_a_week_ago_is_left_alone(ledger: Ledger, sent: Sent) -> None:
    sent.ask([1])
    age(ledger, timedelta(days=8))
    Sent(ledger).ask([2])
    age(ledger, timedelta(hours=2))
    Sent(ledger).ask([3])
    age(ledger, timedelta(hours=2))
    assert [gap.untold for gap in read_gaps(ledger)] == [1, 1]


def test_a_ledger_in_which_all_was_told_has_no_gaps(ledger: Ledger, sent: Sent) -> None:
    sent.ask(range(3))
    sent.tell(*range(3))
    age(ledger, timedelta(hours=5))
    assert read_gaps(ledger) == []
