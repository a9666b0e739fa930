"""Whatever the place and the moment: what an open ruling promises, checked on the wall clocks themselves."""

from datetime import UTC, datetime, timedelta
from functools import cache

from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.screening.calling_hours import SEARCH_DAYS, CallingHours, Mode
from airflow_provider_dropcowboy.screening.places import DATA, clock
from airflow_provider_dropcowboy.screening.rule_files import load_rulebook
from airflow_provider_dropcowboy.screening.rules import Rule
from airflow_provider_dropcowboy.screening.screen import Ruling

MINUTE = timedelta(minutes=1)
MARGIN = timedelta(minutes=15)
BOOK = load_rulebook()


def codes(name: str) -> list[str]:
    """The codes of a table of places, in the US and Canada."""
    lines = (line.split("\t") for line in (DATA / name).read_text(encoding="utf-8").splitlines() if line[0] != "#")
    return [code for code, regions, zones in lines if regions[:3] in ("US-", "CA-") and zones != "-"]


ZIP_CODES = [None, *(code.ljust(5, "0") for code in codes("postal_codes.tsv"))]

numbers = st.sampled_from(codes("area_codes.tsv")).map("+1{}5550100".format)
postal_codes = st.sampled_from(ZIP_CODES)
moments = st.datetimes(datetime(2026, 1, 2), datetime(2028, 12, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy wants naive bounds
channels = st.sampled_from(["rvm", "sms"])


@cache
def hours_of(channel: str) -> CallingHours:
    """All rules but the bans."""
    return CallingHours.load(Mode.STATE, channel=channel, message_kind="informational")


def rules_of(ruling: Ruling, channel: str) -> list[Rule]:
    """The rules of all its places."""
    in_force = {*ruling.regions, *(region[:2] for region in ruling.regions)}
    return [rule for rule in BOOK.rules if rule.region in in_force and channel in rule.channels]


def is_open_on_every_clock(ruling: Ruling, rules: list[Rule], moment: datetime) -> bool:
    """What a person would find who looks at the clocks and into the book."""
    for rule in rules:
        holidays = frozenset().union(*BOOK.holidays.get(rule.region, {}).values())
        for zone in {z for name in rule.zones for z in (ruling.zones if name == "called_party" else (name,))}:
            wall_local = moment.astimezone(clock(zone))
            hours = rule.hours_on(wall_local.date(), holidays=holidays)
            if hours is None or not hours[0] <= wall_local.hour * 60 + wall_local.minute < hours[1]:
                return False
    return True


@given(numbers, postal_codes, moments, channels)
def test_an_open_ruling_is_open_on_every_clock_at_every_minute_until_it_closes(
    e164: str, postal_code: str | None, moment: datetime, channel: str
) -> None:
    ruling = hours_of(channel).judge(e164, postal_code=postal_code, at=moment)
    rules = rules_of(ruling, channel)
    is_open = is_open_on_every_clock(ruling, rules, moment)
    assert ruling.is_open == (is_open and is_open_on_every_clock(ruling, rules, moment + MARGIN))
    if ruling.closes_at is not None:
        assert ruling.closes_at > moment
        minutes = range(int((ruling.closes_at - moment) / MINUTE) + 1)
        assert all(is_open_on_every_clock(ruling, rules, moment + number * MINUTE) for number in minutes)
        assert not is_open_on_every_clock(ruling, rules, ruling.closes_at + MARGIN)


@given(numbers, postal_codes, moments, channels)
def test_the_next_opening_is_the_first_minute_that_is_open(
    e164: str, postal_code: str | None, moment: datetime, channel: str
) -> None:
    hours = hours_of(channel)
    moment = moment.replace(second=0, microsecond=0)
    ruling = hours.judge(e164, postal_code=postal_code, at=moment)
    if ruling.is_open:
        return
    until = ruling.opens_at or moment + timedelta(days=SEARCH_DAYS)
    step = MINUTE if ruling.opens_at else timedelta(hours=1)
    minutes = range(int((until - moment) / step))
    assert not any(hours.judge(e164, postal_code=postal_code, at=moment + n * step).is_open for n in minutes)
    if ruling.opens_at:
        assert hours.judge(e164, postal_code=postal_code, at=ruling.opens_at).is_open


@given(numbers, postal_codes, st.lists(moments, min_size=2, max_size=6), channels)
def test_a_ruling_does_not_depend_on_what_was_asked_before(
    e164: str, postal_code: str | None, asked: list[datetime], channel: str
) -> None:
    hours = CallingHours(Mode.STATE, BOOK, rules=hours_of(channel)._rules, has_bans=False)
    for moment in asked:
        fresh = CallingHours(Mode.STATE, BOOK, rules=hours_of(channel)._rules, has_bans=False)
        first = hours.judge(e164, postal_code=postal_code, at=moment)
        assert first == fresh.judge(e164, postal_code=postal_code, at=moment)
