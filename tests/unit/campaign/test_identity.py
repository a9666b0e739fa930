"""What a campaign and a message are called: the same in every run, and nothing that says who it is for."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.campaign.messages import (
    MAX_CAMPAIGN_CHARACTERS,
    Identity,
    alert_name,
    campaign_name,
    check_campaign_name,
)
from airflow_provider_dropcowboy.contacts.key import same_person
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.ledger.digest import DIGEST_CHARACTERS, FOREIGN_ID_CHARACTERS, PREFIX_CHARACTERS
from airflow_provider_dropcowboy.phone import Phone

KEY = bytes(range(32))
PHONE = Phone("+15045550100")
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.tuples(TEXTS, TEXTS, st.sampled_from(list(Channel)), TEXTS)


def foreign_id(account: str, campaign: str, channel: Channel, key: str) -> str:
    identity = Identity(KEY, account, campaign, channel)
    return identity.foreign_id(key)


@given(NAMES, NAMES)
def test_messages_that_differ_in_any_part_have_different_names(
    one: tuple[str, str, Channel, str], other: tuple[str, str, Channel, str]
) -> None:
    assume((*one[:3], same_person(one[3])) != (*other[:3], same_person(other[3])))
    assert foreign_id(*one) != foreign_id(*other)


@pytest.mark.parametrize(
    ("one", "other"), [(("ab", "c"), ("a", "bc")), (("a|b", "c"), ("a", "b|c")), (("", "ab"), ("ab", ""))]
)
def test_parts_do_not_run_into_each_other(one: tuple[str, str], other: tuple[str, str]) -> None:
    assert foreign_id(*one, Channel.RVM, "1") != foreign_id(*other, Channel.RVM, "1")
    assert foreign_id("t", one[0], Channel.RVM, one[1]) != foreign_id("t", other[0], Channel.RVM, other[1])


@given(NAMES)
def test_a_name_has_a_fixed_length_and_begins_as_its_campaign_does(names: tuple[str, str, Channel, str]) -> None:
    identity = Identity(KEY, *names[:3])
    name = foreign_id(*names)
    assert len(name) == FOREIGN_ID_CHARACTERS
    assert name.startswith(identity.prefix)
    assert len(identity.prefix) == PREFIX_CHARACTERS
    assert set(name) <= set("0123456789abcdef")


def test_a_name_is_the_same_in_another_process() -> None:
    code = (
        "from airflow_provider_dropcowboy.campaign.messages import Identity\n"
        "from airflow_provider_dropcowboy.api.content import Channel\n"
        "i = Identity(bytes(range(32)), 'team@host', 'spring', Channel.SMS)\n"
        "print(i.foreign_id('Zoë 1'))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()
    assert said == foreign_id("team@host", "spring", Channel.SMS, "Zoë 1")


def test_without_the_ledgers_key_nobody_can_try_out_numbers() -> None:
    ours, theirs = (Identity(key, "team@host", "spring", Channel.RVM) for key in (KEY, bytes(32)))
    assert ours.number_digest(PHONE) != theirs.number_digest(PHONE)
    assert ours.foreign_id("1") != theirs.foreign_id("1")
    assert KEY.hex() not in repr(ours)
    assert repr(KEY) not in repr(ours)


def test_no_name_holds_the_number_or_the_key_it_is_made_of() -> None:
    identity = Identity(KEY, "team@host", "spring", Channel.RVM)
    names = identity.foreign_id("5045550100") + identity.number_digest(PHONE)
    assert "5045550100" not in names
    assert len(identity.number_digest(PHONE)) == DIGEST_CHARACTERS


def test_a_number_has_one_name_over_all_campaigns() -> None:
    spring, autumn = (Identity(KEY, "team@host", name, Channel.RVM) for name in ("spring", "autumn"))
    assert spring.number_digest(PHONE) == autumn.number_digest(PHONE)
    assert spring.number_digest(PHONE) != spring.number_digest(Phone("+15045550101"))


class TestCampaignNames:
    @pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-11))])
    def test_one_date_has_one_name_in_every_zone(self, zone: timezone) -> None:
        logical_date = datetime(2026, 11, 24, tzinfo=UTC).astimezone(zone)
        name = campaign_name("dag", "task", logical_date=logical_date, run_id="scheduled__1")
        assert name == "dag.task@2026-11-24T00:00:00Z"

    def test_a_run_without_a_date_is_a_campaign_of_its_own(self) -> None:
        assert campaign_name("dag", "task", logical_date=None, run_id="manual__1") == "dag.task@manual__1"

    @pytest.mark.parametrize("name", ["", " ", "\n", "None", "null", " None ", "x" * (MAX_CAMPAIGN_CHARACTERS + 1)])
    def test_a_name_that_is_none_is_refused(self, name: str) -> None:
        with pytest.raises(ConfigurationError, match=r"campaign.*(?s:.)*Nothing was sent"):
            check_campaign_name(name)

    @pytest.mark.parametrize("name", ["spring", " spring\n"])
    def test_blanks_around_a_name_do_not_make_another_campaign(self, name: str) -> None:
        assert check_campaign_name(name) == "spring"


def test_an_alert_is_named_by_its_event() -> None:
    run = "scheduled__2026-11-24T00:00:00+00:00"
    assert alert_name("nightly", run, task_id="load", kind="failed") == f"alert failed: nightly.load@{run}"
    assert alert_name("nightly", run, task_id=None, kind="failed") == f"alert failed: nightly@{run}"


def test_a_default_name_of_any_length_is_one_that_the_ledger_takes() -> None:
    date = datetime(2026, 11, 24, tzinfo=UTC)
    names = {
        campaign_name("d" * 250, "t" * 250, logical_date=date + timedelta(days=day), run_id="r") for day in range(3)
    } | {campaign_name("d" * 250, "t" * 249 + "u", logical_date=date, run_id="r")}
    assert len(names) == 4
    assert {check_campaign_name(name) for name in names} == names


def test_long_alerts_that_begin_alike_have_two_names_that_the_ledger_takes() -> None:
    names = {alert_name("d" * 250, f"run_{index}", task_id="t" * 250, kind="failed") for index in range(3)}
    assert len(names) == 3
    assert {check_campaign_name(name) for name in names} == names
