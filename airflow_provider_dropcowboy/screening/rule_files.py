"""The files of calling hours: what ``data/rules.toml`` and a user's file may say, and how they are read."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.screening.places import DATA, is_zone, load_places
from airflow_provider_dropcowboy.screening.rules import ALL_DAY, CALLED_PARTY, Hours, Pause, Rule, Rulebook
from airflow_provider_dropcowboy.screening.screen import Consent, Kinds

CHANNELS: Final = frozenset({"rvm", "sms"})
BANS: Final = ("prerecorded", "mobile")


class Table:
    """A table whose keys are read one after the other; at the :meth:`end` none may be left.

    :param where: the table, as a person finds it: ``the file of calling hours, [[rule]] 3``.
    """

    def __init__(self, values: Mapping[str, object], *, where: str) -> None:
        self._values = values
        self._where = where
        self._taken: set[str] = set()

    def __contains__(self, key: str) -> bool:
        return key in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def wrong(self, key: str, what: str, mend: str) -> ConfigurationError:
        """The error to raise: which key of which table, what is wrong with it, what to write instead."""
        region = self._values.get("region")
        of = f" ({region})" if isinstance(region, str) else ""
        return ConfigurationError(f"In {self._where}{of}: {key} {what}. {mend} Nothing was sent.")

    def text(self, key: str, default: str | None = None) -> str:
        """Text that says something."""
        value = self._take(key, default)
        if not isinstance(value, str) or (not value.strip() and default is None):
            raise self.wrong(key, "is not text", f'Write {key} = "…".')
        return value

    def texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        """A list of texts; one text is a list of one."""
        value = self._take(key, list(default) or None)
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not values or not all(isinstance(item, str) for item in values):
            raise self.wrong(key, "is not a list of texts", f'Write {key} = ["…"].')
        return tuple(values)

    def number(self, key: str, default: int | None, *, low: int) -> int:
        """A whole number, at least ``low``."""
        value = self._take(key, default)
        if not isinstance(value, int) or isinstance(value, bool) or value < low:
            raise self.wrong(key, f"is not a whole number from {low} on", f"Write {key} = {max(low, 15)}.")
        return value

    def day(self, key: str, default: date | None) -> date | None:
        """A date, or ``default``."""
        value = self._values.get(key, default)
        self._taken.add(key)
        if value is not None and (not isinstance(value, date) or isinstance(value, datetime)):
            raise self.wrong(key, "is not a date", f"Write {key} = 2028-12-31, without quotation marks.")
        return value

    def days(self, key: str) -> list[date]:
        """A list of dates; it may be empty."""
        value = self._take(key, None)
        if not isinstance(value, list) or not all(type(item) is date for item in value):
            raise self.wrong(
                key, "is not a list of dates", f'Write "{key}" = [2027-12-24], without quotation marks inside.'
            )
        return value

    def instant(self, key: str) -> datetime:
        """A moment, in UTC."""
        value = self._take(key, None)
        if not isinstance(value, datetime) or value.tzinfo is None:
            raise self.wrong(
                key, "is not a point in time", f"Write {key} = 2026-12-01T00:00:00-05:00, with its offset from UTC."
            )
        return value.astimezone(UTC)

    def table(self, key: str) -> "Table":
        """The table of that name below this one."""
        value = self._take(key, None)
        if not isinstance(value, dict):
            raise self.wrong(key, "is not a table", f"Write [{key}] and its lines below it.")
        return Table(value, where=f"{self._where}, {key}")

    def tables(self, key: str) -> Iterator["Table"]:
        """The tables of that name below this one, if there are any."""
        value = self._take(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong(key, "is not a list of tables", f"Write [[{key}]] above each.")
        for number, item in enumerate(value, start=1):
            yield Table(item, where=f"{self._where}, [[{key}]] {number}")

    def end(self) -> None:
        """Nothing is left over: a misspelt key would be a rule that is not kept.

        :raises ConfigurationError: it names the key.
        """
        if left := sorted(set(self._values) - self._taken):
            raise self.wrong(left[0], "is unknown here", f"Known are {', '.join(sorted(self._taken))}.")

    def _take(self, key: str, default: object) -> object:
        self._taken.add(key)
        value = self._values.get(key, default)
        if value is None:
            raise self.wrong(key, "is missing", f"Write {key}, as docs/screening.md says.")
        return value


def load_rulebook(extension: str | None = None) -> Rulebook:
    """The rules this package ships, replaced and extended by a user's file.

    :param extension: the text of that file, TOML. Its rules take the place of all shipped ones of the same region
        and channel, its holidays that of the shipped ones of the same region and name; its pauses are added.
    :raises ConfigurationError: a file cannot be read; it says what to change.
    """
    shipped = [(DATA / name).read_text(encoding="utf-8") for name in ("rules.toml", "holidays.toml")]
    book = _read("\n".join(shipped), where="the shipped calling hours", below=None)
    return book if extension is None else _read(extension, where="the file of calling hours", below=book)


def read_rulebook(text: str) -> Rulebook:
    """The rules of one whole file, such as another version of this package ships; raises as ``load_rulebook``."""
    return _read(text, where="the file of calling hours", below=None)


def _read(text: str, *, where: str, below: Rulebook | None) -> Rulebook:
    try:
        table = Table(tomllib.loads(text), where=where)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(
            f"{where[0].upper()}{where[1:]} is not valid TOML: {error}. Nothing was sent."
        ) from error
    version = table.text("version")
    as_of = table.day("as_of", None)
    margin = table.number("margin_minutes", None if below is None else int(below.margin / timedelta(minutes=1)), low=0)
    holidays_until = table.day("holidays_until", below.holidays_until if below else None)
    rules = tuple(rule for entry in table.tables("rule") for rule in _read_rule(entry))
    holidays = {region: dict(days) for region, days in below.holidays.items()} if below else {}
    for entry in table.tables("holidays"):
        holidays.setdefault(_region(entry.text("region"), entry), {}).update(_read_days(entry))
    pauses = tuple(_read_pause(entry) for entry in table.tables("paused"))
    table.end()
    if holidays_until is None:
        raise table.wrong(
            "holidays_until", "is missing", "Write the last day whose holidays it knows, like 2028-12-31."
        )
    return Rulebook(
        version=version if below is None else f"{below.version}+{version}",
        as_of=as_of if below is None else below.as_of,
        margin=timedelta(minutes=margin),
        holidays_until=holidays_until,
        rules=(*_without(below.rules if below else (), rules), *rules),
        holidays=holidays,
        pauses=(*(below.pauses if below else ()), *pauses),
    )


def _without(rules: tuple[Rule, ...], newer: tuple[Rule, ...]) -> Iterator[Rule]:
    """The older rules, less the channels of the regions for which there are newer ones."""
    replaced = {(rule.region, channel) for rule in newer for channel in rule.channels}
    for rule in rules:
        channels = frozenset(channel for channel in rule.channels if (rule.region, channel) not in replaced)
        if channels:
            yield replace(rule, channels=channels)


def _read_rule(table: Table) -> Iterator[Rule]:
    """The rule, once for each of its regions."""
    regions = table.texts("region", ())
    channels = table.texts("channels", tuple(sorted(CHANNELS)))
    if odd := set(channels) - CHANNELS:
        raise table.wrong("channels", f"has {', '.join(sorted(odd))}", 'Write ["rvm", "sms"] or one of them.')
    mon_fri, sat, sun = (_read_hours(table, key, ALL_DAY) for key in ("mon_fri", "sat", "sun"))
    zones = table.texts("zones", (CALLED_PARTY,))
    if odd := {zone for zone in zones if zone != CALLED_PARTY and not is_zone(zone)}:
        raise table.wrong(
            "zones", f"has {', '.join(sorted(odd))}", "Write called_party, or a zone like America/Chicago."
        )
    caps = [_read_cap(cap) for cap in table.tables("caps")]
    if (ban := table.text("ban", "")) not in ("", *BANS):
        raise table.wrong("ban", f"is {ban!r}", f"Write {' or '.join(BANS)}, or leave it out.")
    effective_from, effective_until = table.day("effective_from", None), table.day("effective_until", None)
    if effective_from and effective_until and effective_until < effective_from:
        raise table.wrong("effective_until", "is before effective_from", "Write the last day on which it holds.")
    consent = tuple(_read_kinds(text, table) for text in table.texts("consent", ())) if "consent" in table else ()
    opt_out_days = table.number("opt_out_days", 0, low=0)
    source, checked, confidence = _read_origin(table)
    for region in regions:
        yield Rule(
            region=_region(region, table),
            channels=frozenset(channels),
            week=(*[mon_fri] * 5, sat, sun),
            holiday=_read_hours(table, "holidays", None),
            keeps_holidays="holidays" in table,
            zones=zones,
            caps=tuple(caps),
            ban=ban,
            consent=consent,
            opt_out=timedelta(days=opt_out_days) if opt_out_days else None,
            effective_from=effective_from,
            effective_until=effective_until,
            why=table.text("why", ""),
            cite=table.text("cite"),
            source=source,
            checked=checked,
            confidence=confidence,
        )
    table.end()


def _read_cap(table: Table) -> tuple[int, timedelta]:
    """``{ count = 3, hours = 24 }``, or in days; ``per`` says of what, and is no wider than every message."""
    count = table.number("count", None, low=1)
    unit = "days" if "days" in table else "hours"
    window = timedelta(**{unit: table.number(unit, None, low=1)})
    if (per := table.text("per", "number")) not in ("number", "offer"):
        raise table.wrong("per", f"is {per!r}", 'Write "number" or "offer"; both count every message to the number.')
    table.end()
    return count, window


def _read_kinds(text: str, table: Table) -> Kinds:
    """``written``, or ``express+relationship`` where both are needed."""
    kinds = text.split("+")
    if odd := sorted(set(kinds) - set(Consent)):
        raise table.wrong("consent", f"has {', '.join(odd)}", f"Write {', '.join(Consent)}, or two joined by a plus.")
    return frozenset(map(Consent, kinds))


def _read_days(table: Table) -> dict[str, frozenset[date]]:
    days = table.table("days")
    table.text("why", "")
    table.text("cite")
    _read_origin(table)
    table.end()
    return {name: frozenset(days.days(name)) for name in days}


def _read_pause(table: Table) -> Pause:
    region = _region(table.text("region"), table)
    begins_at = table.instant("from")
    ends_at = table.instant("to") if "to" in table else None
    if ends_at is not None and ends_at <= begins_at:
        raise table.wrong("to", "is not after from", "Write when it ends, or leave it out until it does.")
    pause = Pause(region, begins_at, ends_at, f"{region} (paused: {table.text('why')}, {table.text('cite')})")
    _read_origin(table)
    table.end()
    return pause


def _region(region: str, table: Table) -> str:
    """A typo would leave a state without its rule, in silence."""
    if not load_places().is_region(region):
        raise table.wrong("region", f"{region!r} is unknown", "Write it like US, US-FL, CA-ON or GB.")
    return region


def _read_origin(table: Table) -> tuple[str, date | None, str]:
    """Where it comes from, when that was last looked at, and how sure it is."""
    source, confidence = table.text("source"), table.text("confidence")
    if confidence not in ("S", "V", "G"):
        raise table.wrong(
            "confidence", f"is {confidence!r}", "Write S (statute seen), V (a lawyer's or vendor's word) or G."
        )
    return source, table.day("checked", None), confidence


def _read_hours(table: Table, key: str, default: Hours | None) -> Hours | None:
    """``["08:00", "20:00"]``, or ``"closed"``."""
    if key not in table:
        return default
    written = table.texts(key, ())
    if written == ("closed",):
        return None
    times = [_TIME.fullmatch(text) for text in written]
    minutes = [int(time["hour"]) * 60 + int(time["minute"]) for time in times if time]
    if len(minutes) != 2 or len(times) != 2 or not 0 <= minutes[0] < minutes[1] <= ALL_DAY[1]:
        raise table.wrong(key, f"is {list(written)}", 'Write ["08:00", "20:00"], the earlier time first, or "closed".')
    return minutes[0], minutes[1]


_TIME: Final = re.compile(r"(?P<hour>[0-9]{2}):(?P<minute>[0-5][0-9])")
