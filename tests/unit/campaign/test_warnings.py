"""What a run warns of once, and what it does not."""

import logging

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.campaign.beginning import warn_of_plan
from airflow_provider_dropcowboy.campaign.ending import warn_of_bans
from airflow_provider_dropcowboy.campaign.messages import RvmTemplate, SmsTemplate
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.summary import Tally
from airflow_provider_dropcowboy.contacts.contact import ContactColumns, Template
from airflow_provider_dropcowboy.screening.calling_hours import CallingHours, Mode
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.states import State


def warnings_of(
    caplog: pytest.LogCaptureFixture, template: RvmTemplate | SmsTemplate, mode: Mode = Mode.FEDERAL
) -> list[str]:
    """What is said of a plan with a receiver."""
    channel = "rvm" if isinstance(template, RvmTemplate) else "sms"
    hours = None if mode is Mode.OFF else CallingHours.load(mode, channel=channel, message_kind="marketing")
    plan = Plan(
        account=Account("team", Secret("secret"), "https://localhost/v1"),
        campaign="spring",
        template=template,
        columns=ContactColumns(),
        callback_url="https://localhost",
        hours=hours,
    )
    with caplog.at_level(logging.WARNING):
        warn_of_plan(plan)
    return caplog.messages


def voicemail(forwarding_number: str | None) -> RvmTemplate:
    return RvmTemplate(brand_id="b", recording_id="r", forwarding_number=forwarding_number)


def text(body: str) -> SmsTemplate:
    return SmsTemplate(caller_id="+15045550100", pool_id="p", sms_body=Template.parse(body))


@pytest.mark.parametrize("number", ["+18005550100", "+18885550100"])
def test_a_toll_free_forwarding_number_is_warned_of_and_not_repeated(
    caplog: pytest.LogCaptureFixture, number: str
) -> None:
    (warning,) = warnings_of(caplog, voicemail(number))
    assert "toll-free" in warning
    assert number not in warning


@pytest.mark.parametrize("number", [None, "+15045550100", "+498005550100"])
def test_other_forwarding_numbers_are_not_warned_of(caplog: pytest.LogCaptureFixture, number: str | None) -> None:
    assert warnings_of(caplog, voicemail(number)) == []


def test_a_text_outside_gsm_is_warned_of_and_not_repeated(caplog: pytest.LogCaptureFixture) -> None:
    (warning,) = warnings_of(caplog, text("Hi {name} \u2013 it\u2019s here \U0001f389"))
    assert "sms_body has 3 characters outside GSM" in warning
    assert "here" not in warning


def test_a_text_within_gsm_is_not_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    assert warnings_of(caplog, text("Hi {name}, it's 5 € [à, é, ß, Ñ] {{now}}")) == []


def test_calling_at_any_hour_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    (warning,) = warnings_of(caplog, voicemail(None), Mode.OFF)
    assert 'calling_hours="off"' in warning


def test_banned_states_are_warned_of_by_count_and_argument(caplog: pytest.LogCaptureFixture) -> None:
    tally = Tally()
    warn_of_bans(tally)
    for reason in ("state_ban: US-WA", "state_ban: US-WY", "state_ban: US-WA", "no consent in consented"):
        tally.count(State.SUPPRESSED, reason)
    warn_of_bans(tally)
    (warning,) = caplog.messages
    assert "state_ban: 3 people" in warning
    assert "message_kind" in warning
