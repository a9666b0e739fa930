"""Campaigns by the name that a person types, on both databases."""

import pytest

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.ledger.campaigns import campaigns_of, find_campaigns
from airflow_provider_dropcowboy.ledger.database import Ledger
from tests.integration.sent import ACCOUNT, Sent


def test_a_name_finds_both_channels_unless_one_is_named(ledger: Ledger) -> None:
    for channel in Channel:
        Sent(ledger, channel=channel)
    assert [found.channel for found in find_campaigns(ledger, "spring")] == [Channel.RVM, Channel.SMS]
    assert [found.channel for found in find_campaigns(ledger, "spring", channel=Channel.SMS)] == [Channel.SMS]


def test_a_name_of_two_accounts_needs_the_account(ledger: Ledger) -> None:
    Sent(ledger)
    Sent(ledger, account="trial@host")
    with pytest.raises(ConfigurationError, match=rf"{ACCOUNT}, trial@host\. Name one of them \(--account\)"):
        find_campaigns(ledger, "spring")
    assert [found.account for found in find_campaigns(ledger, "spring", account="trial@host")] == ["trial@host"]
    assert [found.account for found in campaigns_of(ledger, ACCOUNT, name="spring")] == [ACCOUNT]


def test_a_name_that_nobody_has_is_met_with_what_there_is(ledger: Ledger) -> None:
    with pytest.raises(ConfigurationError, match="no campaign at all"):
        find_campaigns(ledger, "spring")
    Sent(ledger, "spring-2026")
    with pytest.raises(ConfigurationError, match=r"Similar names: spring-2026\."):
        find_campaigns(ledger, "spring")
    with pytest.raises(ConfigurationError, match="None of its 1 campaigns"):
        find_campaigns(ledger, "xyz")
    with pytest.raises(ConfigurationError, match=f"there is: rvm of {ACCOUNT}"):
        find_campaigns(ledger, "spring-2026", channel=Channel.SMS)
    assert campaigns_of(ledger, ACCOUNT, name="spring") == []
