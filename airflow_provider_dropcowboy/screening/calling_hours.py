"""Who may be called when: the calling hours of all the places where a person may be, at once."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from functools import reduce
from itertools import chain
from typing import Final

import pendulum

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.screening.places import Place, load_places
from airflow_provider_dropcowboy.screening.rules import CALLED_PARTY, CHANNELS, Pause, Rule, Rulebook
from airflow_provider_dropcowboy.screening.zones import ZoneRules, clock, is_older, zone_rules

SEARCH_DAYS: Final = 14
"""How far ahead the next opening is looked for: longer than any weekend with holidays."""

LABELS: Final = 4
"""Rules that a verdict names at most; an area code that nobody knows stands under those of the whole country."""

Spans = list[tuple[float, float]]
"""Open from the first until before the second, in seconds since the epoch; in order, none touches the next."""


class Mode(StrEnum):
    """Which calling hours are kept.

    ``STATE``: the country's and every stricter state's. ``FEDERAL``: the country's alone, without holidays, caps and
    bans. ``OFF``: none.
    """

    STATE = "state"
    FEDERAL = "federal"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Ruling:
    """Whether a person may be called at a moment.

    :param is_open: somebody may be asked now, until ``closes_at``.
    :param closes_at: aware, UTC; nothing is written from then on. The margin is taken off. None: no end, or not open.
    :param opens_at: aware, UTC: when it is closed, the next opening. None: none within ``SEARCH_DAYS``, or unknown.
    :param is_banned: the law of a place forbids the message at any hour.
    :param rule: for a person and an auditor: what it was judged by, and of which version.
    :param caps: so many messages to one number within so long a time; those of all its places.
    """

    is_open: bool
    closes_at: datetime | None
    opens_at: datetime | None
    is_banned: bool
    rule: str
    caps: tuple[tuple[int, timedelta], ...] = ()
    regions: tuple[str, ...] = ()
    zones: tuple[str, ...] = ()


class CallingHours:
    """The rules for one channel and kind of message. It remembers each place's ruling for as long as that holds.

    :ivar version: of the rules and of the time zones: ``2026.11.24, time zones 2026f``. With a user's file both
        versions of the rules, ``2026.11.24+7``.
    """

    def __init__(self, mode: Mode, book: Rulebook, *, rules: tuple[Rule, ...], has_bans: bool) -> None:
        self.version = f"{book.version}, time zones {zone_rules().version}"
        self._mode = mode
        self._book = book
        self._rules = rules
        self._has_bans = has_bans
        self._places = load_places()
        self._holidays = {region: frozenset(chain(*days.values())) for region, days in book.holidays.items()}
        self._standings: dict[Place, _Standing] = {}
        self._day: date | None = None
        self._spans_of: dict[tuple[Rule, str], Spans] = {}
        self._off = Ruling(True, None, None, is_banned=False, rule="calling hours are off")

    @classmethod
    def load(cls, mode: Mode, *, channel: str, message_kind: str, rules_text: str | None = None) -> "CallingHours":
        """The rules this package ships, with those of a user's file.

        :param channel: ``rvm`` or ``sms``.
        :param message_kind: ``marketing`` or ``informational``; only the former is banned in some states.
        :param rules_text: the user's file; see :meth:`Rulebook.load`.
        :raises ConfigurationError: the file cannot be read, or this machine's time zone rules are older than the tables
            of places; it says what to change.
        """
        if channel not in CHANNELS or message_kind not in ("marketing", "informational"):
            raise ConfigurationError(
                f"Calling hours for channel={channel!r} and message_kind={message_kind!r} are unknown. "
                "Write rvm or sms, and marketing or informational. Nothing was sent."
            )
        if mode is not Mode.OFF:
            _check_zone_rules(zone_rules(), load_places().zone_version)
        book = Rulebook.load(rules_text)
        is_national = mode is Mode.FEDERAL
        rules = tuple(r for r in book.rules if channel in r.channels and (len(r.region) == 2 or not is_national))
        return cls(mode, book, rules=rules, has_bans=channel == "rvm" and message_kind == "marketing")

    def judge(
        self,
        e164: str,
        *,
        postal_code: str | None,
        state: str | None = None,
        timezone: str | None = None,
        at: datetime,
    ) -> Ruling:
        """Whether the person may be called at that moment: only if every rule of every place is open in every zone.

        :param postal_code: of the row; it adds its place to that of the area code.
        :param state: two letters, from somebody who knows; replaces the places.
        :param timezone: an IANA name, from somebody who knows; replaces the zones.
        :param at: aware.
        :raises ConfigurationError: the rules do not reach so far: their holidays end before.
        """
        if self._mode is Mode.OFF:
            return self._off
        place = self._places.locate(e164, postal_code=postal_code, state=state, timezone=timezone)
        now = at.timestamp()
        standing = self._standings.get(place)
        if standing is None or not standing.begins <= now < standing.ends:
            standing = self._standings[place] = self._look(place, now)
        return standing.ruling

    def _look(self, place: Place, now: float) -> "_Standing":
        """The ruling, and from when until when it is the same; not past the end of the day in UTC."""
        today = datetime.fromtimestamp(now, UTC).date()
        midnight = datetime.combine(today + timedelta(days=1), time(), UTC).timestamp()
        if self._mode is Mode.STATE and today > self._book.holidays_until:
            raise ConfigurationError(
                f"The calling hours {self._book.version} know the holidays until {self._book.holidays_until}, and it "
                f"is {today}. Nobody is called who may have one. Install a newer version of this package, or write "
                "holidays_until and the holidays into a file of your own (docs/screening.md)."
            )
        in_force = {*place.regions, *(region[:2] for region in place.regions)}
        rules = [rule for rule in self._rules if rule.region in in_force]
        gap = place.gap or _lawless(place, rules)
        bans = [rule for rule in rules if rule.bans_prerecorded and self._has_bans]
        if bans and place.new_area_code:  # it may be there: neither called nor told that it is
            gap = f"the area code {place.new_area_code} is in no table: give a postal code"
        if gap or bans:
            reason = f"held: {gap}" if gap else f"prerecorded sales messages are banned: {_labels(bans)}"
            return _Standing(now, midnight, self._ruling(place, rules, reason, is_banned=not gap))
        pauses = [pause for pause in self._book.pauses if pause.region in in_force]
        laws = [(rule.label, self._spans(rule, place, today=today)) for rule in rules]
        laws += [(pause.label, _free_of(pause)) for pause in pauses]
        spans = _shorten(reduce(_both, (times for _, times in laws)), by_s=self._book.margin.total_seconds())
        following = bisect_right(spans, now, key=lambda span: span[0])
        if following and now < spans[following - 1][1]:
            begins, ends = spans[following - 1]
            ruling = self._ruling(place, rules, f"open: {_labels(rules)}", closes_at=_moment(ends))
            return _Standing(begins, min(ends, midnight), ruling)
        closed = [label for label, times in laws if not any(begins <= now < ends for begins, ends in times)]
        reason = f"closed: {_joined(closed)}" if closed else "closed: the margin before the end"
        opens_at = _moment(spans[following][0]) if following < len(spans) else None
        edges = chain.from_iterable(chain(spans, *(times for _, times in laws)))
        ends = min(edge for edge in chain(edges, [midnight]) if edge > now)
        return _Standing(now, ends, self._ruling(place, rules, reason, opens_at=opens_at))

    def _ruling(
        self,
        place: Place,
        rules: Sequence[Rule],
        reason: str,
        *,
        closes_at: datetime | None = None,
        opens_at: datetime | None = None,
        is_banned: bool = False,
    ) -> Ruling:
        return Ruling(
            is_open=closes_at is not None,
            closes_at=closes_at,
            opens_at=opens_at,
            is_banned=is_banned,
            rule=f"{reason}; calling hours {self.version}",
            caps=tuple(sorted({cap for rule in rules for cap in rule.caps})),
            regions=place.regions,
            zones=place.zones,
        )

    def _spans(self, rule: Rule, place: Place, *, today: date) -> Spans:
        """When a rule is open in every zone of which it speaks."""
        zones = {zone for name in rule.zones for zone in (place.zones if name == CALLED_PARTY else (name,))}
        return reduce(_both, (self._spans_in(rule, zone, today=today) for zone in sorted(zones)))

    def _spans_in(self, rule: Rule, zone: str, *, today: date) -> Spans:
        if today != self._day:
            self._day, self._spans_of = today, {}
        spans = self._spans_of.get((rule, zone))
        if spans is None:
            holidays = self._holidays.get(rule.region, frozenset())
            spans = self._spans_of[rule, zone] = _spans_on_the_clock(rule, zone, today=today, holidays=holidays)
        return spans


@dataclass(frozen=True, slots=True)
class _Standing:
    """A ruling, and from when until when (seconds since the epoch) it is the same."""

    begins: float
    ends: float
    ruling: Ruling


def _spans_on_the_clock(rule: Rule, zone: str, *, today: date, holidays: frozenset[date]) -> Spans:
    """When a rule is open on the wall clock of one zone, from yesterday on."""
    wall = clock(zone)
    spans: Spans = []
    for number in range(-1, SEARCH_DAYS + 2):
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


def _check_zone_rules(rules: ZoneRules, needed: str) -> None:
    """Nothing, if the rules are as new as the tables of places.

    :raises ConfigurationError: they are older: an evening may end an hour late.
    """
    if is_older(rules.version, needed):
        raise ConfigurationError(
            f"The newest time zone rules of this machine are {rules.version} ({rules.origin}). The calling hours need "
            f"{needed} or newer, since clocks have changed by law meanwhile. Nothing was sent. "
            "Run `pip install --upgrade tzdata` on every machine that sends."
        )


def _free_of(pause: Pause) -> Spans:
    """All the time outside of it."""
    before = (float("-inf"), pause.begins_at.timestamp())
    return [before] if pause.ends_at is None else [before, (pause.ends_at.timestamp(), float("inf"))]


def _both(first: Spans, second: Spans) -> Spans:
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


def _shorten(spans: Spans, *, by_s: float) -> Spans:
    """The spans with their ends moved up; what is too short is none."""
    return [(begins, ends - by_s) for begins, ends in spans if begins < ends - by_s]


def _lawless(place: Place, rules: Sequence[Rule]) -> str | None:
    """Where no country's hours are known, any hour would be a guess."""
    known = {rule.region for rule in rules}
    countries = sorted({region[:2] for region in place.regions} - known)
    return (
        f"no calling hours are known for {', '.join(countries)}: add a rule in a file of your own"
        if countries
        else None
    )


def _labels(rules: Iterable[Rule]) -> str:
    return _joined([rule.label for rule in rules])


def _joined(labels: Sequence[str]) -> str:
    more = len(labels) - LABELS
    return ", ".join(labels[:LABELS]) + (f" and {more} more" if more > 0 else "")


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
