"""Who may be called when: the calling hours of all the places where a person may be, at once."""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from functools import reduce
from itertools import chain
from typing import Final

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.screening.places import Place, ZoneRules, is_older, load_places, zone_rules
from airflow_provider_dropcowboy.screening.rule_files import CHANNELS, load_rulebook
from airflow_provider_dropcowboy.screening.rules import (
    CALLED_PARTY,
    Rule,
    Rulebook,
    RuleSpans,
    both,
    force_spans,
    free_of,
    shorten,
    state_at,
)
from airflow_provider_dropcowboy.screening.screen import Need, Ruling

_BANNED: Final = {
    "prerecorded": "prerecorded sales messages are banned",
    "mobile": "sales messages to mobiles, which any number may be, are banned",
}
LABELS: Final = 4
"""Rules that a verdict names at most; an area code that nobody knows stands under those of the whole country."""


SEARCH_DAYS: Final = 14
"""How far ahead the next opening is looked for: longer than any weekend with holidays."""
FIRST_DAYS: Final = 2
"""How far ahead it is looked for at first. It is nearly always found there, and each day costs time."""


class Mode(StrEnum):
    """Which calling hours are kept.

    ``STATE``: the country's and every stricter state's. ``FEDERAL``: the country's alone: its hours, and the consent
    that it wants for recordings. ``OFF``: none.
    """

    STATE = "state"
    FEDERAL = "federal"
    OFF = "off"


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
        self._rules_in: dict[str, list[int]] = {}
        for number, rule in enumerate(rules):
            self._rules_in.setdefault(rule.region, []).append(number)
        self._has_bans = has_bans
        self._needs = {rule: Need(rule.consent, rule.label) for rule in rules if rule.consent}
        self._places = load_places()
        self._spans = RuleSpans({region: frozenset(chain(*days.values())) for region, days in book.holidays.items()})
        self._standings: dict[Place, _Standing] = {}
        self._alike: dict[tuple[object, ...], _Standing] = {}
        self._named = {rule.region for rule in rules} | {pause.region for pause in book.pauses}
        self._off = Ruling(True, None, None, is_banned=False, rule="calling hours are off")

    @classmethod
    def load(cls, mode: Mode, *, channel: str, message_kind: str, rules_text: str | None = None) -> "CallingHours":
        """The rules this package ships, with those of a user's file.

        :param channel: ``rvm`` or ``sms``.
        :param message_kind: ``marketing`` or ``informational``; only the former is banned, or needs consent, in some
            states.
        :param rules_text: the user's file; see :func:`.load_rulebook`.
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
        book = load_rulebook(rules_text)
        is_national = mode is Mode.FEDERAL
        rules = tuple(r for r in book.rules if channel in r.channels and (len(r.region) == 2 or not is_national))
        if message_kind != "marketing":
            rules = tuple(replace(r, ban="", consent=()) for r in rules if r.is_about_hours or r.opt_out)
        elif channel != "rvm":
            rules = tuple(
                replace(rule, ban="") if rule.bans_prerecorded else rule
                for rule in rules
                if rule.is_about_hours or not rule.bans_prerecorded
            )
        return cls(mode, book, rules=rules, has_bans=message_kind == "marketing")

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
            standing = self._standings[place] = self._look_alike(place, now)
        return standing.ruling

    def laws(
        self,
        e164: str,
        *,
        postal_code: str | None,
        state: str | None = None,
        timezone: str | None = None,
        at: datetime,
    ) -> tuple[Rule, ...]:
        """The rules that hold for the person at that moment; the parameters are those of :meth:`judge`."""
        if self._mode is Mode.OFF:
            return ()
        place = self._places.locate(e164, postal_code=postal_code, state=state, timezone=timezone)
        return tuple(self._held(self._rules_of(place), place, at.timestamp())[0])

    def _rules_of(self, place: Place) -> list[Rule]:
        found = chain.from_iterable(self._rules_in[region] for region in self._rules_in.keys() & _with_countries(place))
        return [self._rules[number] for number in sorted(found)]

    def _held(self, rules: Sequence[Rule], place: Place, now: float) -> tuple[list[Rule], list[float]]:
        """Those that hold now, in a zone at least of which they speak, and the moments at which one begins or ends."""
        spans = {rule: [force_spans(rule, zone) for zone in _zones_of(rule, place)] for rule in rules if rule.is_dated}
        held = [rule for rule in rules if rule not in spans or any(b <= now < e for b, e in spans[rule])]
        return held, list(chain.from_iterable(chain.from_iterable(spans.values())))

    def _look_alike(self, place: Place, now: float) -> "_Standing":
        """The ruling of a place under the same rules in the same zones, if there was one: they differ by name alone."""
        regions = _with_countries(place)
        countries = frozenset(region for region in regions if len(region) == 2)
        kind = frozenset(regions & self._named), countries, place.zones, place.gap, place.new_area_code
        standing = self._alike.get(kind)
        if standing is None or not standing.begins <= now < standing.ends:
            standing = self._alike[kind] = self._look(place, now)
        if standing.ruling.regions == place.regions:
            return standing
        return _Standing(standing.begins, standing.ends, replace(standing.ruling, regions=place.regions))

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
        rules = self._rules_of(place)
        held, begins_and_ends = self._held(rules, place, now)
        next_day = min(edge for edge in (midnight, *begins_and_ends) if edge > now)
        gap = place.gap or _lawless(place, held)
        bans = [rule for rule in held if rule.ban and self._has_bans]
        if bans and place.new_area_code:  # the person may be there, or not: no call, and no text that names the place
            gap = f"the area code {place.new_area_code} is in no table: give a postal code"
        if gap or bans:
            reason = f"held: {gap}" if gap else f"{_BANNED[bans[0].ban]}: {_labels(bans)}"
            # where a person is not known to be, no law is known to want consent
            return _Standing(now, next_day, self._ruling(place, [] if gap else held, reason, is_banned=not gap))
        regions = _with_countries(place)
        pauses = [pause for pause in self._book.pauses if pause.region in regions]
        for days in (FIRST_DAYS, SEARCH_DAYS):
            laws = [
                (rule.label, self._spans.of(rule, _zones_of(rule, place), today=today, days=days))
                for rule in rules
                if rule.is_about_hours
            ]
            laws += [(pause.label, free_of(pause)) for pause in pauses]
            spans = shorten(reduce(both, (times for _, times in laws)), by_s=self._book.margin.total_seconds())
            following = bisect_right(spans, now, key=lambda span: span[0])
            # what begins by then begins in every zone within these days
            if following < len(spans) and spans[following][0] < midnight + timedelta(days=days).total_seconds():
                break
        if following and now < spans[following - 1][1]:
            ends = spans[following - 1][1]
            labels = _labels(rule for rule in held if rule.is_about_hours)
            opens_at = _moment(spans[following][0]) if following < len(spans) else None
            ruling = self._ruling(place, held, f"open: {labels}", closes_at=_moment(ends), opens_at=opens_at)
            return _Standing(now, min(ends, next_day), ruling)
        states = [state_at(times, now) for _, times in laws]
        closed = [label for (label, _), (is_open, _until) in zip(laws, states, strict=True) if not is_open]
        reason = f"closed: {_joined(closed)}" if closed else "closed: the margin before the end"
        opens_at = _moment(spans[following][0]) if following < len(spans) else None
        ends = min(next_day, state_at(spans, now)[1], *(until for _, until in states))
        return _Standing(now, ends, self._ruling(place, held, reason, opens_at=opens_at))

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
            needs=tuple(self._needs[rule] for rule in rules if rule.consent),
            regions=place.regions,
            zones=place.zones,
            version=self.version,
        )


@dataclass(frozen=True, slots=True)
class _Standing:
    """A ruling, and from when until when (seconds since the epoch) it is the same."""

    begins: float
    ends: float
    ruling: Ruling


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


def _with_countries(place: Place) -> set[str]:
    return {*place.regions, *(region[:2] for region in place.regions)}


def _zones_of(rule: Rule, place: Place) -> tuple[str, ...]:
    if rule.zones == (CALLED_PARTY,):
        return place.zones
    return tuple(sorted({zone for name in rule.zones for zone in (place.zones if name == CALLED_PARTY else (name,))}))


def _lawless(place: Place, rules: Sequence[Rule]) -> str | None:
    """Where no country's hours are known, any hour would be a guess."""
    known = {rule.region for rule in rules if rule.is_about_hours}
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
