"""What the page shows of a campaign: its title, its status, its runs, the steps of its funnel, and openings."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Final, Self

from airflow_provider_dropcowboy.ledger.runs import is_live
from airflow_provider_dropcowboy.states import State


class RunState(StrEnum):
    """What a run is doing."""

    SENDING = "sending"
    ENDED = "ended"
    SILENT = "silent"  # it neither ended nor gave a sign of life: what it had claimed is in doubt


class Tone(StrEnum):
    """How a status is to be taken at a glance."""

    GOOD = "good"
    BUSY = "busy"
    WAITING = "waiting"
    BAD = "bad"


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """Where a campaign stands, as a person reads it.

    :param detail: why, and what to do; empty: the word says it all.
    :param until: when a waiting campaign goes on.
    """

    word: str
    tone: Tone
    detail: str = ""
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RunShown:
    """A run of the campaign.

    :param dag_id: None: it was begun from a shell.
    :param counts: of the rows it read, by state, as it said last.
    :param verdicts: why it did not send to rows: by state, how many for which reason; empty until it has ended.
    :param error: with which it failed.
    :param waits: another wave follows by itself.
    :param openings: rows that it held, by the instant of their opening and by their places.
    :param gets_results: callbacks can arrive; None: not known.
    """

    id: int
    dag_id: str | None
    task_id: str | None
    run_id: str | None
    map_index: int | None
    try_number: int | None
    started_at: datetime
    ended_at: datetime | None
    state: RunState
    counts: Mapping[State, int]
    verdicts: Mapping[State, Mapping[str, int]]
    stop_reason: str | None
    next_opening_at: datetime | None
    error: str | None = None
    waits: bool = False
    openings: Mapping[datetime, Mapping[str, int]]
    gets_results: bool | None = None
    budget_micros: int | None = None
    unreadable_suppressions: int = 0

    @property
    def has_died(self) -> bool:
        """It neither ended nor gives a sign of life."""
        return self.state is RunState.SILENT

    @classmethod
    def of(cls, row: Any, at: datetime) -> Self:
        """From its row in the ledger, at a moment."""
        lives = is_live(row.ended_at, row.heartbeat_at, at=at)
        return cls(
            id=row.id,
            dag_id=row.dag_id,
            task_id=row.task_id,
            run_id=row.run_id,
            map_index=None if row.map_index is None or row.map_index < 0 else row.map_index,
            try_number=row.try_number,
            started_at=row.started_at,
            ended_at=row.ended_at,
            state=RunState.SENDING if lives else RunState.SILENT if row.ended_at is None else RunState.ENDED,
            counts={State(state): count for state, count in row.counts.items()},
            verdicts={State(state): reasons for state, reasons in (row.verdicts or {}).items()},
            stop_reason=row.stop_reason,
            next_opening_at=row.next_opening_at,
            error=row.error,
            waits=bool(row.waits),
            openings={datetime.fromisoformat(opens_at): places for opens_at, places in (row.openings or {}).items()},
            gets_results=row.gets_results,
            budget_micros=row.budget_micros,
            unreadable_suppressions=row.unreadable_suppressions or 0,
        )


@dataclass(frozen=True, slots=True)
class Loss:
    """Rows that went no further at a step.

    :param label: in plain words, such as ``Suppressed``.
    """

    state: State
    label: str
    rows: int


@dataclass(frozen=True, slots=True)
class Step:
    """Rows that came so far, and what was lost on the way to the next step."""

    label: str
    rows: int
    losses: Sequence[Loss]


@dataclass(frozen=True, slots=True)
class Opening:
    """Held rows of a place, and when they can be contacted.

    :param wait: until the opening, from 0 to 1 of the strip.
    """

    place: str
    rows: int
    opens_at: datetime
    wait: float


def title_of(name: str) -> tuple[str, datetime | None]:
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


def losses(counts: Mapping[State, int], states: Sequence[State]) -> list[Loss]:
    """Rows in these states that there are, in this order."""
    return [Loss(state, LABELS[state], counts[state]) for state in states if counts[state]]


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

_DATED: Final = re.compile(r"(.+)@(?:[a-z_]+__)?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))(?:_\w+)?")
