"""Columns over time, as numbers that a template draws: no script, and no library for a dozen rectangles."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import chain, count
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
"""From the end that is wished for to those that were not taken; from the foot of a column to its top."""

MAX_COLUMNS: Final = 48
WIDTHS_H: Final = (1, 2, 3, 6, 12, 24, 48, 7 * 24, 28 * 24)
"""Hours that a column may stand for."""

WIDTH: Final = 720.0
HEIGHT: Final = 200.0
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
    """The sends of some hours.

    :param begins_at: the first of the hours.
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

    :param column_h: hours that each stands for.
    """

    columns: Sequence[Column]
    ticks: Sequence[Tick]
    column_h: int

    @property
    def states(self) -> Sequence[State]:
        """Those that occur, in the order in which they are stacked."""
        total = sum((column.counts for column in self.columns), Counter[State]())
        return [state for state in ORDER if total[state]]


def draw(hours: Mapping[datetime, Counter[State]]) -> Chart | None:
    """Columns of as few hours as makes at most ``MAX_COLUMNS`` of them; None: there is nothing to draw.

    :param hours: by the beginning of the hour, in UTC.
    """
    if not hours:
        return None
    first, last = min(hours), max(hours)
    widths = chain(WIDTHS_H, count(2 * WIDTHS_H[-1], WIDTHS_H[-1]))  # the latter for years
    column_h = next(width for width in widths if _place(last, width) - _place(first, width) < MAX_COLUMNS)
    begin, places = _place(first, column_h), _place(last, column_h) - _place(first, column_h) + 1
    counts = [Counter[State]() for _ in range(places)]
    for hour_at, at_hour in hours.items():
        counts[_place(hour_at, column_h) - begin] += at_hour
    top = _round_up(max(each.total() for each in counts))
    step = WIDTH / max(places, 12)  # one hour alone is not drawn as a wall
    columns = [
        Column(
            begins_at=_EPOCH + timedelta(hours=(begin + number) * column_h),
            x=round(number * step, 2),
            width=round(step - GAP, 2),
            counts=each,
            blocks=_stack(each, top),
        )
        for number, each in enumerate(counts)
    ]
    return Chart(columns, [Tick(top * part // 2, round(HEIGHT * (1 - part / 2), 2)) for part in range(3)], column_h)


def _place(at: datetime, width_h: int) -> int:
    return int((at - _EPOCH) / timedelta(hours=1)) // width_h


def _stack(counts: Counter[State], top: int) -> list[Block]:
    blocks, below = [], 0
    for state in ORDER:
        if sends := counts[state]:
            foot, head = HEIGHT * (1 - below / top), HEIGHT * (1 - (below + sends) / top)
            blocks.append(Block(state, sends, round(head, 2), round(foot - head, 2)))
            below += sends
    return blocks


def _round_up(sends: int) -> int:
    """To 2, 4, 10, 20, 40, 100 and so on, which has a half that people read at once."""
    power = 1
    while True:
        for digit in (2, 4, 10):
            if sends <= digit * power:
                return digit * power
        power *= 10


_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
