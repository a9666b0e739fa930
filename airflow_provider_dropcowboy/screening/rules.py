"""The rules of calling hours, and when they are open: from wall clocks to seconds since the epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache, reduce
from typing import Final

from airflow_provider_dropcowboy.screening.places import clock
from airflow_provider_dropcowboy.screening.screen import Kinds

CALLED_PARTY: Final = "called_party"
"""In a rule's ``zones``: those where the person may be."""

Hours = tuple[int, int]
"""Minutes after midnight, on the wall clock: open from the first, closed from the second."""

ALL_DAY: Final[Hours] = (0, 24 * 60)


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


Spans = list[tuple[float, float]]
"""Open from the first until before the second, in seconds since the epoch; in order, none touches the next."""

NEVER: Final = (float("inf"), float("inf"))


class RuleSpans:
    """When rules are open in zones. It keeps the answers of one day: many places share rules and zones.

    :param holidays: by region.
    """

    def __init__(self, holidays: Mapping[str, frozenset[date]]) -> None:
        self._holidays = holidays
        self._day: date | None = None
        self._kept: dict[tuple[Rule, tuple[str, ...], int], Spans] = {}

    def of(self, rule: Rule, zones: tuple[str, ...], *, today: date, days: int) -> Spans:
        """When the rule is open in every one of the zones, from yesterday on and so many days ahead."""
        if today != self._day:
            self._day, self._kept = today, {}
        spans = self._kept.get((rule, zones, days))
        if spans is None:
            if len(zones) == 1:
                holidays = self._holidays.get(rule.region, frozenset())
                spans = spans_on_the_clock(rule, zones[0], today=today, days=days, holidays=holidays)
            else:
                spans = reduce(both, (self.of(rule, (zone,), today=today, days=days) for zone in zones))
            self._kept[rule, zones, days] = spans
        return spans


def spans_on_the_clock(rule: Rule, zone: str, *, today: date, days: int, holidays: frozenset[date]) -> Spans:
    """When a rule is open on the wall clock of one zone, from yesterday on and so many days ahead."""
    spans: Spans = []
    for number in range(-1, days + 2):
        day = today + timedelta(days=number)
        hours = rule.hours_on(day, holidays=holidays)
        if hours is None:
            continue
        if (midnight := _even_midnight(day, zone)) is not None:
            begins, ends = midnight + 60 * hours[0], midnight + 60 * hours[1]
        else:
            begins, ends = max(_instants(day, hours[0], zone)), min(_instants(day, hours[1], zone))
        if spans and begins <= spans[-1][1]:  # midnight to midnight, two days running: no end in between
            spans[-1] = (spans[-1][0], max(ends, spans[-1][1]))
        elif begins < ends:
            spans.append((begins, ends))
    return spans


@lru_cache(maxsize=2_000)  # many rules share days and zones, and each reading of a clock costs a microsecond
def _even_midnight(day: date, zone: str) -> float | None:
    """The first moment of a day of 24 hours, whose clock shows each time once; None: it is another kind of day."""
    begins, ends = _instants(day, 0, zone), _instants(day, 24 * 60, zone)
    is_even = begins[0] == begins[1] and ends[0] == ends[1] == begins[0] + timedelta(days=1).total_seconds()
    return begins[0] if is_even else None


def _instants(day: date, minutes: int, zone: str) -> tuple[float, float]:
    """Both readings of a wall clock that shows a time twice, or never, on a night of daylight saving.

    The later one for an opening, the earlier one for an end: the narrower hours hold in either reading.
    """
    moment_local = datetime.combine(day, time(), clock(zone)) + timedelta(minutes=minutes)
    return moment_local.replace(fold=0).timestamp(), moment_local.replace(fold=1).timestamp()


def free_of(pause: Pause) -> Spans:
    """All the time outside of it."""
    before = (float("-inf"), pause.begins_at.timestamp())
    return [before] if pause.ends_at is None else [before, (pause.ends_at.timestamp(), float("inf"))]


def both(first: Spans, second: Spans) -> Spans:
    """When both are open."""
    if first == second:  # most states have the country's hours
        return first
    spans: Spans = []
    others = iter(second)
    begins, ends = next(others, NEVER)
    for opens, closes in first:
        while begins < closes:
            if opens < ends:
                spans.append((max(opens, begins), min(closes, ends)))
            if ends > closes:
                break
            begins, ends = next(others, NEVER)
    return spans


def state_at(spans: Spans, now: float) -> tuple[bool, float]:
    """Whether they are open at a moment, and until when that is so."""
    for begins, ends in spans:
        if now < ends:
            return (True, ends) if begins <= now else (False, begins)
    return False, float("inf")


def shorten(spans: Spans, *, by_s: float) -> Spans:
    """The spans with their ends moved up; what is too short is none."""
    return [(begins, ends - by_s) for begins, ends in spans if begins < ends - by_s]


def force_spans(rule: Rule, zone: str) -> tuple[float, float]:
    """From when until when a rule holds on the wall clock of a zone, in seconds since the epoch."""
    wall = clock(zone)
    begins, ends = rule.effective_from, rule.effective_until
    return (
        float("-inf") if begins is None else datetime.combine(begins, time(), wall).timestamp(),
        float("inf") if ends is None else datetime.combine(ends + timedelta(days=1), time(), wall).timestamp(),
    )
