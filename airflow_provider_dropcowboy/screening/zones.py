"""The rules of time zones: the newest copy of the IANA database on this machine.

Python takes the operating system's copy first, however old it is. Official container images hold copies that end an
evening in Vancouver, Calgary and Winnipeg an hour late. So no calling window is reckoned by ``ZoneInfo(name)``.
"""

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

        :param name: one that :func:`is_zone` knows.
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
    """The newest copy: every calling window is reckoned by it."""
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

    :param name: one that :func:`is_zone` knows.
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
