"""Each state's hours, at the minute before, at and after each border, as a lawyer would write them down."""

from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import cache

import pytest

from airflow_provider_dropcowboy.screening.calling_hours import CallingHours, Mode
from airflow_provider_dropcowboy.screening.places import clock

MINUTE = timedelta(minutes=1)
MARGIN = timedelta(minutes=15)

DAYS = {
    "a Wednesday": (date(2026, 8, 19), 0),
    "a Saturday": (date(2026, 8, 22), 1),
    "a Sunday": (date(2026, 8, 23), 2),
    "the Sunday on which the clocks go back": (date(2026, 11, 1), 2),
    "the Monday after": (date(2026, 11, 2), 0),
    "the Saturday before the clocks go forward": (date(2027, 3, 13), 1),
    "the Sunday on which the clocks go forward": (date(2027, 3, 14), 2),
    "the Monday after that": (date(2027, 3, 15), 0),
}
"""None is a holiday anywhere; the number is the column below."""

# state, its zone, then Monday to Friday, Saturday, Sunday; for texts the same unless a line says otherwise
VOICEMAILS = """
AL Chicago      08:00-20:00 08:00-20:00 -
CA Los_Angeles  09:00-21:00 09:00-21:00 09:00-21:00
CT New_York     09:00-20:00 09:00-20:00 09:00-20:00
FL New_York     08:00-20:00 08:00-20:00 08:00-20:00
IL Chicago      09:00-21:00 09:00-21:00 09:00-21:00
IN Indianapolis 09:00-20:00 09:00-20:00 09:00-20:00
KY New_York     10:00-21:00 10:00-21:00 10:00-21:00
LA Chicago      08:00-20:00 08:00-20:00 -
MA New_York     08:00-20:00 08:00-20:00 08:00-20:00
MD New_York     08:00-20:00 08:00-20:00 08:00-20:00
ME New_York     09:00-17:00 -           -
MI Detroit      09:00-21:00 09:00-21:00 09:00-21:00
MN Chicago      09:00-21:00 09:00-21:00 09:00-21:00
NE Chicago      08:00-21:00 08:00-21:00 13:00-21:00
NM Denver       09:00-21:00 09:00-21:00 09:00-21:00
NV Los_Angeles  09:00-20:00 09:00-20:00 09:00-20:00
OK Chicago      09:00-20:00 09:00-20:00 09:00-20:00
OR Los_Angeles  08:00-20:00 08:00-20:00 08:00-20:00
PR Puerto_Rico  09:00-21:00 09:00-21:00 09:00-21:00
RI New_York     09:00-18:00 10:00-17:00 -
SC New_York     08:00-19:00 08:00-19:00 08:00-19:00
SD Chicago      10:00-21:00 -           -
TX Chicago      09:00-21:00 09:00-21:00 12:00-21:00
UT Denver       08:00-21:00 08:00-21:00 -
WA Los_Angeles  08:00-20:00 08:00-20:00 08:00-20:00
WY Denver       08:00-20:00 08:00-20:00 08:00-20:00
ON Toronto      09:00-21:30 10:00-18:00 10:00-18:00
BC Vancouver    09:00-21:30 10:00-18:00 10:00-18:00
NL St_Johns     09:00-21:30 10:00-18:00 10:00-18:00
"""
TEXTS = """
CA Los_Angeles  08:00-21:00 08:00-21:00 08:00-21:00
IL Chicago      08:00-21:00 08:00-21:00 08:00-21:00
IN Indianapolis 08:00-21:00 08:00-21:00 08:00-21:00
ME New_York     08:00-21:00 08:00-21:00 08:00-21:00
MN Chicago      08:00-21:00 08:00-21:00 08:00-21:00
NE Chicago      08:00-21:00 08:00-21:00 08:00-21:00
OK Chicago      08:00-20:00 08:00-20:00 08:00-20:00
SC New_York     08:00-21:00 08:00-21:00 08:00-21:00
SD Chicago      09:00-21:00 09:00-21:00 -
"""
AS_FEDERAL = {
    "AK": "Anchorage", "AR": "Chicago", "AZ": "Phoenix", "CO": "Denver", "DC": "New_York", "DE": "New_York",
    "GA": "New_York",
    "HI": "Honolulu", "IA": "Chicago", "ID": "Boise", "KS": "Chicago", "MO": "Chicago", "MT": "Denver",
    "NC": "New_York", "ND": "Chicago", "NH": "New_York", "NJ": "New_York", "NY": "New_York", "OH": "New_York",
    "TN": "Chicago", "VA": "New_York", "VT": "New_York", "WI": "Chicago", "WV": "New_York",
}  # fmt: skip
ZONES = {"Honolulu": "Pacific/Honolulu", "Indianapolis": "America/Indiana/Indianapolis"}

Table = Mapping[str, tuple[str, list[str]]]  # state → zone, hours


def read(text: str) -> Table:
    """The table above."""
    rows = [line.split() for line in text.strip().splitlines()]
    return {state: (ZONES.get(zone, f"America/{zone}"), hours) for state, zone, *hours in rows}


FEDERAL = {state: (ZONES.get(zone, f"America/{zone}"), ["08:00-21:00"] * 3) for state, zone in AS_FEDERAL.items()}
HOURS: Mapping[str, Table] = {
    "rvm": {**FEDERAL, **read(VOICEMAILS)},
    "sms": {**FEDERAL, **read(VOICEMAILS), **read(TEXTS)},
}
CASES = [(channel, state) for channel, table in HOURS.items() for state in table]


@cache
def hours_of(channel: str, *, margin_minutes: int = 0) -> CallingHours:
    """All states' rules, up to the legal end."""
    text = f'version = "test"\nmargin_minutes = {margin_minutes}'
    return CallingHours.load(Mode.STATE, channel=channel, message_kind="informational", rules_text=text)


def is_open(channel: str, state: str, zone: str, *, at: datetime, margin_minutes: int = 0) -> bool:
    """Whether somebody of the state and zone may be called."""
    hours = hours_of(channel, margin_minutes=margin_minutes)
    return hours.judge("+12125550100", postal_code=None, state=state, timezone=zone, at=at).is_open


def instant(day: date, text: str, zone: str) -> datetime:
    """A time of the wall clock, in UTC."""
    return datetime.combine(day, time.fromisoformat(text), clock(zone)).astimezone(UTC)


def test_every_state_and_territory_with_rules_is_in_the_table() -> None:
    states = {*read(VOICEMAILS), *AS_FEDERAL, "MS", "PA"}  # those two have tests of their own below
    assert len(states - {"PR", "ON", "BC", "NL"}) == 51


@pytest.mark.parametrize(("channel", "state"), CASES)
@pytest.mark.parametrize("day", DAYS)
def test_nobody_is_called_a_minute_before_or_after_the_hours_of_their_state(channel: str, state: str, day: str) -> None:
    zone, columns = HOURS[channel][state]
    on, column = DAYS[day]
    if columns[column] == "-":
        around = [instant(on, "00:00", zone) + timedelta(minutes=minutes) for minutes in range(8 * 60, 21 * 60, 15)]
        assert not any(is_open(channel, state, zone, at=at) for at in around)
        return
    opens, closes = (instant(on, text, zone) for text in columns[column].split("-"))
    assert not is_open(channel, state, zone, at=opens - MINUTE)
    assert is_open(channel, state, zone, at=opens)
    assert is_open(channel, state, zone, at=opens + MINUTE)
    assert is_open(channel, state, zone, at=closes - MINUTE)
    assert not is_open(channel, state, zone, at=closes)
    assert not is_open(channel, state, zone, at=closes + MINUTE)


@pytest.mark.parametrize(("channel", "state"), CASES)
def test_asking_ends_a_quarter_of_an_hour_before_the_hours_do(channel: str, state: str) -> None:
    zone, columns = HOURS[channel][state]
    closes = instant(date(2026, 8, 19), columns[0].split("-")[1], zone)
    for at, expected in ((closes - MARGIN - MINUTE, True), (closes - MARGIN, False), (closes - MINUTE, False)):
        assert is_open(channel, state, zone, at=at, margin_minutes=15) is expected


HOLIDAYS = {
    "AL": ["2026-12-01", "2026-07-03", "2027-07-05", "2027-02-09", "2026-11-26"],
    "LA": ["2027-02-09", "2026-12-24", "2026-12-26", "2026-12-31", "2027-03-26", "2026-11-26"],
    "PA": ["2026-12-15", "2027-06-14", "2026-11-03", "2026-11-26"],
    "RI": ["2027-05-04", "2028-11-07", "2026-07-06", "2026-08-10", "2027-12-27", "2026-11-26"],
    "UT": ["2028-07-24", "2026-06-15", "2027-06-21", "2026-11-26"],
    "BC": ["2026-12-25", "2026-12-26", "2027-03-29", "2027-07-01"],
}


@pytest.mark.parametrize(("state", "day"), [(state, day) for state, days in HOLIDAYS.items() for day in days])
def test_nobody_is_called_on_a_holiday_of_a_state_that_keeps_them(state: str, day: str) -> None:
    noon = instant(date.fromisoformat(day), "12:00", "America/New_York")
    assert not is_open("rvm", state, "America/New_York", at=noon)
    assert not is_open("sms", state, "America/New_York", at=noon)


@pytest.mark.parametrize(("state", "day"), [("ON", "2026-12-25"), ("QC", "2027-06-24"), ("AB", "2026-09-07")])
def test_no_province_but_british_columbia_is_known_to_ban_calls_on_a_holiday(state: str, day: str) -> None:
    noon = instant(date.fromisoformat(day), "12:00", "America/Toronto")
    assert is_open("rvm", state, "America/Toronto", at=noon)
    assert is_open("sms", state, "America/Toronto", at=noon)


@pytest.mark.parametrize("state", ["NY", "MS", "KY", "FL"])
def test_a_holiday_is_a_day_like_others_where_the_law_does_not_name_it(state: str) -> None:
    assert is_open("rvm", state, "America/Chicago", at=instant(date(2026, 11, 26), "12:00", "America/Chicago"))


def test_nebraska_calls_on_a_holiday_from_one_in_the_afternoon() -> None:
    thanksgiving = date(2026, 11, 26)
    assert not is_open("rvm", "NE", "America/Chicago", at=instant(thanksgiving, "12:59", "America/Chicago"))
    assert is_open("rvm", "NE", "America/Chicago", at=instant(thanksgiving, "13:00", "America/Chicago"))


def test_rhode_island_keeps_a_saturdays_holiday_on_monday_and_not_on_friday() -> None:
    assert is_open("sms", "RI", "America/New_York", at=instant(date(2026, 7, 3), "12:00", "America/New_York"))
    assert not is_open("sms", "RI", "America/New_York", at=instant(date(2026, 7, 6), "12:00", "America/New_York"))


def test_texas_opens_at_noon_on_sundays_by_its_own_clock_and_by_that_of_the_called_party() -> None:
    sunday = date(2026, 8, 23)
    assert not is_open("rvm", "TX", "America/Chicago", at=instant(sunday, "11:59", "America/Chicago"))
    assert is_open("rvm", "TX", "America/Chicago", at=instant(sunday, "12:00", "America/Chicago"))
    assert not is_open("rvm", "TX", "America/Denver", at=instant(sunday, "12:00", "America/Chicago"))
    assert is_open("rvm", "TX", "America/Denver", at=instant(sunday, "12:00", "America/Denver"))
    assert is_open("rvm", "TX", "America/Denver", at=instant(sunday, "19:59", "America/Denver"))
    assert not is_open("rvm", "TX", "America/Denver", at=instant(sunday, "20:00", "America/Denver"))  # 21:00 in Dallas


def test_mississippi_keeps_central_time_and_central_standard_time_wherever_its_people_are() -> None:
    for day, opens in ((date(2026, 8, 19), "09:00"), (date(2026, 11, 18), "08:00")):  # summer clocks, winter clocks
        for zone in ("America/Chicago", "America/New_York"):
            begins, ends = instant(day, opens, "America/Chicago"), instant(day, "20:00", "America/Chicago")
            assert not is_open("rvm", "MS", zone, at=begins - MINUTE)
            assert is_open("rvm", "MS", zone, at=begins)
            assert is_open("rvm", "MS", zone, at=ends - MINUTE)
            assert not is_open("rvm", "MS", zone, at=ends)
    assert not is_open("rvm", "MS", "America/Chicago", at=instant(date(2026, 8, 23), "12:00", "America/Chicago"))
