"""What a dry run foresees: whom a run would reach where, in which waves, from when until when, and for how much."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from airflow_provider_dropcowboy.api.content import Sms, count_outside_gsm
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.contacts.contact import Contact
from airflow_provider_dropcowboy.ledger.judgement import Judgement
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.screening.places import Places, load_places
from airflow_provider_dropcowboy.screening.screen import Candidate, Message, Ruling
from airflow_provider_dropcowboy.states import State

ASSUMED_ANSWER_S: Final = 0.5
"""Assumed time of one request, before the vendor has answered the first."""

SEVERAL: Final = "several"
"""Rows whose area code and postal code point to different places, or whose area code lies in more than one."""
UNKNOWN: Final = "unknown"

ByPlace = Mapping[str, Mapping[State, int]]


@dataclass(frozen=True, slots=True)
class Wave:
    """The sends of one calling window; instants are aware, UTC.

    :param opens_at: of the calling window; for the first wave, the moment of the dry run.
    :param begins_at: when the wave before it is over, too.
    """

    sends: int
    opens_at: datetime
    begins_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """An estimate: each request takes ``ASSUMED_ANSWER_S``, no row changes, and nobody else sends meanwhile.

    :param rate_per_s: what ``concurrency`` requests at once, and ``rate_per_s``, come to.
    :param cost_usd: of all waves; None: the connection has no price.
    :param waves: which the run would send, in their order.
    :param left: rows whose hours open later than the run waits, by opening; a rerun of the campaign sends to them.
    :param hours_end_at: when calling hours first end for somebody who would be contacted now.
    :param regions: states of rows by US state, province or country of the called party.
    :param zones: the same by time zone.
    :param outside_gsm: texts, sent now or in a wave, with a character that makes them go out in parts of 70.
    """

    rate_per_s: float
    cost_usd: Decimal | None
    waves: Sequence[Wave] = ()
    left: Mapping[datetime, int] = field(default_factory=dict)
    hours_end_at: datetime | None = None
    regions: ByPlace = field(default_factory=dict)
    zones: ByPlace = field(default_factory=dict)
    outside_gsm: int = 0

    @property
    def sends(self) -> int:
        """In all waves."""
        return sum(wave.sends for wave in self.waves)

    @property
    def begins_at(self) -> datetime | None:
        """The first moment of sending; None: nothing would be sent."""
        return self.waves[0].begins_at if self.waves else None

    @property
    def ends_at(self) -> datetime | None:
        """The last one."""
        return self.waves[-1].ends_at if self.waves else None

    @property
    def is_late(self) -> bool:
        """Whether calling hours end before everybody is contacted who may be contacted now."""
        return self.hours_end_at is not None and bool(self.waves) and self.waves[0].ends_at > self.hours_end_at

    def as_dict(self) -> dict[str, object]:
        """As XCom and ``--json`` give it: counts and instants, no row."""
        return {
            "sends": self.sends,
            "cost_usd": None if self.cost_usd is None else float(self.cost_usd),
            "begins_at": _text(self.begins_at),
            "ends_at": _text(self.ends_at),
            "rate_per_s": round(self.rate_per_s, 1),
            "waves": [
                {"sends": wave.sends, "begins_at": _text(wave.begins_at), "ends_at": _text(wave.ends_at)}
                for wave in self.waves
            ],
            "left": [{"rows": rows, "opens_at": _text(opens_at)} for opens_at, rows in self.left.items()],
            "hours_end_at": _text(self.hours_end_at),
            "states": _named(self.regions),
            "zones": _named(self.zones),
            "outside_gsm": self.outside_gsm,
        }

    def lines(self) -> Iterator[str]:
        """For a log."""
        if self.cost_usd is None:
            cost = "the cost is not known, since the connection has no price"
        else:
            cost = f"about {self.cost_usd:f} US dollars"
        if self.waves:
            yield (
                f"{self.sends} sends between {_second(self.waves[0].begins_at)} and "
                f"{_second(self.waves[-1].ends_at)}, {cost}; estimated for {self.rate_per_s:.0f} requests a second"
            )
        for number, wave in enumerate(self.waves, start=1):
            yield f"wave {number}: {wave.sends} sends from {_second(wave.begins_at)} to {_second(wave.ends_at)}"
        for opens_at, rows in self.left.items():
            yield f"left held: {rows} rows until {_second(opens_at)}"
        for name, places in (("state", self.regions), ("time zone", self.zones)):
            if places:
                yield f"by {name}: " + "; ".join(f"{place}: {_counts(states)}" for place, states in places.items())


@dataclass(frozen=True, slots=True)
class JudgedRow:
    """What a dry run says of one row.

    :param foreign_id: of its message; None: the row makes none.
    :param phone: None: its number cannot be read, or the row makes no message.
    :param rule: that decided; None: none did, as for a row that was sent before.
    :param opens_at: aware; when a held row may be called. None: nobody waits for it.
    """

    state: State
    reason: str | None
    contact_key: str | None = field(repr=False)
    foreign_id: str | None = None
    phone: Phone | None = None
    rule: str | None = None
    opens_at: datetime | None = None


class Outlook:
    """Gathers a forecast, row by row, in memory that does not grow with them.

    :param at: the moment of the dry run.
    :param waits_for: so long after it, openings are waited for; None: no opening is.
    """

    def __init__(self, plan: Plan, *, at: datetime, waits_for: timedelta | None) -> None:
        self._plan = plan
        self._at = at
        self._until = None if waits_for is None else at + waits_for
        self._places: Places = load_places()
        self._ready = 0
        self._openings: Counter[datetime] = Counter()
        self._hours_end_at: datetime | None = None
        self._outside_gsm = 0
        self._where: Counter[tuple[tuple[str, ...], tuple[str, ...], State]] = Counter()

    def add_sent(self, contact: Contact, state: State) -> None:
        """One more row, whose message was sent before."""
        self._place(contact.phone, state, postal_code=contact.postal_code)

    def add(self, candidates: Sequence[Candidate], *, judgement: Judgement, ready: Sequence[Candidate]) -> None:
        """The rows of one batch that made messages.

        :param ready: those that would be sent now.
        """
        rulings = {id(candidate.message): candidate.ruling for candidate in candidates}
        for row in judgement.already:
            self._place(row.message.phone, row.state, postal_code=row.message.postal_code)
        for message, verdict in judgement.stopped:
            if verdict.opens_at is not None:
                self._openings[verdict.opens_at] += 1
            is_for_sending = verdict.opens_at is not None
            self._add(message, verdict.state, is_for_sending=is_for_sending, ruling=rulings[id(message)])
        for candidate in ready:
            self._ready += 1
            if candidate.ruling is not None and (closes_at := candidate.ruling.closes_at) is not None:
                self._hours_end_at = min(self._hours_end_at or closes_at, closes_at)
            self._add(candidate.message, State.READY, is_for_sending=True, ruling=candidate.ruling)

    def _add(self, message: Message, state: State, *, is_for_sending: bool, ruling: Ruling | None) -> None:
        if ruling is not None and ruling.zones:  # it was made for the places of the number and the postal code
            self._where[ruling.regions, ruling.zones, state] += 1
        else:
            self._place(message.phone, state, postal_code=message.postal_code)
        if is_for_sending and isinstance(message.content, Sms) and count_outside_gsm(message.content.sms_body):
            self._outside_gsm += 1

    def _place(self, phone: Phone, state: State, *, postal_code: str | None) -> None:
        place = self._places.locate(phone.e164, postal_code=postal_code)
        self._where[place.regions, place.zones, state] += 1

    def forecast(self, *, allowed: int | None) -> Forecast:
        """What the rows so far come to.

        :param allowed: sends that limit and budget leave beyond those that are ready; None: any number.
        """
        plan, price_micros = self._plan, self._plan.claim_rules.price_micros
        rate_per_s = min(plan.concurrency, plan.max_concurrency) / ASSUMED_ANSWER_S
        if plan.rate_per_s is not None:
            rate_per_s = min(rate_per_s, plan.rate_per_s)
        openings = sorted(self._openings.items())
        waited_for = [(at, rows) for at, rows in openings if self._until is not None and at <= self._until]
        allowed = None if allowed is None else allowed + self._ready
        waves = tuple(_waves([(self._at, self._ready), *waited_for], rate_per_s=rate_per_s, allowed=allowed))
        sends = sum(wave.sends for wave in waves)
        return Forecast(
            rate_per_s=rate_per_s,
            cost_usd=None if price_micros is None else Decimal(price_micros) * sends / 1_000_000,
            waves=waves,
            left=dict(openings[len(waited_for) :]),
            hours_end_at=self._hours_end_at,
            regions=_by_size((regions, state, rows) for (regions, _, state), rows in self._where.items()),
            zones=_by_size((zones, state, rows) for (_, zones, state), rows in self._where.items()),
            outside_gsm=self._outside_gsm,
        )


def judged_rows(judgement: Judgement, ready: Sequence[Candidate]) -> Iterator[JudgedRow]:
    """What is said of the rows of one batch that made messages."""

    def row(message: Message, state: State, reason: str | None, *law: Any) -> JudgedRow:
        return JudgedRow(state, reason, message.contact_key, message.foreign_id, message.phone, *law)

    for sent in judgement.already:
        yield row(sent.message, sent.state, sent.reason)
    for message, verdict in judgement.stopped:
        yield row(message, verdict.state, verdict.reason, verdict.rule, verdict.opens_at)
    for candidate in ready:
        yield row(candidate.message, State.READY, None, candidate.rule)


def _waves(openings: Sequence[tuple[datetime, int]], *, rate_per_s: float, allowed: int | None) -> Iterator[Wave]:
    """One after the other; none for an opening at which nothing is left to send."""
    free_at = openings[0][0]
    for opens_at, rows in openings:
        sends = rows if allowed is None else min(rows, allowed)
        if not sends:
            continue
        if allowed is not None:
            allowed -= sends
        begins_at = max(opens_at, free_at)
        free_at = begins_at + timedelta(seconds=sends / rate_per_s)
        yield Wave(sends, opens_at, begins_at, free_at)


def _only(names: tuple[str, ...]) -> str:
    match names:
        case ():
            return UNKNOWN
        case (name,):
            return name
        case _:
            return SEVERAL


def _by_size(found: Iterable[tuple[tuple[str, ...], State, int]]) -> dict[str, dict[State, int]]:
    places: dict[str, Counter[State]] = defaultdict(Counter)
    for names, state, rows in found:
        places[_only(names)][state] += rows
    largest_first = sorted(places.items(), key=lambda item: (-item[1].total(), item[0]))
    return {name: {state: counts[state] for state in State if counts[state]} for name, counts in largest_first}


def _named(places: ByPlace) -> dict[str, dict[str, int]]:
    return {name: {state.value: count for state, count in states.items()} for name, states in places.items()}


def _counts(states: Mapping[State, int]) -> str:
    return ", ".join(f"{count} {state}" for state, count in states.items())


def _text(at: datetime | None) -> str | None:
    return None if at is None else at.isoformat(timespec="seconds")


def _second(at: datetime) -> str:
    return f"{at:%a %Y-%m-%d %H:%M:%S} UTC"
