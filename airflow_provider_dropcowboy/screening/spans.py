"""When rules are open, as spans of time: from wall clocks to seconds since the epoch, and what spans have in common."""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from functools import reduce

import pendulum

from airflow_provider_dropcowboy.screening.places import clock
from airflow_provider_dropcowboy.screening.rules import Pause, Rule

Spans = list[tuple[float, float]]
"""Open from the first until before the second, in seconds since the epoch; in order, none touches the next."""


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
    wall = clock(zone)
    spans: Spans = []
    for number in range(-1, days + 2):
        day = today + timedelta(days=number)
        hours = rule.hours_on(day, holidays=holidays)
        if hours is None:
            continue
        begins, ends = max(_instants(day, hours[0], wall)), min(_instants(day, hours[1], wall))
        if spans and begins <= spans[-1][1]:  # midnight to midnight, two days running: no end in between
            spans[-1] = (spans[-1][0], max(ends, spans[-1][1]))
        elif begins < ends:
            spans.append((begins, ends))
    return spans


def _instants(day: date, minutes: int, wall: pendulum.Timezone) -> tuple[float, float]:
    """Both readings of a wall clock that shows a time twice, or never, on a night of daylight saving.

    The later one for an opening, the earlier one for an end: the narrower hours hold in either reading.
    """
    moment_local = datetime.combine(day, time(), wall) + timedelta(minutes=minutes)
    return moment_local.replace(fold=0).timestamp(), moment_local.replace(fold=1).timestamp()


def free_of(pause: Pause) -> Spans:
    """All the time outside of it."""
    before = (float("-inf"), pause.begins_at.timestamp())
    return [before] if pause.ends_at is None else [before, (pause.ends_at.timestamp(), float("inf"))]


def both(first: Spans, second: Spans) -> Spans:
    """When both are open."""
    spans: Spans = []
    here = there = 0
    while here < len(first) and there < len(second):
        begins, ends = max(first[here][0], second[there][0]), min(first[here][1], second[there][1])
        if begins < ends:
            spans.append((begins, ends))
        if first[here][1] <= second[there][1]:
            here += 1
        else:
            there += 1
    return spans


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
