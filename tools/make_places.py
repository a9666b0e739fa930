# /// script
# requires-python = ">=3.11"
# dependencies = ["phonenumbers==9.0.43", "timezonefinder==8.3.0", "tzdata==2026.6", "zipcodes==3.0.0"]
# ///
"""Write the tables of places that screening ships: ``uv run --script tools/make_places.py``.

No one list is right. phonenumbers places a new area code where its number range began (+1 689, Orlando, in Chicago),
and the list of ZIP codes lets area codes reach over state lines. So an area code belongs to the one state it was given
to, and has every zone that a ZIP code of that state with this area code has, or a longer prefix of phonenumbers. A ZIP
code has the zone of its list and that of its coordinates, where they differ. Zones are one where their clocks agree in
all coming years, by the tzdata package above: never by the operating system's copy, which may be years older.
"""

import re
import zoneinfo
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib.metadata import version
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeAlias
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
import tzdata
import zipcodes
from phonenumbers.geodata import GEOCODE_DATA
from phonenumbers.tzdata import TIMEZONE_DATA
from timezonefinder import TimezoneFinder

zoneinfo.reset_tzpath(())  # none of the operating system's

DATA: Final = Path(__file__).parents[1] / "airflow_provider_dropcowboy" / "screening" / "data"

STATES: Final = {
    "Alabama": "AL", "Alaska": "AK", "Arizona": "AZ", "Arkansas": "AR", "California": "CA", "Colorado": "CO",
    "Connecticut": "CT", "Delaware": "DE", "Florida": "FL", "Georgia": "GA", "Hawaii": "HI", "Idaho": "ID",
    "Illinois": "IL", "Indiana": "IN", "Iowa": "IA", "Kansas": "KS", "Kentucky": "KY", "Louisiana": "LA", "Maine": "ME",
    "Maryland": "MD", "Massachusetts": "MA", "Michigan": "MI", "Minnesota": "MN", "Mississippi": "MS", "Missouri": "MO",
    "Montana": "MT", "Nebraska": "NE", "Nevada": "NV", "New Hampshire": "NH", "New Jersey": "NJ", "New Mexico": "NM",
    "New York": "NY", "North Carolina": "NC", "North Dakota": "ND", "Ohio": "OH", "Oklahoma": "OK", "Oregon": "OR",
    "Pennsylvania": "PA", "Rhode Island": "RI", "South Carolina": "SC", "South Dakota": "SD", "Tennessee": "TN",
    "Texas": "TX", "Utah": "UT", "Vermont": "VT", "Virginia": "VA", "Washington State": "WA", "Washington D.C.": "DC",
    "West Virginia": "WV", "Wisconsin": "WI", "Wyoming": "WY",
}  # fmt: skip
TERRITORIES: Final = frozenset({"AS", "GU", "MP", "PR", "VI"})
ARMED_FORCES: Final = frozenset({"AA", "AE", "AP"})

PROVINCES: Final = {  # area codes, and the first letters of postal codes with their zones
    "CA-AB": ("368 403 587 780 825", {"T": "America/Edmonton"}),
    "CA-BC": (
        "236 250 257 604 672 778",
        {
            "V": "America/Vancouver",
            "V0": "America/Vancouver America/Edmonton America/Fort_Nelson",
            "V1": "America/Vancouver America/Edmonton America/Fort_Nelson",
        },
    ),
    "CA-MB": ("204 431 584", {"R": "America/Winnipeg"}),
    "CA-NB": ("428 506", {"E": "America/Moncton"}),
    "CA-NL": (
        "709 879",
        {
            "A": "America/St_Johns",
            "A0": "America/St_Johns America/Goose_Bay",
            "A2": "America/St_Johns America/Goose_Bay",
        },
    ),
    "CA-NS": ("782 902", {"B": "America/Halifax"}),
    "CA-NT": ("867", {"X": "America/Edmonton"}),
    "CA-NU": ("867", {"X": "America/Iqaluit America/Rankin_Inlet America/Cambridge_Bay"}),
    "CA-ON": (
        "226 249 289 343 365 382 416 437 519 548 613 647 683 705 742 753 807 905 942",
        {"K": "America/Toronto", "L": "America/Toronto", "M": "America/Toronto", "N": "America/Toronto",
         "P": "America/Toronto America/Winnipeg America/Chicago"},  # whether Kenora follows Manitoba is not known
    ),
    "CA-PE": ("782 902", {"C": "America/Halifax"}),
    "CA-QC": (
        "263 273 354 367 418 438 450 468 514 579 581 819 873",
        # J: Nunavik may give up winter time
        {"G": "America/Toronto America/Halifax", "H": "America/Toronto", "J": "America/Toronto America/Halifax"},
    ),
    "CA-SK": ("306 474 639", {"S": "America/Regina America/Edmonton"}),  # Lloydminster keeps Alberta's time
    "CA-YT": ("867", {"Y": "America/Whitehorse"}),
}  # fmt: skip
ONE_ZONE: Final = {  # Canadian area codes that lie in one of their province's zones
    "America/Toronto": "226 249 263 289 343 354 365 382 416 437 438 450 468 514 519 548 579 613 647 683 705 742 753 "
    "905 942",
    "America/Vancouver": "604",
}
ONE_ZONE_CODES: Final = {code: zone for zone, codes in ONE_ZONE.items() for code in codes.split()}

Places: TypeAlias = dict[str, tuple[set[str], set[str]]]
"""Code → regions, zones."""


YEARS: Final = 15
"""How far clocks are compared: past the last year (2037) for which zones list their changes one by one."""
ZONES: Final = frozenset(zone for zone in available_timezones() if not zone.startswith("Etc/"))  # those are the seas


@cache
def clock(zone: str) -> tuple[tuple[int, timedelta | None], ...]:
    """When the zone's clocks change from now on, and to what: zones with one clock are alike."""
    begin = datetime(2026, 1, 1, tzinfo=UTC)
    offsets = [(hour, ZoneInfo(zone).utcoffset(begin + timedelta(hours=hour))) for hour in range(24 * 366 * YEARS)]
    return tuple(after for before, after in pairwise([(-1, None), *offsets]) if before[1] != after[1])


def region_of(state: str) -> str:
    """A US postal abbreviation as a region; the three states in free association are countries."""
    return f"US-{state}" if state in TERRITORIES or state in STATES.values() else state


def read_zip_codes() -> tuple[Places, dict[str, Counter[str]]]:
    """ZIP code → place, and area code → states by number of ZIP codes."""
    finder = TimezoneFinder()
    zips: Places = {}
    states: dict[str, Counter[str]] = defaultdict(Counter)
    by_state: dict[str, Counter[str]] = defaultdict(Counter)
    for row in zipcodes.list_all():
        if row["state"] in ARMED_FORCES:
            zips[row["zip_code"]] = ({"US-" + row["state"]}, set())
            continue
        at_point = finder.timezone_at(lat=float(row["lat"]), lng=float(row["long"]))
        zones = {zone for zone in (row["timezone"], at_point) if zone in ZONES}
        if len({clock(zone) for zone in zones}) == 1 and row["timezone"] in ZONES:
            zones = {row["timezone"]}
        if not zones:
            raise SystemExit(f"no zone for the ZIP code {row['zip_code']}")
        region = region_of(row["state"])
        zips[row["zip_code"]] = ({region}, zones)
        by_state[region].update(zones)
        for code in row["area_codes"]:
            states[code][region] += 1
    for regions, zones in zips.values():
        (region,) = regions
        named = {name_in_state(zone, by_state[region]) for zone in zones}
        zones.clear()
        zones |= {zone for zone in named if zone}
    return zips, states


def name_in_state(zone: str, zones: Counter[str]) -> str | None:
    """The state's most common zone with the same clock: Indiana has eleven names for two clocks."""
    return next((known for known, _ in zones.most_common() if clock(known) == clock(zone)), None)


def read_us_area_codes(zips: Places, states: dict[str, Counter[str]]) -> Places:
    """Area code → its one state, with every zone it has there."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region("US")
    pattern = re.compile(metadata.fixed_line.national_number_pattern)
    zones_by_state: dict[str, Counter[str]] = defaultdict(Counter)
    zones_by_code: dict[tuple[str, str], set[str]] = defaultdict(set)
    for row in zipcodes.list_all():
        regions, zones = zips[row["zip_code"]]
        (region,) = regions
        zones_by_state[region].update(zones)
        for code in row["area_codes"]:
            zones_by_code[code, region] |= zones
    places: Places = {}
    for code in map(str, range(200, 1000)):
        if not pattern.fullmatch(f"{code}2345678"):
            continue
        name = GEOCODE_DATA.get(f"1{code}", {}).get("en", "").split(", ")[-1]
        state = STATES.get(name, name if name in STATES.values() else "")
        if not state and not states[code]:
            raise SystemExit(f"no state for the area code {code}")
        region = region_of(state) if state else states[code].most_common(1)[0][0]
        known = zones_by_state[region]
        longer = {
            zone
            for prefix, zones in TIMEZONE_DATA.items()
            if prefix.startswith(f"1{code}") and len(prefix) > 4
            for zone in zones
        }
        named = zones_by_code[code, region] | {zone for name in longer if (zone := name_in_state(name, known))}
        # a code too new for the list of ZIP codes may be an overlay of any of the state's zones
        places[code] = ({region}, named if zones_by_code[code, region] else set(known))
    return places


def read_other_area_codes() -> Places:
    """Area codes of the other countries and territories of the numbering plan, and of Canada."""
    places: Places = {}
    for country in sorted(phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1]):
        leading = phonenumbers.PhoneMetadata.metadata_for_region(country).leading_digits
        for code in map(str, range(200, 1000)):
            if leading and re.fullmatch(leading, code):
                region = f"US-{country}" if country in TERRITORIES else country
                places[code] = ({region}, set(TIMEZONE_DATA[f"1{code}"]))
    for region, (codes, letters) in PROVINCES.items():
        for code in codes.split():
            regions, zones = places.setdefault(code, (set(), set()))
            regions.add(region)
            zones |= (
                {ONE_ZONE_CODES[code]} if code in ONE_ZONE_CODES else {z for zs in letters.values() for z in zs.split()}
            )
    return places


def check_canada(places: Places) -> None:
    """The table above must know each Canadian area code."""
    pattern = re.compile(phonenumbers.PhoneMetadata.metadata_for_region("CA").fixed_line.national_number_pattern)
    codes = {code for code in map(str, range(200, 1000)) if pattern.fullmatch(f"{code}2345678")}
    if new := sorted(codes - set(places)):
        raise SystemExit(f"Canada has new area codes: add {', '.join(new)} to PROVINCES")


def shorten(zips: Places) -> Iterator[tuple[str, set[str], set[str]]]:
    """One line for the three digits that ZIP codes begin with, and one for each that is not in all of its places."""
    by_prefix: dict[str, list[str]] = defaultdict(list)
    for code in zips:
        by_prefix[code[:3]].append(code)
    for prefix, codes in sorted(by_prefix.items()):
        regions = {region for code in codes for region in zips[code][0]}
        zones = {zone for code in codes for zone in zips[code][1]}
        yield prefix, regions, zones
        for code in sorted(codes):
            if zips[code] != (regions, zones):
                yield code, *zips[code]


def write(name: str, lines: Iterable[tuple[str, set[str], set[str]]]) -> None:
    """One table: code, regions, zones; several of one are split by blanks, and none is a dash."""
    sources = ", ".join(f"{package} {version(package)}" for package in ("phonenumbers", "zipcodes", "timezonefinder"))
    text = [
        f"# Made by tools/make_places.py from {sources}; do not edit.",
        f"# Time zone rules: {tzdata.IANA_VERSION}",
        "# ZIP codes come from the US Postal Service and GeoNames (CC BY 4.0, geonames.org) by way of zipcodes.",
        *(
            "\t".join((code, " ".join(sorted(regions)), " ".join(sorted(zones)) or "-"))
            for code, regions, zones in lines
        ),
    ]
    (DATA / name).write_text("\n".join(text) + "\n", encoding="utf-8")


def main() -> None:
    """Write both tables."""
    zips, states = read_zip_codes()
    area_codes = read_other_area_codes() | read_us_area_codes(zips, states)
    check_canada(area_codes)
    canada: Places = {}
    for region, (_, letters) in PROVINCES.items():
        for prefix, zones in letters.items():
            known = canada.setdefault(prefix, (set(), set()))
            known[0].add(region)
            known[1].update(zones.split())
    write("area_codes.tsv", ((code, *place) for code, place in sorted(area_codes.items())))
    write("postal_codes.tsv", [*shorten(zips), *((prefix, *place) for prefix, place in sorted(canada.items()))])


if __name__ == "__main__":
    main()
