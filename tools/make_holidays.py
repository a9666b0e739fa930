# /// script
# requires-python = ">=3.11"
# dependencies = ["holidays==0.109", "python-dateutil==2.9.0.post0"]
# ///
"""Write the holidays that screening ships: ``uv run --script tools/make_holidays.py``.

The package ``holidays`` knows the common ones. What it misses, and how Alabama, Rhode Island and Utah move a holiday
that falls on a weekend, stands here. A day too many costs a day's delay, a day too few a wrong call: where two
readings differ, both days are closed.
"""

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Final

import holidays
from dateutil.easter import easter

YEARS: Final = range(2026, 2029)
TARGET: Final = Path(__file__).parents[1] / "airflow_provider_dropcowboy" / "screening" / "data" / "holidays.toml"
CHECKED: Final = date(2026, 11, 28)
SATURDAY, SUNDAY = 5, 6

STATUTES: Final = {
    "US-AL": "Ala. Code 1-3-8",
    "US-LA": "La. R.S. 1:55; PSC General Order R-29617",
    "US-NE": "291 Neb. Admin. Code ch. 11 s. 3",
    "US-PA": "73 P.S. 2245(a) (Act 73 of 2019, Act 47 of 2026); 44 P.S. 11",
    "US-RI": "R.I. Gen. Laws 25-1-1",
    "US-UT": "Utah Code 63G-1-301",
}
BRITISH_COLUMBIA: Final = (
    "B.C. Telemarketer Licensing Regulation"  # no other province is known to ban calls on holidays
)
OWN_SHIFT: Final = {"US-AL", "US-RI"}


def on(month: int, day: int) -> Callable[[int], date]:
    """The same date each year."""
    return lambda year: date(year, month, day)


def after_easter(days: int) -> Callable[[int], date]:
    """So many days after Easter Sunday, or before it."""
    return lambda year: easter(year) + timedelta(days=days)


def election(year: int) -> date:
    """The Tuesday after the first Monday of November."""
    return next(day for day in (date(year, 11, number) for number in range(2, 9)) if day.weekday() == 1)


def utahs_juneteenth(year: int) -> date:
    """The Monday before, or after a weekend the Monday that follows."""
    day = date(year, 6, 19)
    return day + timedelta(days=7 - day.weekday()) if day.weekday() >= SATURDAY else day - timedelta(days=day.weekday())


@dataclass(frozen=True, slots=True)
class Extra:
    """A holiday that the package does not know."""

    region: str
    name: str
    falls_on: Callable[[int], date]
    cite: str
    source: str
    confidence: str
    years: Callable[[int], bool] = lambda _: True


DNC: Final = "dnc.com month lists"
GOVERNOR: Final = "proclaimed by the governor, year by year"
RHODE_ISLAND: Final = "R.I. Gen. Laws 25-1-1"
INTERPRETATION: Final = "B.C. Interpretation Act s. 29"
CAREFUL: Final = "bcfamilylawresource.blogspot.com, 2012-06-03; which list the regulation means was not seen"
WHY: Final = "careful reading: whether the day binds was not seen, and one too many costs a day's delay"

EXTRAS: Final = (
    Extra("US-AL", "Mrs. Rosa L. Parks Day", on(12, 1), "Ala. Code 1-3-8", DNC, "V"),
    Extra("US-AL", "Mardi Gras", after_easter(-47), "Ala. Code 1-3-8 (Baldwin and Mobile Counties)", "not seen", "G"),
    Extra("US-LA", "Christmas Eve", on(12, 24), GOVERNOR, DNC, "V"),
    Extra("US-LA", "Day after Christmas", on(12, 26), GOVERNOR, DNC, "V"),
    Extra("US-LA", "New Year's Eve", on(12, 31), GOVERNOR, DNC, "V"),
    Extra("US-PA", "Bill of Rights Day", on(12, 15), "44 P.S. 11", DNC, "V"),
    Extra("US-PA", "Good Friday", after_easter(-2), "44 P.S. 11", "not seen", "G"),
    Extra("US-PA", "Flag Day", on(6, 14), "44 P.S. 11", "not seen", "G"),
    Extra("US-PA", "Election Day", election, "44 P.S. 11", "not seen", "G"),
    Extra("US-RI", "Rhode Island Independence Day", on(5, 4), RHODE_ISLAND, f"statute text; {DNC}", "S"),
    Extra("US-RI", "Election Day", election, RHODE_ISLAND, "statute text", "S", lambda year: year % 2 == 0),
    Extra("CA-BC", "Easter Monday", after_easter(1), INTERPRETATION, CAREFUL, "G"),
    Extra("CA-BC", "Boxing Day", on(12, 26), INTERPRETATION, CAREFUL, "G"),
    Extra("US-UT", "Juneteenth (Monday)", utahs_juneteenth, "Utah Code 63G-1-301", "not seen", "G"),
)  # fmt: skip


def days_off(region: str, day: date) -> set[date]:
    """The day itself, and the weekday to which the state moves it."""
    if region == "US-AL" and day.weekday() >= SATURDAY:  # Ala. Code 1-3-8(a): Saturday to Friday, Sunday to Monday
        return {day, day + timedelta(days=1 if day.weekday() == SUNDAY else -1)}
    if region == "US-RI" and day.weekday() >= SATURDAY:  # fixed dates on a weekend move to Monday
        return {day, day + timedelta(days=7 - day.weekday())}
    return {day}


def known(region: str) -> dict[str, set[date]]:
    """What the package knows, with the day it is kept on where it falls on a weekend."""
    days: dict[str, set[date]] = defaultdict(set)
    country, subdivision = region.split("-")
    for day, names in holidays.country_holidays(country, subdiv=subdivision, years=YEARS, language="en_US").items():
        for written in names.split("; "):
            name = written.removesuffix(" (observed)")
            if name != written and region in OWN_SHIFT:
                continue  # the federal shift; this state has its own
            days[name] |= days_off(region, day)
    return days


def block(region: str, days: dict[str, set[date]], *, cite: str, source: str, confidence: str) -> Iterator[str]:
    """One ``[[holidays]]``; years before and after are left out."""
    yield "[[holidays]]"
    yield f'region = "{region}"'
    yield f'cite = "{cite}"'
    yield f'source = "{source}"'
    yield f"checked = {CHECKED}"
    yield f'confidence = "{confidence}"'
    if confidence == "G":
        yield f'why = "{WHY}"'
    yield "[holidays.days]"
    for name, dates in sorted(days.items(), key=lambda item: min(item[1])):
        kept = ", ".join(day.isoformat() for day in sorted(dates) if day.year in YEARS)
        yield f'"{name}" = [{kept}]'
    yield ""


def lines() -> Iterator[str]:
    """The whole file."""
    package = f"PyPI holidays {version('holidays')}"
    yield "# Made by tools/make_holidays.py; do not edit. Replace a day in a file of your own: docs/screening.md."
    yield ""
    for region, cite in STATUTES.items():
        source = f"{package}; which states: dnc.com month lists"
        yield from block(region, known(region), cite=cite, source=source, confidence="V")
    groups: dict[tuple[str, str, str, str], dict[str, set[date]]] = defaultdict(dict)
    for extra in EXTRAS:
        group = groups[extra.region, extra.cite, extra.source, extra.confidence]
        dates = (extra.falls_on(year) for year in YEARS if extra.years(year))
        group[extra.name] = {shifted for day in dates for shifted in days_off(extra.region, day)}
    for (region, cite, source, confidence), days in groups.items():
        yield from block(region, days, cite=cite, source=source, confidence=confidence)
    source = f"{package}; consumerprotectionbc.ca, 2014-08"
    yield from block("CA-BC", known("CA-BC"), cite=BRITISH_COLUMBIA, source=source, confidence="S")


def main() -> None:
    """Write the file."""
    TARGET.write_text("\n".join(lines()).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
