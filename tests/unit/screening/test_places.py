"""Where a number's person may be."""

import pytest

from airflow_provider_dropcowboy.screening.places import ABROAD, NOWHERE, ODD_STATE, ODD_ZONE, Places, load_places


@pytest.mark.parametrize(
    ("e164", "postal_code", "regions", "zones"),
    [
        ("+12125550100", None, "US-NY", "America/New_York"),
        ("+12125550100", "90210", "US-CA US-NY", "America/Los_Angeles America/New_York"),
        ("+12125550100", "90210-0001", "US-CA US-NY", "America/Los_Angeles America/New_York"),
        ("+16895550100", None, "US-FL", "America/New_York"),  # Orlando; phonenumbers says Chicago
        ("+13645550100", None, "US-KY", "America/Chicago America/New_York"),  # phonenumbers leaves Chicago out
        ("+14485550100", None, "US-FL", "America/Chicago America/New_York"),  # the same
        ("+18505550100", None, "US-FL", "America/Chicago America/New_York"),
        ("+12705550100", None, "US-KY", "America/Chicago America/New_York"),
        ("+16065550100", None, "US-KY", "America/Chicago America/New_York"),
        ("+18125550100", None, "US-IN", "America/Chicago America/Indiana/Indianapolis"),
        ("+19305550100", None, "US-IN", "America/Chicago America/Indiana/Indianapolis"),
        ("+12085550100", None, "US-ID", "America/Boise America/Los_Angeles"),
        ("+15415550100", None, "US-OR", "America/Boise America/Los_Angeles"),  # none of its neighbour Washington
        ("+19155550100", None, "US-TX", "America/Chicago America/Denver"),
        ("+17755550100", None, "US-NV", "America/Denver America/Los_Angeles"),
        ("+19285550100", None, "US-AZ", "America/Denver America/Phoenix"),  # the Navajo Nation keeps daylight saving
        ("+19075550100", None, "US-AK", "America/Adak America/Anchorage"),
        ("+18085550100", None, "US-HI", "Pacific/Honolulu"),
        ("+17875550100", None, "US-PR", "America/Puerto_Rico"),
        ("+14165550100", None, "CA-ON", "America/Toronto"),
        ("+18075550100", None, "CA-ON", "America/Chicago America/Toronto America/Winnipeg"),
        ("+18195550100", None, "CA-QC", "America/Halifax America/Toronto"),
        (
            "+18675550100",
            None,
            "CA-NT CA-NU CA-YT",
            "America/Cambridge_Bay America/Edmonton America/Iqaluit America/Rankin_Inlet America/Whitehorse",
        ),
        (
            "+18005550100",
            "X0B 0C0",
            "CA-NT CA-NU",
            "America/Cambridge_Bay America/Edmonton America/Iqaluit America/Rankin_Inlet",
        ),
        ("+18615550100", "60601", "US-IL", "America/Chicago"),  # newer than phonenumbers: the postal code alone
        ("+14185550100", "H2X 1Y4", "CA-QC", "America/Halifax America/Toronto"),
        ("+12125550100", "k1a0b1", "CA-ON US-NY", "America/New_York America/Toronto"),
        ("+18765550100", None, "JM", "America/Jamaica"),
        ("+442079460018", None, "GB", "Europe/London"),
        ("+493012345678", "90210", "DE", "Europe/Berlin"),  # a postal code of Germany, not of Beverly Hills
        ("+18005550100", "90210", "US-CA", "America/Los_Angeles"),
        ("+15005550100", "90210", "US-CA", "America/Los_Angeles"),
        ("+12125550100", "00000", "US-NY", "America/New_York"),
        ("+12125550100", "9021", "US-NY", "America/New_York"),
    ],
)
def test_a_person_may_be_where_the_area_code_is_and_where_the_postal_code_is(
    e164: str, postal_code: str | None, regions: str, zones: str
) -> None:
    place = load_places().locate(e164, postal_code=postal_code)
    assert (" ".join(place.regions), " ".join(place.zones), place.gap) == (regions, zones, None)


@pytest.mark.parametrize("e164", ["+18005550100", "+18335550100", "+15005550100", "+80012345678"])
def test_a_number_that_belongs_to_no_place_is_not_guessed(e164: str) -> None:
    assert load_places().locate(e164, postal_code=None).gap == NOWHERE


def test_a_postal_code_of_the_armed_forces_needs_a_time_zone() -> None:
    places = load_places()
    assert places.locate("+12125550100", postal_code="09012").gap == ABROAD
    abroad = places.locate("+12125550100", postal_code="09012", timezone="Europe/Berlin")
    assert (abroad.zones, abroad.gap) == (("Europe/Berlin",), None)


def test_a_zip_code_that_is_new_lies_where_its_neighbours_do() -> None:
    place = load_places().locate("+18005550100", postal_code="90299")
    assert (place.regions, place.zones) == (("US-CA",), ("America/Los_Angeles",))


def test_a_state_replaces_what_number_and_postal_code_say_with_all_of_its_zones() -> None:
    for state in ("FL", "fl ", "US-FL"):
        place = load_places().locate("+12125550100", postal_code="90210", state=state)
        assert (place.regions, place.zones) == (("US-FL",), ("America/Chicago", "America/New_York"))
    assert load_places().locate("+12125550100", postal_code=None, state="ON").regions == ("CA-ON",)


def test_two_letters_of_a_state_are_that_state_though_an_island_has_them_too() -> None:
    for state in ("KY", "MS"):  # the Cayman Islands, Montserrat
        assert load_places().locate("+12125550100", postal_code=None, state=state).regions == (f"US-{state}",)
    assert load_places().locate("+13455550100", postal_code=None).regions == ("KY",)


def test_a_time_zone_replaces_the_zones() -> None:
    place = load_places().locate("+18505550100", postal_code=None, timezone="America/Chicago")
    assert (place.regions, place.zones) == (("US-FL",), ("America/Chicago",))


def test_an_empty_state_or_time_zone_says_nothing() -> None:
    place = load_places().locate("+12125550100", postal_code="", state=" ", timezone="")
    assert place.regions == ("US-NY",)


@pytest.mark.parametrize(
    ("state", "timezone", "gap"),
    [("Florida?", None, ODD_STATE), (None, "Eastern", ODD_ZONE), (None, "../etc/passwd", ODD_ZONE)],
)
def test_a_state_or_time_zone_that_cannot_be_read_is_not_guessed(
    state: str | None, timezone: str | None, gap: str
) -> None:
    assert load_places().locate("+12125550100", postal_code=None, state=state, timezone=timezone).gap == gap


def test_an_area_code_that_is_in_no_table_may_be_anywhere_in_its_country(monkeypatch: pytest.MonkeyPatch) -> None:
    places = Places()
    monkeypatch.delitem(places._area_codes, "212")
    place = places.locate("+12125550100", postal_code=None)
    assert place.new_area_code == "212"
    assert {"US-HI", "US-NY", "US-WA"} < set(place.regions)
    assert {"Pacific/Honolulu", "America/New_York", "America/Anchorage"} < set(place.zones)
    assert len(place.regions) == 51
    newer = places.locate("+18615550100", postal_code=None)  # in the table of the library neither
    assert (newer.new_area_code, set(place.regions) < set(newer.regions)) == ("861", True)
    assert "CA-BC" in newer.regions


def test_rows_of_one_place_share_one_object() -> None:
    places = load_places()
    first = places.locate("+12125550100", postal_code="10001")
    assert first is places.locate("+16465550101", postal_code="10002")
