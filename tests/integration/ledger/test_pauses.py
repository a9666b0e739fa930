"""Pauses, on both databases."""

import hashlib

import pytest

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.ledger.campaigns import Campaign, bind_campaign
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.limits import (
    pause_all,
    pause_campaign,
    read_pauses,
    resume_all,
    resume_campaign,
    stop_reason,
)


def bind(ledger: Ledger, name: str, *, account: str = "team@host", channel: Channel = Channel.RVM) -> Campaign:
    """A campaign that the ledger knows."""
    prefix = hashlib.sha256(f"{name}|{account}|{channel}".encode()).hexdigest()[:12]
    return bind_campaign(ledger, account, name=name, channel=channel, prefix=prefix)


def reason(ledger: Ledger, campaign: Campaign) -> str | None:
    """Why nobody of the campaign may be claimed."""
    with ledger.reading() as connection:
        return stop_reason(connection, campaign)


def test_a_paused_campaign_claims_nobody_until_it_is_resumed(ledger: Ledger) -> None:
    spring, autumn = bind(ledger, "spring"), bind(ledger, "autumn")
    (paused,) = pause_campaign(ledger, "spring")
    assert paused.paused_at is not None
    assert "this campaign" in str(reason(ledger, spring))
    assert reason(ledger, autumn) is None
    assert [campaign.name for campaign in read_pauses(ledger).campaigns] == ["spring"]

    (resumed,) = resume_campaign(ledger, "spring")
    assert resumed.paused_at == paused.paused_at
    assert reason(ledger, spring) is None


def test_a_second_pause_keeps_the_first_ones_time(ledger: Ledger) -> None:
    bind(ledger, "spring")
    assert pause_campaign(ledger, "spring") == pause_campaign(ledger, "spring")
    assert pause_all(ledger) == pause_all(ledger)


def test_all_campaigns_are_paused_and_one_that_is_paused_by_itself_outlasts_it(ledger: Ledger) -> None:
    spring, autumn = bind(ledger, "spring"), bind(ledger, "autumn", account="other@host")
    pause_campaign(ledger, "spring")
    since = pause_all(ledger)
    assert read_pauses(ledger).all_since == since
    assert "all campaigns" in str(reason(ledger, autumn))

    assert resume_all(ledger) == since
    assert reason(ledger, autumn) is None
    assert "this campaign" in str(reason(ledger, spring))
    assert resume_all(ledger) is None


def test_one_name_on_both_channels_is_paused_on_both(ledger: Ledger) -> None:
    voice, text = bind(ledger, "spring"), bind(ledger, "spring", channel=Channel.SMS)
    assert [paused.channel for paused in pause_campaign(ledger, "spring")] == [Channel.RVM, Channel.SMS]
    assert reason(ledger, voice)
    assert reason(ledger, text)


def test_a_name_that_two_accounts_have_needs_the_account(ledger: Ledger) -> None:
    ours, theirs = bind(ledger, "spring"), bind(ledger, "spring", account="trial@host")
    with pytest.raises(ConfigurationError, match=r"team@host, trial@host.*--account"):
        pause_campaign(ledger, "spring")
    assert reason(ledger, ours) is None

    pause_campaign(ledger, "spring", account="trial@host")
    assert (reason(ledger, ours), bool(reason(ledger, theirs))) == (None, True)
    with pytest.raises(ConfigurationError, match=r"'nobody@host' has no such campaign 'spring'.*team@host.*trial@host"):
        resume_campaign(ledger, "spring", account="nobody@host")


def test_an_unknown_name_is_met_with_similar_ones(ledger: Ledger) -> None:
    with pytest.raises(ConfigurationError, match="no campaign at all"):
        pause_campaign(ledger, "spring")
    for name in ("spring.send@2026-11-24T00:00:00Z", "autumn"):
        bind(ledger, name)
    with pytest.raises(ConfigurationError, match=r"Similar names: spring\.send@2026-11-24T00:00:00Z\.$"):
        pause_campaign(ledger, "spring.send@2026-11-23T00:00:00Z")
    with pytest.raises(ConfigurationError, match="None of its 2 campaigns has a similar name"):
        resume_campaign(ledger, "xyz")
