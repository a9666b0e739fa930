"""Where, when and why somebody may be called."""

from datetime import UTC, datetime, timedelta

import pytest

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.screening.calling_hours import CallingHours, Mode
from airflow_provider_dropcowboy.screening.places import load_places, zone_rules
from airflow_provider_dropcowboy.screening.screen import Ruling

TUESDAY = datetime(2026, 11, 24, tzinfo=UTC)
"""New York is five hours behind UTC, Chicago six, Los Angeles eight, Honolulu ten."""


def at(text: str) -> datetime:
    """A moment of that Tuesday, or of the night after it (``26:00``)."""
    hour, minute = map(int, text.split(":"))
    return TUESDAY + timedelta(hours=hour, minutes=minute)


def judge(
    e164: str,
    moment: datetime,
    *,
    mode: Mode = Mode.STATE,
    channel: str = "rvm",
    kind: str = "marketing",
    postal_code: str | None = None,
    text: str | None = None,
) -> Ruling:
    """A ruling by rules that are loaded for it."""
    hours = CallingHours.load(mode, channel=channel, message_kind=kind, rules_text=text)
    return hours.judge(e164, postal_code=postal_code, at=moment)


def test_a_new_york_number_with_a_zip_code_of_beverly_hills_is_called_while_both_may_be() -> None:
    closed = judge("+12125550100", at("16:59"), postal_code="90210")
    assert (closed.is_open, closed.opens_at) == (False, at("17:00"))  # 9:00 in California, for a voicemail
    opened = judge("+12125550100", at("17:00"), postal_code="90210")
    assert (opened.is_open, opened.closes_at) == (True, at("25:45"))  # 20:45 in New York
    assert opened.zones == ("America/Los_Angeles", "America/New_York")
    assert opened.regions == ("US-CA", "US-NY")


@pytest.mark.parametrize(
    ("e164", "opens", "closes"),
    [
        ("+18125550100", "15:00", "24:45"),  # Indiana, voicemail 9 to 20: 9:00 in Chicago, 19:45 in Indianapolis
        ("+12705550100", "16:00", "25:45"),  # Kentucky, 10 to 21
        ("+18505550100", "14:00", "24:45"),  # Florida, 8 to 20
        ("+16895550100", "13:00", "24:45"),  # Orlando: Eastern time alone
        ("+18085550100", "18:00", "30:45"),  # Honolulu, 8 to 21
    ],
)
def test_an_area_code_with_two_zones_is_called_while_both_are_open(e164: str, opens: str, closes: str) -> None:
    before = judge(e164, at(opens) - timedelta(minutes=1))
    assert (before.is_open, before.opens_at) == (False, at(opens))
    assert judge(e164, at(opens)).closes_at == at(closes)
    assert judge(e164, at(closes) - timedelta(minutes=1)).is_open
    assert not judge(e164, at(closes)).is_open


@pytest.mark.parametrize("area_code", ["206", "307", "617"])
def test_washington_wyoming_and_massachusetts_ban_prerecorded_sales_messages(area_code: str) -> None:
    number, noon = f"+1{area_code}5550100", at("18:00")
    ruling = judge(number, noon)
    assert (ruling.is_open, ruling.is_banned, ruling.opens_at) == (False, True, None)
    assert ruling.rule.startswith("prerecorded sales messages are banned: US-")
    assert judge(number, noon, kind="informational").is_open
    assert judge(number, noon, channel="sms").is_open
    assert judge(number, noon, mode=Mode.FEDERAL).is_open


def test_a_zip_code_in_washington_bans_a_sales_message_to_a_number_of_new_york() -> None:
    assert judge("+12125550100", at("18:00"), postal_code="98101").is_banned


@pytest.mark.parametrize(("area_code", "state"), [("407", "FL"), ("410", "MD"), ("405", "OK"), ("503", "OR")])
def test_four_states_allow_three_messages_in_a_day(area_code: str, state: str) -> None:
    for channel in ("rvm", "sms"):
        ruling = judge(f"+1{area_code}5550100", at("18:00"), channel=channel)
        assert (ruling.caps, ruling.regions) == (((3, timedelta(hours=24)),), (f"US-{state}",))
        assert judge(f"+1{area_code}5550100", at("18:00"), channel=channel, mode=Mode.FEDERAL).caps == ()


def test_the_federal_hours_are_eight_to_nine_in_every_state() -> None:
    for number in ("+14015550100", "+15025550100", "+15045550100"):  # Rhode Island, Kentucky, Louisiana
        assert not judge(number, at("12:59"), mode=Mode.FEDERAL).is_open
    assert judge("+14015550100", at("13:00"), mode=Mode.FEDERAL).closes_at == at("25:45")
    thanksgiving = datetime(2026, 11, 26, 18, tzinfo=UTC)
    assert judge("+15045550100", thanksgiving, mode=Mode.FEDERAL).is_open


def test_canada_keeps_its_own_hours_in_the_federal_mode_too() -> None:
    assert not judge("+14165550100", at("13:59"), mode=Mode.FEDERAL).is_open
    assert judge("+14165550100", at("14:00"), mode=Mode.FEDERAL).closes_at == at("26:15")


def test_everybody_may_be_called_when_calling_hours_are_off() -> None:
    for number in ("+12065550100", "+18005550100", "+442079460018"):
        ruling = judge(number, at("05:00"), mode=Mode.OFF)
        assert ruling == Ruling(True, None, None, is_banned=False, rule="calling hours are off")


@pytest.mark.parametrize(
    ("e164", "postal_code", "why"),
    [
        ("+18005550100", None, "the number belongs to no place"),
        ("+12125550100", "09012", "armed forces"),
        ("+442079460018", None, "no calling hours are known for GB"),
        ("+18765550100", None, "no calling hours are known for JM"),
    ],
)
def test_where_the_hour_is_unknown_nobody_is_called_and_the_rule_says_why(
    e164: str, postal_code: str | None, why: str
) -> None:
    for mode in (Mode.STATE, Mode.FEDERAL):
        ruling = judge(e164, at("18:00"), mode=mode, postal_code=postal_code)
        assert (ruling.is_open, ruling.opens_at, ruling.is_banned) == (False, None, False)
        assert ruling.rule.startswith("held: ")
        assert why in ruling.rule


def test_a_state_column_that_cannot_be_read_holds_the_row() -> None:
    hours = CallingHours.load(Mode.STATE, channel="sms", message_kind="marketing")
    ruling = hours.judge("+12125550100", postal_code=None, state="N.Y.", at=at("18:00"))
    assert not ruling.is_open
    assert "two letters" in ruling.rule


def test_the_ruling_names_the_rules_their_statutes_and_the_version() -> None:
    opened = judge("+14075550100", at("18:00"))
    assert opened.rule == (
        "open: US (47 CFR 64.1200(c)(1); 16 CFR 310.4(c)), US-FL (Fla. Stat. 501.616(6)(a), (b)); "
        f"calling hours 2026.11.28, time zones {zone_rules().version}"
    )
    closed = judge("+14075550100", at("25:30"))  # 20:30: open by the federal rule
    assert closed.rule.startswith("closed: US-FL (Fla. Stat. 501.616(6)(a), (b)); calling hours 2026.11.28, time ")
    assert judge("+14075550100", at("24:50")).rule.startswith("closed: the margin before the end")


def test_a_rule_that_nobody_has_checked_is_called_unverified() -> None:
    ruling = judge("+14165550100", at("13:59"), channel="sms")  # no law was found that sets hours for texts to Canada
    assert ruling.rule.startswith(
        "closed: CA (CRTC Unsolicited Telecommunications Rules, Part III, by analogy, unverified); "
    )
    assert "unverified" not in judge("+14075550100", at("18:00")).rule


def test_the_longest_weekend_ends_in_an_opening() -> None:
    friday = datetime(2026, 12, 24, 23, tzinfo=UTC)  # Christmas Day is a Friday; Maine's voicemails are for weekdays
    maine = judge("+12075550100", friday, kind="informational")
    assert maine.opens_at == datetime(2026, 12, 25, 14, tzinfo=UTC)
    louisiana = judge("+15045550100", datetime(2026, 12, 23, 23, 59, tzinfo=UTC) + timedelta(hours=3))
    assert louisiana.opens_at == datetime(2026, 12, 28, 14, tzinfo=UTC)  # the 24th to the 26th, then Sunday


def test_what_is_never_open_has_no_next_opening() -> None:
    text = 'version = "1"\n[[rule]]\nregion = "US-NJ"\nmon_fri = "closed"\nsat = "closed"\nsun = "closed"\n'
    ruling = judge("+12015550100", at("18:00"), text=text + 'cite = "c"\nsource = "s"\nconfidence = "S"')
    assert (ruling.is_open, ruling.opens_at, ruling.is_banned) == (False, None, False)


def test_the_rules_are_not_used_past_the_holidays_they_know() -> None:
    for mode in (Mode.FEDERAL, Mode.OFF):
        assert judge("+12125550100", datetime(2029, 1, 2, 18, tzinfo=UTC), mode=mode).is_open
    with pytest.raises(ConfigurationError, match="know the holidays until 2028-12-31, and it is 2029-01-02"):
        judge("+12125550100", datetime(2029, 1, 2, 18, tzinfo=UTC))


def test_an_unknown_area_code_is_called_when_the_whole_country_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(load_places()._area_codes, "212")
    ruling = judge("+12125550100", at("18:30"), channel="sms")
    assert (ruling.is_open, ruling.opens_at) == (False, at("20:00"))  # 10:00 in Honolulu, for Kentucky's rule
    assert judge("+12125550100", at("20:00"), channel="sms").closes_at == at("22:45")  # 17:45 in New York: Rhode Island
    assert judge("+12125550100", at("20:00"), mode=Mode.FEDERAL).is_open


def test_an_unknown_area_code_is_held_where_it_may_lie_in_a_state_with_a_ban(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(load_places()._area_codes, "212")
    ruling = judge("+12125550100", at("20:00"))
    assert (ruling.is_open, ruling.is_banned, ruling.opens_at) == (False, False, None)
    assert "the area code 212 is in no table: give a postal code" in ruling.rule
    assert judge("+12125550100", at("20:00"), postal_code="10001").is_open


def test_an_area_code_that_the_library_does_not_know_yet_takes_the_same_way() -> None:
    assert judge("+18615550100", at("20:00"), channel="sms").is_open
    assert "the area code 861 is in no table: give a postal code" in judge("+18615550100", at("20:00")).rule
    assert judge("+18615550100", at("20:00"), postal_code="60601").regions == ("US-IL",)


@pytest.mark.parametrize(
    ("e164", "winter"),
    [
        ("+16045550100", "28:15"),  # Vancouver keeps UTC-7 in winter since 2026-11-01
        ("+14035550100", "27:15"),  # Calgary UTC-6
        ("+12045550100", "26:15"),  # Winnipeg UTC-5
    ],
)
def test_places_that_gave_up_winter_time_close_by_their_law(e164: str, winter: str) -> None:
    assert judge(e164, at("20:00")).closes_at == at(winter)


def test_rules_of_time_zones_that_are_older_than_the_tables_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_places(), "zone_version", "2099a")
    for mode in (Mode.STATE, Mode.FEDERAL):
        with pytest.raises(ConfigurationError, match=r"need 2099a or newer.*Nothing was sent.*upgrade tzdata"):
            CallingHours.load(mode, channel="rvm", message_kind="marketing")
    CallingHours.load(Mode.OFF, channel="rvm", message_kind="marketing")


@pytest.mark.parametrize(("channel", "kind"), [("fax", "marketing"), ("rvm", "friendly")])
def test_an_unknown_channel_or_kind_of_message_is_refused(channel: str, kind: str) -> None:
    with pytest.raises(ConfigurationError, match="are unknown"):
        CallingHours.load(Mode.STATE, channel=channel, message_kind=kind)
