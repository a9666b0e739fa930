"""Where a number's person may be, and what the clocks show there, by the newest time zone rules of this machine."""

import re
import zoneinfo
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Final

import pendulum

from airflow_provider_dropcowboy.phone import is_region as is_country
from airflow_provider_dropcowboy.phone import new_area_code

_VERSION: Final = re.compile(r"(?:# version )?([0-9]{4}[a-z]{1,2})\s*")
"""The first line of ``tzdata.zi`` and the whole of ``+VERSION``."""


@dataclass(frozen=True, slots=True)
class ZoneRules:
    """One copy of the IANA time zone database.

    :param version: such as ``2026f``; see :func:`is_older`.
    :param origin: where it is, for people.
    """

    version: str
    origin: str
    folder: Traversable

    def clock(self, name: str) -> pendulum.Timezone:
        """The clock of a zone.

        :param name: a name that :func:`is_zone` knows.
        :raises LookupError: this copy lacks the zone.
        """
        file = self.folder.joinpath(*name.split("/"))
        if not file.is_file():
            raise LookupError(name)
        with file.open("rb") as lines:
            return pendulum.Timezone.from_file(lines, key=name)


def find_copies(search_path: Iterable[str]) -> list[ZoneRules]:
    """The copies of this machine, the newest first; of two that are as new, the tzdata package's.

    :param search_path: folders where an operating system keeps its copy. One without a readable version is left out.
    """
    package = resources.files("tzdata") / "zoneinfo"
    found = [_read(package, origin=f"the tzdata package {metadata.version('tzdata')}")]
    found += [_read(Path(folder), origin=f"the operating system's {folder}") for folder in search_path]
    return sorted((copy for copy in found if copy), key=lambda copy: _order(copy.version), reverse=True)


@cache
def installed_copies() -> tuple[ZoneRules, ...]:
    """The copies of this machine, the newest first; looked for once a process."""
    return tuple(find_copies(zoneinfo.TZPATH))


def zone_rules() -> ZoneRules:
    """The newest copy: every calling window is computed with it."""
    return installed_copies()[0]


def is_older(version: str, than: str) -> bool:
    """Whether rules are older than others: ``2025b`` than ``2026f``, ``2026f`` than ``2026aa``."""
    return _order(version) < _order(than)


@cache
def is_zone(name: str) -> bool:
    """Whether the IANA database has a zone of this name."""
    return name in _names()


@cache
def clock(name: str) -> pendulum.Timezone:
    """The clock of a zone, by the newest copy that has it: a lean operating system leaves out old names.

    :param name: a name that :func:`is_zone` knows.
    :raises LookupError: there is no such zone.
    """
    for copy in installed_copies():
        try:
            return copy.clock(name)
        except LookupError:
            continue
    raise LookupError(name)


def _read(folder: Traversable, *, origin: str) -> ZoneRules | None:
    for name in ("tzdata.zi", "+VERSION"):
        try:
            with (folder / name).open(encoding="ascii", errors="replace") as lines:
                version = _VERSION.fullmatch(lines.readline())
        except OSError:
            continue
        if version:
            return ZoneRules(version[1], origin, folder)
    return None


def _order(version: str) -> tuple[str, int, str]:
    return version[:4], len(version), version


@cache
def _names() -> frozenset[str]:
    return frozenset((resources.files("tzdata") / "zones").read_text(encoding="utf-8").split())


DATA: Final = resources.files("airflow_provider_dropcowboy.screening") / "data"

ZONE_VERSION: Final = "# Time zone rules: "
NOWHERE: Final = "the number belongs to no place: give a postal code"
ABROAD: Final = "a postal code of the armed forces says nothing about the hour"
ODD_STATE: Final = "the row's state is none of the US or Canada: write its two letters"
ODD_ZONE: Final = "the row's time zone is none of the IANA database: write one like America/Chicago"

_ARMED_FORCES: Final = frozenset({"US-AA", "US-AE", "US-AP"})
_TERRITORIES: Final = frozenset({"US-AS", "US-GU", "US-MP", "US-PR", "US-VI"})


@dataclass(frozen=True, slots=True, eq=False)  # one object a place: compared and hashed by identity, for every row
class Place:
    """All the places where a person may be.

    :param regions: ISO 3166, such as ``US-FL`` or ``JM``.
    :param zones: IANA names.
    :param gap: why nobody can say what the hour is there, or None.
    :param new_area_code: an area code newer than the tables: the person may be anywhere in these regions.
    """

    regions: tuple[str, ...]
    zones: tuple[str, ...]
    gap: str | None = None
    new_area_code: str | None = None


class Places:
    """The tables that ``tools/make_places.py`` makes. It keeps what it looked up: a few thousand places at most.

    :ivar zone_version: of the rules by which the tables merge time zones; older rules may need other zones.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[frozenset[str], frozenset[str], str | None, str | None], Place] = {}
        self.zone_version = ""
        self._met: dict[tuple[Place | None, Place | None, str | None, str | None], Place] = {}
        self._area_codes = self._read("area_codes.tsv")
        self._postal_codes = self._read("postal_codes.tsv")
        self._zones_of = _zones_by_region(self._postal_codes, self._area_codes)
        # of no other countries: MS is Mississippi before it is Montserrat; no state and no province share two letters
        states = [region for region in self._zones_of if region.startswith(("US-", "CA-"))]
        self._states = {name: region for region in states for name in (region, region[3:])}

    def locate(
        self, e164: str, *, postal_code: str | None, state: str | None = None, timezone: str | None = None
    ) -> Place:
        """Where the person may be; one object for one answer.

        The places of the area code and of the postal code together; mobile numbers move, and the law speaks of where
        the person is. ``state`` and ``timezone`` come from somebody who knows: a state replaces both, with all of its
        zones, and a time zone replaces the zones. A postal code in none of the tables counts as none. Where the area
        code says nothing, since it belongs to no place or is newer than the tables, the postal code alone counts.

        :param postal_code: of the US or Canada; looked at for numbers of +1 only.
        :param state: two letters, or ISO 3166-2.
        """
        is_american = e164.startswith("+1")
        area = self._area_codes.get(e164[2:5]) if is_american else None
        if area is None:
            area = self._look_up(e164)
        postal = self._find_postal_code(postal_code) if postal_code and is_american else None
        key = (area, postal, state, timezone)
        place = self._met.get(key)
        if place is None:
            place = self._combine(area, postal, state=state, timezone=timezone)
            if place.gap not in (ODD_STATE, ODD_ZONE):  # there is no end of odd texts
                self._met[key] = place
        return place

    def is_region(self, region: str) -> bool:
        """Whether a rule for this region can ever apply. Parts are known of the US and Canada alone."""
        return region in self._zones_of or region in ("US", "CA") or is_country(region)

    def _combine(self, area: Place, postal: Place | None, *, state: str | None, timezone: str | None) -> Place:
        parts = [part for part in (area, postal) if part and not (postal and part.new_area_code)]
        regions = {region for part in parts for region in part.regions}
        zones = {zone for part in parts for zone in part.zones}
        gap = postal.gap if postal else area.gap
        new_code = None if postal else area.new_area_code
        if state and state.strip():
            region = self._states.get(state.strip().upper())
            if region is None:
                return self._make(set(), set(), gap=ODD_STATE)
            regions, zones, new_code = {region}, set(self._zones_of[region]), None
            gap = ABROAD if region in _ARMED_FORCES else None
        if timezone and timezone.strip():
            if not is_zone(timezone.strip()):
                return self._make(set(), set(), gap=ODD_ZONE)
            zones = {timezone.strip()}
            gap = None if regions else NOWHERE
        return self._make(regions, zones, gap=gap, new_area_code=new_code)

    def _find_postal_code(self, postal_code: str) -> Place | None:
        if len(postal_code) == 5 and (place := self._postal_codes.get(postal_code)):  # most: a ZIP code, as it is
            return place
        code = postal_code.strip().upper()
        prefixes = (code[:5], code[:3]) if len(code) >= 5 and code[:5].isdecimal() else (code[:2], code[:1])
        return self._postal_codes.get(prefixes[0]) or self._postal_codes.get(prefixes[1])

    def _look_up(self, e164: str) -> Place:
        """A number of another country, without a place, or with an area code that is newer than the tables."""
        import phonenumbers
        from phonenumbers import PhoneNumberType
        from phonenumbers.timezone import time_zones_for_number

        number = phonenumbers.parse(e164)
        country = phonenumbers.region_code_for_number(number)
        countries = ("US", "CA") if new_area_code(number) else (country,)
        if country is not None and phonenumbers.number_type(number) not in (
            PhoneNumberType.FIXED_LINE_OR_MOBILE,
            PhoneNumberType.FIXED_LINE,
            PhoneNumberType.MOBILE,
        ):
            return self._make(set(), set(), gap=NOWHERE)
        if countries[0] in ("US", "CA"):
            regions = {region for region in self._zones_of if region[:2] in countries and region[2:3] == "-"}
            regions -= _TERRITORIES | _ARMED_FORCES  # they have area codes of their own
            zones = {zone for region in regions for zone in self._zones_of[region]}
            return self._make(regions, zones, new_area_code=e164[2:5])
        zones = set(time_zones_for_number(number))
        if country is None or not zones or not all(map(is_zone, zones)):  # "Etc/Unknown" is none
            return self._make(set(), set(), gap=NOWHERE)
        return self._make({country}, zones)

    def _make(
        self, regions: set[str], zones: set[str], *, gap: str | None = None, new_area_code: str | None = None
    ) -> Place:
        place = Place(tuple(sorted(regions)), tuple(sorted(zones)), gap, new_area_code)
        return self._made.setdefault((frozenset(regions), frozenset(zones), gap, new_area_code), place)

    def _read(self, name: str) -> dict[str, Place]:
        """A table: code, regions, zones; several of one are split by blanks, and none is a dash."""
        places = {}
        for line in (DATA / name).read_text(encoding="utf-8").splitlines():
            if line.startswith(ZONE_VERSION):
                self.zone_version = max(self.zone_version, line.removeprefix(ZONE_VERSION))
            elif not line.startswith("#"):
                code, regions, zones = line.split("\t")
                gap = ABROAD if zones == "-" else None
                places[code] = self._make(set(regions.split()), set() if gap else set(zones.split()), gap=gap)
        return places


@cache
def load_places() -> Places:
    """The tables, read once a process."""
    return Places()


def _zones_by_region(*tables: dict[str, Place]) -> dict[str, set[str]]:
    """All zones of each region: from the codes of this region alone, if there are such."""
    alone: dict[str, set[str]] = {}
    shared: dict[str, set[str]] = {}
    for place in {place for table in tables for place in table.values()}:
        for region in place.regions:
            (alone if len(place.regions) == 1 else shared).setdefault(region, set()).update(place.zones)
    return shared | alone
