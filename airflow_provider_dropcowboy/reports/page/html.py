"""How the page looks: templates in which every value is escaped, headers that keep it harmless, and its chart."""

import base64
import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import accumulate, chain, count
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import jinja2

from airflow_provider_dropcowboy.states import State

ORDER: Final = (
    State.DELIVERED,
    State.FAILED,
    State.EXPIRED,
    State.ACCEPTED,
    State.CLAIMED,
    State.UNKNOWN,
    State.REJECTED,
    State.RELEASED,
)
"""From the end that is wished for to those that were not accepted; from the foot of a column to its top."""

_FOLDER: Final = Path(__file__).parent / "templates"
_STYLE: Final = (_FOLDER / "style.css").read_text()
_STYLE_HASH: Final = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

ZONES: Final = (
    "UTC", "America/New_York", "America/Chicago", "America/Denver", "America/Los_Angeles", "America/Anchorage",
    "Pacific/Honolulu",
)  # fmt: skip
"""Time zones that a reader may choose, beside Airflow's own."""

ICON: Final = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" fill="none" stroke="#0d9488" stroke-width="2" '
    'stroke-linecap="round"><circle cx="6.5" cy="12" r="4"/><circle cx="17.5" cy="12" r="4"/>'
    '<path d="M6.5 16h11"/></svg>'
)
"""Of the navigation: the sign of a voicemail."""

HEADERS: Final[Mapping[str, str]] = {
    # nothing is loaded and nothing runs: the style is in the page, and this one alone
    "Content-Security-Policy": (
        f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; form-action 'self'; frame-ancestors 'self'; "
        "base-uri 'none'"
    ),
    "Cache-Control": "no-store",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


LABELS: Final = {
    State.READY: "Ready",
    State.INVALID: "Invalid",
    State.SUPPRESSED: "Suppressed",
    State.DUPLICATE: "Duplicate",
    State.CAPPED: "Capped",
    State.HELD: "Held",
    State.WITHDRAWN: "Withdrawn",
    State.CLAIMED: "Being sent",
    State.ACCEPTED: "No result yet",
    State.REJECTED: "Refused",
    State.RELEASED: "Not sent yet",
    State.UNKNOWN: "In doubt",
    State.DELIVERED: "Delivered",
    State.FAILED: "Failed",
    State.EXPIRED: "No result in time",
}
"""What the page calls a state."""


def render(template: str, *, zone: tzinfo, **values: object) -> str:
    """The page of a template.

    :param zone: of the reader.
    """
    return _ENVIRONMENT.get_template(template).render(zone=zone, **values)


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else ""


@jinja2.pass_context
def _moment(context: jinja2.runtime.Context, at: datetime) -> str:
    """In the reader's time zone, as a person writes it: ``Nov 28, 2026, 11:02 AM``."""
    local = at.astimezone(context["zone"])
    return f"{local:%b} {local.day}, {local.year}, {_clock(local)}"


@jinja2.pass_context
def _exact(context: jinja2.runtime.Context, at: datetime) -> str:
    local = at.astimezone(context["zone"])
    return f"{local:%b} {local.day}, {local.year}, {local:%H:%M:%S}"


@jinja2.pass_context
def _soon(context: jinja2.runtime.Context, at: datetime) -> str:
    """Of the next days, with its zone, and in New York's time too if that is another: ``Mon 4:00 PM UTC (…)``."""
    local = at.astimezone(context["zone"])
    eastern = at.astimezone(_EASTERN)
    said = f"{local:%a} {_clock(local)} {local.tzname()}"
    return said if local.utcoffset() == eastern.utcoffset() else f"{said} ({_clock(eastern)} {eastern.tzname()})"


def _day(at: datetime) -> str:
    return f"{at:%b} {at.day}, {at.year}"  # a logical date is a day in UTC


def _titled(name: str) -> tuple[str, datetime | None]:
    """A campaign's name for people: without the date that the default name ends in, and that date.

    :returns: ``("dag.task", the logical date)``, or the name as it is and None.
    """
    found = _DATED.fullmatch(name)
    if found is None:
        return name, None
    try:
        return found[1], datetime.fromisoformat(found[2]).astimezone(UTC)
    except ValueError:
        return name, None


def _clock(at: datetime) -> str:
    return f"{at.hour % 12 or 12}:{at:%M} {'AM' if at.hour < 12 else 'PM'}"


_DATED: Final = re.compile(r"(.+)@(?:[a-z_]+__)?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))(?:_\w+)?")
_EASTERN: Final = ZoneInfo("America/New_York")
_ENVIRONMENT: Final = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_FOLDER),
    autoescape=True,
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.globals |= {"style": _STYLE, "zones": ZONES, "order": ORDER, "labels": LABELS}
_ENVIRONMENT.filters |= {
    "number": "{:,}".format, "share": _share, "dollars": "${:,.2f}".format, "moment": _moment, "exact": _exact,
    "soon": _soon, "day": _day, "titled": _titled,
}  # fmt: skip

MIN_COLUMNS: Final = 10
"""Fewer columns show nothing that a number does not."""
MAX_COLUMNS: Final = 60
MINUTE_S: Final = 60
HOUR_S: Final = 60 * MINUTE_S
DAY_S: Final = 24 * HOUR_S
WIDTHS_S: Final = (
    *(1, 2, 5, 10, 15, 30),
    *(minutes * MINUTE_S for minutes in (1, 2, 5, 10, 15, 30)),
    *(hours * HOUR_S for hours in (1, 2, 3, 6, 12)),
    *(days * DAY_S for days in (1, 2, 7, 28)),
)
"""Seconds that a column may stand for."""

WIDTH: Final = 720.0
HEIGHT: Final = 180.0
"""Of the area of the columns, in the units of the drawing."""
GAP: Final = 2.0


@dataclass(frozen=True, slots=True)
class Block:
    """The sends of one state in one column."""

    state: State
    sends: int
    y: float
    height: float


@dataclass(frozen=True, slots=True)
class Column:
    """The sends of some time.

    :param begins_at: the first moment of it.
    """

    begins_at: datetime
    x: float
    width: float
    counts: Counter[State]
    blocks: Sequence[Block]


@dataclass(frozen=True, slots=True)
class Tick:
    """A line across the columns, with what it stands for."""

    sends: int
    y: float


@dataclass(frozen=True, slots=True)
class Chart:
    """Columns of equal width over a time without gaps.

    :param width_s: seconds that each stands for.
    :param delivered: the share of all sends that was delivered up to the end of each column, as points of a line.
    """

    columns: Sequence[Column]
    ticks: Sequence[Tick]
    width_s: int
    delivered: str

    @property
    def states(self) -> Sequence[State]:
        """Those that occur, in the order in which they are stacked."""
        total = sum((column.counts for column in self.columns), Counter[State]())
        return [state for state in ORDER if total[state]]

    @property
    def unit(self) -> str:
        """What a column stands for, in words."""
        for seconds, unit in ((DAY_S, "day"), (HOUR_S, "hour"), (MINUTE_S, "minute"), (1, "second")):
            if self.width_s % seconds == 0:
                number = self.width_s // seconds
                return unit if number == 1 else f"{number} {unit}s"
        raise AssertionError(self.width_s)


def draw(moments: Mapping[datetime, Counter[State]], *, step_s: int = HOUR_S, zone: tzinfo = UTC) -> Chart | None:
    """Columns of as little time as makes at most ``MAX_COLUMNS`` of them; None: there is too little to draw.

    :param moments: sends by the beginning of the step in which they were counted.
    :param step_s: seconds of that step; no column stands for less.
    :param zone: in which days begin at midnight.
    """
    if not moments:
        return None
    first, last = min(moments), max(moments)
    offset_s = int((first.astimezone(zone).utcoffset() or timedelta(0)).total_seconds())

    def place(at: datetime, width_s: int) -> int:
        return (int(at.timestamp()) + offset_s) // width_s

    widths = chain((w for w in WIDTHS_S if w >= step_s), count(2 * WIDTHS_S[-1], WIDTHS_S[-1]))  # the latter for years
    width_s = next(width for width in widths if place(last, width) - place(first, width) < MAX_COLUMNS)
    begin, places = place(first, width_s), place(last, width_s) - place(first, width_s) + 1
    if places < MIN_COLUMNS:
        return None
    counts = [Counter[State]() for _ in range(places)]
    for moment_at, sends in moments.items():
        counts[place(moment_at, width_s) - begin] += sends
    top = _round_up(max(each.total() for each in counts))
    step = WIDTH / places
    columns = [
        Column(
            begins_at=datetime.fromtimestamp((begin + number) * width_s - offset_s, UTC),
            x=round(number * step, 2),
            width=round(step - GAP, 2),
            counts=each,
            blocks=_stack(each, top),
        )
        for number, each in enumerate(counts)
    ]
    whole = sum(each.total() for each in counts)
    line = " ".join(
        f"{round((number + 0.5) * step, 2)},{round(HEIGHT * (1 - delivered / whole), 2)}"
        for number, delivered in enumerate(accumulate(each[State.DELIVERED] for each in counts))
    )
    ticks = [Tick(top * part // 2, round(HEIGHT * (1 - part / 2), 2)) for part in range(3)]
    return Chart(columns, ticks, width_s, line)


def _stack(counts: Counter[State], top: int) -> list[Block]:
    blocks, below = [], 0
    for state in ORDER:
        if sends := counts[state]:
            foot, head = HEIGHT * (1 - below / top), HEIGHT * (1 - (below + sends) / top)
            blocks.append(Block(state, sends, round(head, 2), round(foot - head, 2)))
            below += sends
    return blocks


def _round_up(sends: int) -> int:
    """To 2, 4, 6, 8, 10, 20, 40, 50, 60 and so on, which has a half that people read at once."""
    power = 1
    while True:
        for digit in (2, 4, 5, 6, 8, 10):
            if sends <= digit * power and digit * power % 2 == 0:
                return digit * power
        power *= 10
