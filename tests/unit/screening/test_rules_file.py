"""The shipped rules, and a user's file that replaces and extends them."""

import tomllib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.screening.calling_hours import CallingHours, Mode
from airflow_provider_dropcowboy.screening.places import DATA
from airflow_provider_dropcowboy.screening.rule_files import load_rulebook

NOON = datetime(2026, 11, 24, 18, tzinfo=UTC)
SOURCE = 'cite = "Counsel"\nsource = "her letter of 2026-12-01"\nconfidence = "S"\n'


def entries(name: str, key: str) -> Iterator[dict[str, object]]:
    """The tables of a shipped file."""
    yield from tomllib.loads((DATA / name).read_text(encoding="utf-8"))[key]


def load(text: str, *, channel: str = "rvm") -> CallingHours:
    """Marketing by the shipped rules and this file."""
    return CallingHours.load(Mode.STATE, channel=channel, message_kind="marketing", rules_text=text)


@pytest.mark.parametrize(
    "entry", [*entries("rules.toml", "rule"), *entries("holidays.toml", "holidays")], ids=lambda e: str(e["cite"])
)
def test_every_line_of_the_shipped_rules_has_its_source(entry: dict[str, object]) -> None:
    assert str(entry["cite"]).strip()
    assert str(entry["source"]).strip()
    assert isinstance(entry["checked"], date)
    assert entry["confidence"] in ("S", "V", "G")
    if entry["confidence"] == "G":
        assert entry["why"]  # the careful reading that is kept


def test_the_shipped_rules_were_checked_no_later_than_the_file_says() -> None:
    book = load_rulebook()
    assert book.as_of == max(rule.checked for rule in book.rules if rule.checked)


@pytest.mark.parametrize("key", ["cite", "source", "confidence"])
@pytest.mark.parametrize(
    "head",
    [
        '[[rule]]\nregion = "US-NY"\n',
        '[[holidays]]\nregion = "US-NY"\ndays = {}\n',
        '[[paused]]\nregion = "US-NY"\nfrom = 2026-12-01T00:00:00Z\nwhy = "snow"\n',
    ],
)
def test_a_line_without_its_source_is_refused(head: str, key: str) -> None:
    lines = [line for line in SOURCE.splitlines() if not line.startswith(key)]
    with pytest.raises(ConfigurationError, match=rf"US-NY.*{key} is missing"):
        load_rulebook('version = "1"\n' + head + "\n".join(lines))


def test_the_shipped_holidays_reach_from_this_year_to_the_last_day_they_claim() -> None:
    book = load_rulebook()
    for days in book.holidays.values():
        years = {day.year for dates in days.values() for day in dates}
        assert years == {2026, 2027, 2028}
    assert book.holidays_until == date(2028, 12, 31)
    assert {rule.region for rule in book.rules if rule.keeps_holidays} == set(book.holidays)


def test_a_users_rule_replaces_all_shipped_ones_of_its_region_and_channel() -> None:
    lifted = f'version = "7"\n[[rule]]\nregion = "US-WA"\nchannels = ["rvm"]\nmon_fri = ["10:00", "12:00"]\n{SOURCE}'
    hours = load(lifted)
    ruling = hours.judge("+12065550100", postal_code=None, at=NOON)
    assert (ruling.is_open, ruling.closes_at) == (True, datetime(2026, 11, 24, 19, 45, tzinfo=UTC))
    assert "US-WA (Counsel)" in ruling.rule
    assert hours.version.startswith("2026.11.28+7, time zones ")
    assert ruling.rule.endswith(f"; calling hours {hours.version}")
    text = load(lifted, channel="sms").judge("+12065550100", postal_code=None, at=NOON)
    assert "RCW 80.36.390" in text.rule
    assert load(lifted).judge("+13075550100", postal_code=None, at=NOON).is_banned


def test_a_users_rule_for_another_country_makes_its_numbers_callable() -> None:
    text = f'version = "1"\n[[rule]]\nregion = ["GB", "JM"]\nsun = "closed"\n{SOURCE}'
    for number in ("+442079460018", "+18765550100"):
        assert load(text).judge(number, postal_code=None, at=NOON).is_open
        assert not load(text).judge(number, postal_code=None, at=NOON - timedelta(days=2)).is_open


def test_a_users_holidays_add_to_those_of_the_state_and_replace_one_of_the_same_name() -> None:
    text = 'version = "1"\n[[holidays]]\nregion = "US-LA"\n' + SOURCE
    text += '[holidays.days]\n"Day of mourning" = [2026-11-24]\n"Mardi Gras" = []\n'
    assert not load(text).judge("+15045550100", postal_code=None, at=NOON).is_open
    mardi_gras = datetime(2027, 2, 9, 18, tzinfo=UTC)
    assert load(text).judge("+15045550100", postal_code=None, at=mardi_gras).is_open
    assert not load('version = "1"').judge("+15045550100", postal_code=None, at=mardi_gras).is_open


def test_nobody_is_called_in_a_paused_region_until_the_pause_ends() -> None:
    text = 'version = "1"\n[[paused]]\nregion = "US-NY"\nfrom = 2026-11-23T00:00:00-05:00\n'
    text += 'to = 2026-11-24T14:30:00-05:00\nwhy = "state of emergency"\n' + SOURCE
    for mode in (Mode.STATE, Mode.FEDERAL):
        hours = CallingHours.load(mode, channel="sms", message_kind="informational", rules_text=text)
        ruling = hours.judge("+12125550100", postal_code=None, at=NOON)
        assert (ruling.is_open, ruling.opens_at) == (False, datetime(2026, 11, 24, 19, 30, tzinfo=UTC))
        assert ruling.rule.startswith("closed: US-NY (paused: state of emergency, Counsel)")
        assert hours.judge("+12125550100", postal_code=None, at=NOON + timedelta(minutes=90)).is_open
        assert hours.judge("+12015550100", postal_code=None, at=NOON).is_open


def test_a_pause_that_begins_today_closes_the_hours_early_and_one_without_an_end_lasts() -> None:
    text = f'version = "1"\n[[paused]]\nregion = "US"\nfrom = 2026-11-24T19:00:00Z\nwhy = "storm"\n{SOURCE}'
    hours = load(text)
    assert hours.judge("+12125550100", postal_code=None, at=NOON).closes_at == NOON + timedelta(minutes=45)
    later = hours.judge("+12125550100", postal_code=None, at=NOON + timedelta(hours=1))
    assert (later.is_open, later.opens_at) == (False, None)


def test_the_example_of_the_documentation_can_be_read() -> None:
    page = (Path(__file__).parents[3] / "docs" / "screening.md").read_text(encoding="utf-8")
    book = load_rulebook(page.split("```toml\n")[1].split("```")[0])
    assert book.version == "2026.11.28+acme-3"
    assert not any(rule.bans_prerecorded for rule in book.rules if rule.region == "US-WA")


def test_a_users_margin_and_last_holiday_take_the_place_of_the_shipped_ones() -> None:
    hours = load('version = "1"\nmargin_minutes = 0\nholidays_until = 2030-12-31')
    ruling = hours.judge("+12125550100", postal_code=None, at=datetime(2030, 1, 2, 18, tzinfo=UTC))
    assert ruling.closes_at == datetime(2030, 1, 3, 2, tzinfo=UTC)


def test_hours_from_midnight_to_midnight_do_not_end_at_midnight() -> None:
    days = "\n".join(f'{day} = ["00:00", "24:00"]' for day in ("mon_fri", "sat", "sun"))
    text = f'version = "1"\n[[rule]]\nregion = "US"\n{days}\n{SOURCE}'
    midnight = datetime(2026, 11, 25, 5, tzinfo=UTC)
    assert load(text).judge("+12125550100", postal_code=None, at=midnight).is_open
    assert load(text).judge("+12125550100", postal_code=None, at=midnight - timedelta(minutes=5)).is_open


def test_a_time_that_a_clock_shows_twice_or_never_is_read_the_careful_way() -> None:
    days = "\n".join(f'{day} = ["{{0}}"]' for day in ("mon_fri", "sat", "sun"))
    text = f'version = "1"\nmargin_minutes = 0\n[[rule]]\nregion = "US"\n{days}\n{SOURCE}'

    def closes(hours: str, at: datetime) -> datetime | None:
        return load(text.replace("{0}", hours)).judge("+12125550100", postal_code=None, at=at).closes_at

    def opens(hours: str, at: datetime) -> datetime | None:
        return load(text.replace("{0}", hours)).judge("+12125550100", postal_code=None, at=at).opens_at

    back, forward = datetime(2026, 11, 1, 4, tzinfo=UTC), datetime(2027, 3, 14, 5, tzinfo=UTC)  # midnight there
    assert closes('00:00", "01:30', back) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)  # the first of two
    assert opens('01:30", "12:00', back) == datetime(2026, 11, 1, 6, 30, tzinfo=UTC)  # the second of two
    assert closes('00:00", "02:30', forward) == datetime(2027, 3, 14, 6, 30, tzinfo=UTC)  # before there is none
    assert opens('02:30", "12:00', forward) == datetime(2027, 3, 14, 7, 30, tzinfo=UTC)  # after there was none


UNSURE = SOURCE.replace('"S"', '"X"')
RULE = '[[rule]]\nregion = "US-NY"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version = ", r"The file of calling hours is not valid TOML: Invalid value"),
        ("", r"version is missing"),
        ('version = "1"\nmargins = 5', r"margins is unknown here\. Known are .*margin_minutes"),
        ('version = "1"\nmargin_minutes = "15"', r"margin_minutes is not a whole number from 0 on"),
        ('version = "1"\nholidays_until = "2030-12-31"', r"holidays_until is not a date\. .*without quotation marks"),
        ('version = "1"\nrule = 3', r"rule is not a list of tables\. Write \[\[rule\]\] above each"),
        (f'version = "1"\n[[rule]]\nregion = "FL"\n{SOURCE}', r"region 'FL' is unknown\. Write it like US, US-FL"),
        (f'version = "1"\n[[rule]]\nregion = "US-FLA"\n{SOURCE}', r"region 'US-FLA' is unknown"),
        (f'version = "1"\n[[rule]]\n{SOURCE}', r"\[\[rule\]\] 1: region is missing"),
        (f'version = "1"\n{RULE}channels = ["fax"]\n{SOURCE}', r"\(US-NY\): channels has fax"),
        (f'version = "1"\n{RULE}sat = ["9:00", "17:00"]\n{SOURCE}', r"sat is \['9:00', '17:00'\]\. Write \[\"08:00\""),
        (f'version = "1"\n{RULE}sat = ["17:00", "09:00"]\n{SOURCE}', r"the earlier time first"),
        (f'version = "1"\n{RULE}sat = ["09:00", "25:00"]\n{SOURCE}', r"sat is "),
        (f'version = "1"\n{RULE}sat = "shut"\n{SOURCE}', r"sat is \['shut'\]"),
        (f'version = "1"\n{RULE}sat = 9\n{SOURCE}', r"sat is not a list of texts"),
        (f'version = "1"\n{RULE}zones = ["Eastern"]\n{SOURCE}', r"zones has Eastern"),
        (f'version = "1"\n{RULE}ban = "all"\n{SOURCE}', r"ban is 'all'\. Write prerecorded or mobile"),
        (
            f'version = "1"\n{RULE}consent = ["oral"]\n{SOURCE}',
            r"consent has oral\. Write express, written, relationship",
        ),
        (f'version = "1"\n{RULE}consent = []\n{SOURCE}', r"consent is not a list of texts"),
        (f'version = "1"\n{RULE}opt_out_days = "5"\n{SOURCE}', r"opt_out_days is not a whole number from 0"),
        (f'version = "1"\n{RULE}effective_from = "2026-10-18"\n{SOURCE}', r"effective_from is not a date"),
        (
            f'version = "1"\n{RULE}effective_from = 2026-10-18\neffective_until = 2026-10-17\n{SOURCE}',
            r"effective_until is before effective_from",
        ),
        (f'version = "1"\n{RULE}caps = [{{ count = 1, days = 0 }}]\n{SOURCE}', r"days is not a whole number from 1"),
        (f'version = "1"\n{RULE}caps = [{{ count = 1, days = 1, per = "day" }}]\n{SOURCE}', r"per is 'day'"),
        (f'version = "1"\n{RULE}caps = [{{ count = 1, weeks = 1, days = 1 }}]\n{SOURCE}', r"weeks is unknown here"),
        (f'version = "1"\n{RULE}caps = [{{ count = 3 }}]\n{SOURCE}', r"hours is missing"),
        (f'version = "1"\n{RULE}caps = [{{ count = 0, hours = 24 }}]\n{SOURCE}', r"count is not a whole number from 1"),
        (f'version = "1"\n{RULE}sunday = "closed"\n{SOURCE}', r"sunday is unknown here"),
        (
            f'version = "1"\n{RULE}{UNSURE}',
            r"confidence is 'X'",
        ),
        (f'version = "1"\n[[holidays]]\nregion = "US-LA"\n{SOURCE}', r"days is missing"),
        (
            f'version = "1"\n[[holidays]]\nregion = "US-LA"\n{SOURCE}[holidays.days]\n"A day" = ["2027-02-09"]',
            r"A day is not a list of dates",
        ),
        (
            f'version = "1"\n[[paused]]\nregion = "US-NY"\nfrom = 2026-12-01\nwhy = "w"\n{SOURCE}',
            r"from is not a point in time",
        ),
        (
            f'version = "1"\n[[paused]]\nregion = "US-NY"\nfrom = 2026-12-02T00:00:00Z\nto = 2026-12-01T00:00:00Z\n'
            f'why = "w"\n{SOURCE}',
            r"to is not after from",
        ),
    ],
)
def test_a_file_that_cannot_be_read_says_what_to_change_and_that_nothing_was_sent(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as raised:
        load_rulebook(text)
    assert "Nothing was sent" in str(raised.value)
