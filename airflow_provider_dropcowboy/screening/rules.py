"""The rules of calling hours as data: what ``data/rules.toml`` and a user's file may say, and how they are read."""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Final

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.screening._table import Table
from airflow_provider_dropcowboy.screening.places import DATA, is_zone, load_places
from airflow_provider_dropcowboy.screening.screen import Consent, Kinds

CHANNELS: Final = frozenset({"rvm", "sms"})
CALLED_PARTY: Final = "called_party"
"""In a rule's ``zones``: those where the person may be."""

Hours = tuple[int, int]
"""Minutes after midnight, on the wall clock: open from the first, closed from the second."""

ALL_DAY: Final[Hours] = (0, 24 * 60)
BANS: Final = ("prerecorded", "mobile")


@dataclass(frozen=True, slots=True, eq=False)  # compared and hashed by identity, for every place
class Rule:
    """One law in one region.

    :param region: ISO 3166: a country, whose rules bind all of it, or a state or province.
    :param week: Monday to Sunday; None is closed, ``ALL_DAY`` adds nothing to the other rules.
    :param holiday: the same for a legal holiday, where ``keeps_holidays``.
    :param zones: whose wall clock it speaks of: ``CALLED_PARTY``, or zones by name.
    :param caps: so many messages to one number within so long a time, whatever they sell.
    :param ban: ``prerecorded``: no prerecorded sales message at any hour; ``mobile``: no sales message to a mobile, and
        every North American number may be one; empty: neither.
    :param consent: kinds of consent without which a sales message is forbidden, as alternatives.
    :param opt_out: how long an opt-out must be kept, at least.
    :param effective_from: first day of the wall clock on which it holds; ``effective_until``: the last; None: open.
    :param why: what a reader should know, such as the careful reading of an unclear text.
    :param checked: when the source was last looked at.
    :ivar is_about_hours: it says when people may be called, or how often; else only whether.
    :ivar label: for a person and an auditor: ``US-FL (Fla. Stat. 501.616(6)(a), (b))``.
    """

    region: str
    channels: frozenset[str]
    week: tuple[Hours | None, ...]
    holiday: Hours | None
    keeps_holidays: bool
    zones: tuple[str, ...]
    caps: tuple[tuple[int, timedelta], ...]
    ban: str
    consent: tuple[Kinds, ...]
    opt_out: timedelta | None
    effective_from: date | None
    effective_until: date | None
    why: str
    cite: str
    source: str
    checked: date | None
    confidence: str
    is_about_hours: bool = field(init=False)
    is_dated: bool = field(init=False)
    label: str = field(init=False)

    @property
    def bans_prerecorded(self) -> bool:
        """No prerecorded sales message at any hour."""
        return self.ban == "prerecorded"

    def __post_init__(self) -> None:
        is_other = bool(self.ban or self.consent or self.opt_out)
        has_hours = bool(self.caps) or self.keeps_holidays or self.week != (ALL_DAY,) * 7
        unverified = ", unverified" if self.confidence == "G" else ""
        object.__setattr__(self, "is_about_hours", has_hours or not is_other)
        object.__setattr__(self, "is_dated", self.effective_from is not None or self.effective_until is not None)
        object.__setattr__(self, "label", f"{self.region} ({self.cite}{unverified})")

    def holds_on(self, day: date) -> bool:
        """Whether it is in force on a day of the wall clock."""
        return (self.effective_from is None or self.effective_from <= day) and (
            self.effective_until is None or day <= self.effective_until
        )

    def hours_on(self, day: date, *, holidays: frozenset[date]) -> Hours | None:
        """When it is open on a day of the wall clock; before and after its time it closes nothing."""
        if not self.holds_on(day):
            return ALL_DAY
        return self.holiday if self.keeps_holidays and day in holidays else self.week[day.weekday()]


@dataclass(frozen=True, slots=True)
class Pause:
    """A region in which nobody is called for a time, such as a declared emergency."""

    region: str
    begins_at: datetime
    ends_at: datetime | None
    label: str


@dataclass(frozen=True, slots=True)
class Rulebook:
    """All rules of one or two files.

    :param as_of: when the shipped file was last checked as a whole.
    :param holidays_until: the last day whose holidays are known.
    :param holidays: by region, then by name.
    """

    version: str
    as_of: date | None
    margin: timedelta
    holidays_until: date
    rules: tuple[Rule, ...]
    holidays: Mapping[str, Mapping[str, frozenset[date]]]
    pauses: tuple[Pause, ...]

    @classmethod
    def load(cls, extension: str | None = None) -> "Rulebook":
        """The rules this package ships, replaced and extended by a user's file.

        :param extension: the text of that file, TOML. Its rules take the place of all shipped ones of the same region
            and channel, its holidays that of the shipped ones of the same region and name; its pauses are added.
        :raises ConfigurationError: a file cannot be read; it says what to change.
        """
        shipped = [(DATA / name).read_text(encoding="utf-8") for name in ("rules.toml", "holidays.toml")]
        book = _read("\n".join(shipped), where="the shipped calling hours", below=None)
        return book if extension is None else _read(extension, where="the file of calling hours", below=book)

    @classmethod
    def read_alone(cls, text: str) -> "Rulebook":
        """The rules of one whole file, such as another version of this package ships; raises as :meth:`load` does."""
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
            source=table.text("source"),
            checked=table.day("checked", None),
            confidence=_confidence(table),
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
    table.text("source")
    table.day("checked", None)
    _confidence(table)
    table.end()
    return {name: frozenset(days.days(name)) for name in days}


def _read_pause(table: Table) -> Pause:
    region = _region(table.text("region"), table)
    begins_at = table.instant("from")
    ends_at = table.instant("to") if "to" in table else None
    if begins_at is None:
        raise table.wrong("from", "is missing", "Write when it begins, like 2026-12-01T00:00:00-05:00.")
    if ends_at is not None and ends_at <= begins_at:
        raise table.wrong("to", "is not after from", "Write when it ends, or leave it out until it does.")
    pause = Pause(region, begins_at, ends_at, f"{region} (paused: {table.text('why')}, {table.text('cite')})")
    table.text("source")
    table.day("checked", None)
    _confidence(table)
    table.end()
    return pause


def _region(region: str, table: Table) -> str:
    """A typo would leave a state without its rule, in silence."""
    if not load_places().is_region(region):
        raise table.wrong("region", f"{region!r} is unknown", "Write it like US, US-FL, CA-ON or GB.")
    return region


def _confidence(table: Table) -> str:
    if (confidence := table.text("confidence")) not in ("S", "V", "G"):
        raise table.wrong(
            "confidence", f"is {confidence!r}", "Write S (statute seen), V (a lawyer's or vendor's word) or G."
        )
    return confidence


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
