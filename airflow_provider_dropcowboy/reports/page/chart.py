"""Columns over time, as numbers that a template draws: no script, and no library for a few rectangles."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import accumulate, chain, count
from typing import Final

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
