"""Which copy of the time zone rules decides calling hours."""

import shutil
import zoneinfo
from datetime import datetime, timedelta
from importlib import resources
from pathlib import Path

import pytest

from airflow_provider_dropcowboy.cli.checks import FIX, OK, look_at_zones
from airflow_provider_dropcowboy.screening import places
from airflow_provider_dropcowboy.screening.places import ZoneRules, clock, find_copies, is_older, is_zone, load_places


def system_copy(folder: Path, first_line: str, *, file: str = "tzdata.zi") -> str:
    """A folder of time zones in which Vancouver is at Lisbon's hour."""
    (folder / "America").mkdir(parents=True)
    shutil.copy(str(resources.files("tzdata") / "zoneinfo" / "Europe" / "Lisbon"), folder / "America" / "Vancouver")
    (folder / file).write_text(first_line)
    return str(folder)


def winter_in_vancouver(rules: ZoneRules) -> timedelta | None:
    return datetime(2026, 12, 15, tzinfo=rules.clock("America/Vancouver")).utcoffset()


@pytest.mark.parametrize(
    ("first_line", "file", "is_taken"),
    [
        ("# version 2025b\n# a line", "tzdata.zi", False),
        ("# version 2099a\nR d 1916 o -", "tzdata.zi", True),
        ("2099a\n", "+VERSION", True),
        ("2025b", "+VERSION", False),
        ("# version unknown\n", "tzdata.zi", False),
        ("Debian", "+VERSION", False),
        ("", "README", False),
    ],
)
def test_the_operating_systems_copy_is_taken_where_it_is_the_newer_one(
    tmp_path: Path, first_line: str, file: str, is_taken: bool
) -> None:
    folder = system_copy(tmp_path / "zones", first_line, file=file)
    newest = find_copies([str(tmp_path / "none"), folder])[0]
    assert (folder in newest.origin) is is_taken
    assert winter_in_vancouver(newest) == timedelta(hours=0 if is_taken else -7)


def test_a_zone_that_the_newest_copy_lacks_comes_from_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copies = find_copies([system_copy(tmp_path / "zones", "# version 2099a")])
    monkeypatch.setattr(places, "installed_copies", lambda: copies)
    assert datetime(2026, 7, 1, tzinfo=clock.__wrapped__("US/Central")).utcoffset() == timedelta(hours=-5)


def test_the_search_path_of_python_decides_nothing() -> None:
    before = zoneinfo.TZPATH
    try:
        zoneinfo.reset_tzpath(())
        assert winter_in_vancouver(find_copies(())[0]) == timedelta(hours=-7)
    finally:
        zoneinfo.reset_tzpath(before)


@pytest.mark.parametrize(
    ("version", "than", "expected"),
    [("2025b", "2026a", True), ("2026f", "2026f", False), ("2026g", "2026f", False), ("2026z", "2026aa", True)],
)
def test_versions_are_in_the_order_in_which_they_came_out(version: str, than: str, expected: bool) -> None:
    assert is_older(version, than) is expected


def test_a_name_is_a_zone_only_if_the_database_has_it() -> None:
    assert is_zone("America/Cambridge_Bay")
    for name in ("Etc/Unknown", "Eastern", "../zones", "", "right/America/New_York"):
        assert not is_zone(name)


def test_doctor_says_which_copy_is_used_and_which_is_too_old(tmp_path: Path) -> None:
    copies = find_copies([system_copy(tmp_path / "zones", "# version 2025b")])
    found = look_at_zones(copies, needed=load_places().zone_version)
    assert found.mark == OK
    assert f"calling hours use {copies[0].version}, from the tzdata package" in found.text
    assert f"{tmp_path / 'zones'} has the older 2025b, not used" in found.text
    late = look_at_zones(copies, needed="2099a")
    assert (late.mark, "need 2099a" in late.text) == (FIX, True)
