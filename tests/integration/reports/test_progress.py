"""How far the results of a campaign have come, on both databases."""

from datetime import timedelta

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.api.wire import Outcome
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.reports.results import Progress, read_progress
from airflow_provider_dropcowboy.states import State
from tests.integration.sent import ACCOUNT, Sent, age


def progress(ledger: Ledger) -> Progress:
    return read_progress(ledger, ACCOUNT, campaign="spring")


def test_it_is_done_once_the_share_is_final_and_nobody_sends_any_more(ledger: Ledger, sent: Sent) -> None:
    sent.ask(range(4))
    sent.tell(0, 1, 2)
    assert not progress(ledger).is_done(min_final_share=0.75)
    sent.end()
    assert progress(ledger).is_done(min_final_share=0.75)
    assert not progress(ledger).is_done(min_final_share=0.8)
    sent.tell(3, status="failure")
    assert progress(ledger).is_done(min_final_share=1.0)
    assert progress(ledger).as_dict() == {
        "campaign": "spring", "delivered": 3, "failed": 1, "final_share": 1.0, "delivered_share": 0.75,
    }  # fmt: skip


def test_a_run_that_died_is_not_waited_for_and_neither_is_what_it_left_in_doubt(ledger: Ledger, sent: Sent) -> None:
    sent.ask([1])
    sent.tell(1)
    sent.claim(2)
    assert not progress(ledger).is_done(min_final_share=1.0)
    age(ledger, timedelta(minutes=2))
    now = progress(ledger)
    assert now.is_done(min_final_share=1.0)
    assert (now.counts[State.UNKNOWN], now.accepted) == (1, 1)


def test_what_was_told_nothing_for_long_counts_as_final(ledger: Ledger, sent: Sent) -> None:
    sent.ask([1])
    sent.end()
    age(ledger, timedelta(hours=2))
    assert not progress(ledger).is_done(min_final_share=1.0)
    soon = read_progress(ledger, ACCOUNT, campaign="spring", expire_after=timedelta(hours=1))
    assert soon.is_done(min_final_share=1.0)
    assert soon.delivered_share == 0.0


def test_both_channels_of_the_name_are_one_and_other_accounts_are_not(ledger: Ledger, sent: Sent) -> None:
    sent.ask([1])
    Sent(ledger, channel=Channel.SMS).ask([1, 2])
    Sent(ledger, account="trial@127.0.0.1").ask([1, 2, 3])
    assert progress(ledger).accepted == 3


def test_a_campaign_that_has_not_begun_is_not_done_and_one_that_kept_nobody_is(ledger: Ledger) -> None:
    assert not progress(ledger).is_done(min_final_share=1.0)
    Sent(ledger).end()
    assert progress(ledger).is_done(min_final_share=1.0)


def test_refused_and_released_sends_are_not_waited_for(ledger: Ledger, sent: Sent) -> None:
    sent.ask([1], outcome=Outcome.REJECTED)
    sent.ask([2], outcome=Outcome.RELEASED)
    sent.end()
    assert progress(ledger).is_done(min_final_share=1.0)
