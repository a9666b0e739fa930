"""The law of each place as it stands since the tables were last checked, on both sides of each edge."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from airflow_provider_dropcowboy.screening.calling_hours import CallingHours, Mode
from airflow_provider_dropcowboy.screening.places import clock
from airflow_provider_dropcowboy.screening.screen import NO_CONSENT, Consent, Ruling, unmet

MINUTE = timedelta(minutes=1)
EXPRESS, RELATIONSHIP = frozenset({Consent.EXPRESS}), frozenset({Consent.RELATIONSHIP})
WRITTEN = frozenset({Consent.WRITTEN, Consent.EXPRESS})
NOON = datetime(2026, 11, 24, 18, tzinfo=UTC)
"""A Tuesday, between 10:00 in Vancouver and 14:30 in St. John's."""
SOURCE = 'cite = "c"\nsource = "s"\nconfidence = "S"\n'


def judge(
    state: str, at: datetime, *, channel: str = "rvm", kind: str = "marketing", mode: Mode = Mode.STATE, text: str = ""
) -> Ruling:
    """The ruling for somebody of the state, up to the legal end."""
    rules = f'version = "test"\nmargin_minutes = 0\n{text}'
    hours = CallingHours.load(mode, channel=channel, message_kind=kind, rules_text=rules)
    return hours.judge("+12125550100", postal_code=None, state=state, at=at)


def local(day: date, at: str, zone: str) -> datetime:
    """A time of a wall clock."""
    return datetime.combine(day, time.fromisoformat(at), clock(zone)).astimezone(UTC)


@pytest.mark.parametrize("channel", ["rvm", "sms"])
@pytest.mark.parametrize(
    ("day", "opens", "closes"),
    [
        (date(2026, 10, 16), "08:00", "21:00"),  # the last Friday of the old law
        (date(2026, 10, 17), "08:00", "21:00"),  # its last day, a Saturday
        (date(2026, 10, 11), "08:00", "21:00"),  # its last Sunday
        (date(2026, 10, 18), None, None),  # Act 47 of 2026 begins, on a Sunday
        (date(2026, 10, 19), "09:00", "19:00"),
        (date(2026, 10, 24), "09:00", "19:00"),  # a Saturday
        (date(2026, 10, 25), None, None),
        (date(2026, 11, 26), None, None),  # Thanksgiving
    ],
)
def test_pennsylvania_calls_from_nine_to_seven_and_not_on_sundays_since_the_18th_of_october(
    channel: str, day: date, opens: str | None, closes: str | None
) -> None:
    zone = "America/New_York"
    if opens is None or closes is None:
        hours = [local(day, f"{hour:02}:00", zone) for hour in range(24)]
        assert not any(judge("PA", at, channel=channel).is_open for at in hours)
        return
    begins, ends = local(day, opens, zone), local(day, closes, zone)
    assert not judge("PA", begins - MINUTE, channel=channel).is_open
    assert judge("PA", begins, channel=channel).is_open
    assert judge("PA", ends - MINUTE, channel=channel).is_open
    assert not judge("PA", ends, channel=channel).is_open


def test_a_dry_run_for_next_month_obeys_next_months_law() -> None:
    saturday = local(date(2026, 10, 17), "21:00", "America/New_York")
    assert judge("PA", saturday).opens_at == local(date(2026, 10, 19), "09:00", "America/New_York")


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ('ban = "prerecorded"', (True, False), (False, True)),
        ('ban = "mobile"', (True, False), (False, True)),
        ('mon_fri = "closed"', (True, False), (False, False)),
    ],
)
def test_a_law_begins_and_ends_at_midnight_of_the_place(
    text: str, before: tuple[bool, bool], after: tuple[bool, bool]
) -> None:
    all_day = "".join(f'{day} = ["00:00", "24:00"]\n' for day in ("mon_fri", "sat", "sun"))
    rules = f'[[rule]]\nregion = "US"\n{all_day}{SOURCE}[[rule]]\nregion = "US-HI"\n{text}\n'
    rules += f"effective_from = 2026-12-01\neffective_until = 2026-12-03\n{SOURCE}"
    hours = CallingHours.load(
        Mode.STATE, channel="rvm", message_kind="marketing", rules_text=f'version = "1"\nmargin_minutes = 0\n{rules}'
    )
    begins = local(date(2026, 12, 1), "00:00", "Pacific/Honolulu")
    ends = local(date(2026, 12, 4), "00:00", "Pacific/Honolulu")
    found = [
        hours.judge("+18085550100", postal_code=None, at=at) for at in (begins - MINUTE, begins, ends - MINUTE, ends)
    ]
    assert [(ruling.is_open, ruling.is_banned) for ruling in found] == [before, after, after, before]


@pytest.mark.parametrize("state", ["AR", "MA", "MI", "MT", "NC", "WA", "WY", "ME", "NE"])
def test_a_state_that_bans_recorded_sales_messages_bans_them_at_any_hour_and_nothing_else(state: str) -> None:
    ruling = judge(state, NOON)
    assert (ruling.is_open, ruling.is_banned, ruling.opens_at) == (False, True, None)
    assert f"US-{state} (" in ruling.rule
    assert judge(state, NOON, kind="informational").is_open
    assert judge(state, NOON, channel="sms").is_open
    assert not judge(state, NOON, mode=Mode.FEDERAL).is_banned


def test_a_ban_whose_text_was_not_seen_is_called_unverified() -> None:
    assert "unverified" in judge("ME", NOON).rule
    assert "to mobiles, which any number may be, are banned" in judge("NE", NOON).rule


@pytest.mark.parametrize("state", ["CA", "IN", "KY", "LA", "MN", "RI", "TN", "VA", "AZ", "ON", "QC", "BC"])
def test_express_consent_is_wanted_for_a_recorded_sales_message(state: str) -> None:
    needs = judge(state, NOON).needs
    assert needs
    assert unmet(needs, EXPRESS) is None
    assert unmet(needs, NO_CONSENT) is not None
    assert judge(state, NOON, kind="informational").needs == ()


@pytest.mark.parametrize("state", ["CA", "KY", "LA", "MN", "RI", "TN", "VA", "AZ", "ON"])
def test_a_relationship_is_no_express_consent(state: str) -> None:
    assert unmet(judge(state, NOON).needs, RELATIONSHIP) is not None


@pytest.mark.parametrize("state", ["IN", "ND", "SC", "UT"])
def test_a_relationship_will_do_where_the_law_says_so(state: str) -> None:
    for given in (EXPRESS, RELATIONSHIP):
        assert unmet(judge(state, NOON).needs, given) is None
    assert unmet(judge(state, NOON).needs, NO_CONSENT) is not None


@pytest.mark.parametrize("state", ["CT", "FL", "MD", "OK"])
def test_written_consent_is_wanted_where_the_law_says_so(state: str) -> None:
    assert unmet(judge(state, NOON).needs, WRITTEN) is None
    assert unmet(judge(state, NOON).needs, EXPRESS | RELATIONSHIP) is not None


@pytest.mark.parametrize("state", ["NM", "NJ"])
def test_consent_and_a_relationship_are_wanted_together(state: str) -> None:
    needs = judge(state, NOON).needs
    assert unmet(needs, EXPRESS | RELATIONSHIP) is None
    for given in (EXPRESS, RELATIONSHIP):
        assert unmet(needs, given) is not None


def test_the_consent_that_a_text_has_by_itself_is_enough_in_every_state() -> None:
    for state in ("AZ", "LA", "NJ", "WA", "CT", "MD", "FL", "ON"):
        assert unmet(judge(state, NOON, channel="sms").needs, EXPRESS) is None


def test_a_state_without_such_a_law_wants_no_consent_of_its_own() -> None:
    for state in ("NY", "OH", "GA", "IL", "TX"):
        assert judge(state, NOON).needs == ()


def test_canada_wants_consent_for_recordings_in_the_federal_mode_too_and_the_states_do_not() -> None:
    assert unmet(judge("ON", NOON, mode=Mode.FEDERAL).needs, RELATIONSHIP) is not None
    assert judge("MN", NOON, mode=Mode.FEDERAL).needs == ()


def test_british_columbia_allows_one_message_in_30_days_and_maine_one_in_eight_hours() -> None:
    for channel in ("rvm", "sms"):
        assert judge("BC", NOON, channel=channel).caps == ((1, timedelta(days=30)),)
    assert judge("AB", NOON).caps == ()
    assert judge("ME", NOON, kind="informational").caps == ((1, timedelta(hours=8)),)
    assert judge("ME", NOON, channel="sms").caps == ()


@pytest.mark.parametrize("channel", ["rvm", "sms"])
def test_puerto_rico_opens_at_nine(channel: str) -> None:
    nine = local(date(2026, 11, 22), "09:00", "America/Puerto_Rico")  # a Sunday
    assert not judge("PR", nine - MINUTE, channel=channel).is_open
    assert judge("PR", nine, channel=channel).is_open
    assert judge("PR", nine + timedelta(hours=12) - MINUTE, channel=channel).is_open
    assert not judge("PR", nine + timedelta(hours=12), channel=channel).is_open


def test_california_keeps_its_own_clock_for_people_who_are_elsewhere() -> None:
    hours = CallingHours.load(
        Mode.STATE, channel="rvm", message_kind="marketing", rules_text='version = "1"\nmargin_minutes = 0'
    )
    eastern = [
        hours.judge("+12135550100", postal_code=None, state="CA", timezone="America/New_York", at=at).is_open
        for at in (
            local(date(2026, 11, 24), "11:59", "America/New_York"),
            local(date(2026, 11, 24), "12:00", "America/New_York"),  # 9:00 in Los Angeles
            local(date(2026, 11, 24), "20:59", "America/New_York"),
            local(date(2026, 11, 24), "21:00", "America/New_York"),
        )
    ]
    assert eastern == [False, True, True, False]


def test_arkansas_keeps_the_federal_hours_for_what_it_does_not_ban() -> None:
    eight = local(date(2026, 11, 24), "08:00", "America/Chicago")
    assert not judge("AR", eight - MINUTE, kind="informational").is_open
    assert judge("AR", eight, kind="informational").is_open


def test_a_users_file_lifts_and_sets_consent() -> None:
    lifted = f'[[rule]]\nregion = "US-MN"\nchannels = ["rvm"]\n{SOURCE}'
    assert judge("MN", NOON, text=lifted).needs == ()
    strict = f'[[rule]]\nregion = "US-NY"\nconsent = ["written", "express+relationship"]\n{SOURCE}'
    (need,) = judge("NY", NOON, text=strict, channel="sms").needs
    assert str(need) == "US-NY (c) needs consent: written or express+relationship"
    assert unmet([need], EXPRESS) is need
    assert unmet([need], EXPRESS | RELATIONSHIP) is None
