"""One campaign as the page shows it: all of it from counts that are kept, so that it is there at once."""

import re
import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.campaigns import campaigns_of
from airflow_provider_dropcowboy.ledger.counts import count_hours, count_moments
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import Campaign, is_live, stop_reason
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, RUNS
from airflow_provider_dropcowboy.reports.deliveries import usd
from airflow_provider_dropcowboy.reports.funnel import MAX_RUNS, NotAsked, Outcomes, last_of_each_task, read_outcomes
from airflow_provider_dropcowboy.reports.page.campaigns import Reader, is_visible
from airflow_provider_dropcowboy.reports.page.chart import HOUR_S, MIN_COLUMNS
from airflow_provider_dropcowboy.states import State

MAX_PLACES: Final = 12
"""Rows of the table of openings; the rest is added up."""
STRIP_HOURS: Final = 12


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
class Status:
    """Where a campaign stands, in a word or two.

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A campaign on one channel, at one moment.

    :param at: the moment, by the database's clock.
    :param moments: sends by the moment at which each came to where it stands.
    :param step_s: seconds that count as one moment.
    :param sample: of how many sends one is in ``moments``; 1: all are.
    :param runs: the newest first, at most ``MAX_RUNS``.
    :param pause: why nobody of it is contacted now; None: no pause.
    """

    campaign: Campaign
    at: datetime
    outcomes: Outcomes
    moments: Mapping[datetime, Counter[State]]
    runs: Sequence[RunShown]
    pause: str | None
    step_s: int = HOUR_S
    sample: int = 1

    @property
    def sent(self) -> int:
        """Messages that were accepted, refused, or are in doubt."""
        return self.outcomes.sent

    @property
    def accepted(self) -> int:
        """Sends that the vendor accepted, whatever became of them."""
        return sum(self.outcomes.counts[state] for state in _ACCEPTED)

    @property
    def is_sending(self) -> bool:
        """Whether a run of it lives."""
        return any(run.state is RunState.SENDING for run in self.runs)

    @property
    def last_runs(self) -> Sequence[RunShown]:
        """The newest run of each task."""
        return last_of_each_task(self.runs)

    @property
    def not_asked(self) -> NotAsked:
        """Rows that the last run of each task read and did not send to."""
        return NotAsked.of(self.runs)

    @property
    def next_opening_at(self) -> datetime | None:
        """The first moment at which a held row can be contacted; None: none is known."""
        openings = (run.next_opening_at for run in self.last_runs)
        return min((opening for opening in openings if opening is not None), default=None)

    @property
    def gets_results(self) -> bool:
        """Whether results can arrive, or already did."""
        counts = self.outcomes.counts
        return bool(counts[State.DELIVERED] or counts[State.FAILED]) or any(
            run.gets_results is not False for run in self.runs
        )

    @property
    def budget_usd(self) -> Decimal | None:
        """As the newest run was given it."""
        return usd(self.runs[0].budget_micros) if self.runs else None

    @property
    def unreadable_suppressions(self) -> int:
        """Entries of suppression lists that the last run of each task could not read, and was allowed to pass over."""
        return sum(run.unreadable_suppressions for run in self.last_runs)

    @property
    def has_more_runs(self) -> bool:
        """Whether it may have had more than ``runs`` shows."""
        return len(self.runs) == MAX_RUNS

    @property
    def status(self) -> Status:
        """Where it stands."""
        counts = self.outcomes.counts
        if self.is_sending:
            return Status(word="Sending", tone=Tone.BUSY)
        if self.pause is not None:
            return Status(word="Paused", tone=Tone.WAITING, detail=f"{self.pause[:1].upper()}{self.pause[1:]}.")
        if any(run.state is RunState.SILENT for run in self.last_runs):
            return Status(
                word="Stopped",
                tone=Tone.BAD,
                detail="A run ended without a word: its worker was lost. Clear the task to send the rest.",
            )
        for run in self.last_runs:
            if why := run.error or run.stop_reason:
                word = "Sent nothing" if why.startswith(_NOTHING) else "Stopped"
                return Status(word=word, tone=Tone.BAD if run.error else Tone.WAITING, detail=why)
        if self.not_asked.counts[State.HELD] and (opening := self.next_opening_at) is not None:
            if any(run.waits for run in self.last_runs):
                return Status(word="Waiting", tone=Tone.WAITING, until=opening)
            return Status(word="Held", tone=Tone.WAITING, until=opening, detail="Run the task again then.")
        if not self.outcomes.counts.total():
            return Status(word="Sent nothing", tone=Tone.WAITING)
        if not self.accepted and self.sent:
            return Status(word="Failed", tone=Tone.BAD, detail="No message was accepted.")
        if counts[State.ACCEPTED] and self.gets_results:
            return Status(word="Sent", tone=Tone.GOOD, detail=f"{counts[State.ACCEPTED]:,} results are still to come.")
        return Status(word="Finished", tone=Tone.GOOD)

    @property
    def steps(self) -> Sequence[Step]:
        """The funnel: from the rows that were read to the delivered messages. Each step is what is left of the last."""
        counts = self.outcomes.counts
        stopped = self.not_asked.counts
        rows = counts.total() + stopped.total()
        accepted, delivered = self.accepted, counts[State.DELIVERED]
        steps = [
            Step("Rows read", rows, _losses(stopped, [state for state, _ in stopped.most_common()])),
            Step("Cleared to send", counts.total(), _losses(counts, [State.CLAIMED, State.RELEASED])),
            Step("Sent", self.sent, _losses(counts, [State.REJECTED, State.UNKNOWN])),
            Step("Accepted", accepted, _losses(counts, [State.FAILED, State.EXPIRED, State.ACCEPTED])),
        ]
        return [*steps, Step("Delivered", delivered, [])] if self.gets_results else steps

    @property
    def openings(self) -> Sequence[Opening]:
        """Held rows by place, the earliest opening first; the smallest places are added up."""
        held: Counter[tuple[datetime, str]] = Counter()
        for run in self.last_runs:
            for opens_at, places in run.openings.items():
                held.update({(opens_at, place): rows for place, rows in places.items()})
        shown = [key for key, _ in held.most_common(MAX_PLACES)]
        others: Counter[datetime] = Counter()
        for (opens_at, place), rows in held.items():
            if (opens_at, place) not in shown:
                others[opens_at] += rows
        found = [(opens_at, place, held[opens_at, place]) for opens_at, place in shown]
        found += [(opens_at, "Other places", rows) for opens_at, rows in others.items()]
        span = timedelta(hours=STRIP_HOURS)
        return [
            Opening(place or "Any place", rows, opens_at, min(max((opens_at - self.at) / span, 0.0), 1.0))
            for opens_at, place, rows in sorted(found)
        ]

    def command(self, *words: str) -> str:
        """A command about this campaign, to be pasted into a shell."""
        which = ("--account", self.campaign.account, "--channel", self.campaign.channel.value)
        return shlex.join(["dropcowboy", *words[:2], self.campaign.name, *which, *words[2:]])


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


def read_reports(ledger: Ledger, reader: Reader, *, account: str, name: str) -> list[Report]:
    """The campaign of a name, one report a channel; empty: there is none, or the reader may not see it."""
    campaigns = campaigns_of(ledger, account, name=name)
    with ledger.reading() as connection:
        at = now(connection)
        seen = connection.execute(
            sa.select(CAMPAIGNS.c.id).where(
                CAMPAIGNS.c.id.in_([campaign.id for campaign in campaigns]), is_visible(connection, reader)
            )
        ).scalars()
        ids = set(seen)
        return [_read(connection, campaign, at=at) for campaign in campaigns if campaign.id in ids]


def _read(connection: sa.Connection, campaign: Campaign, *, at: datetime) -> Report:
    rows = connection.execute(
        sa.select(RUNS).where(RUNS.c.campaign_id == campaign.id).order_by(RUNS.c.id.desc()).limit(MAX_RUNS)
    )
    outcomes = read_outcomes(connection, campaign, at=at)
    moments: Mapping[datetime, Counter[State]] = count_hours(connection, campaign, at=at)
    step_s, sample = HOUR_S, 1
    hours = (max(moments) - min(moments)) / timedelta(hours=1) + 1 if moments else 0
    if 0 < hours < MIN_COLUMNS:  # too few to draw: look closer
        step_s = 1 if hours == 1 else 10
        sends = outcomes.counts.total()
        moments, sample = count_moments(connection, campaign, sends=sends, at=at, step_s=step_s)
    return Report(
        campaign=campaign,
        at=at,
        outcomes=outcomes,
        moments=moments,
        step_s=step_s,
        sample=sample,
        runs=[_run(row, at) for row in rows],
        pause=stop_reason(connection, campaign),
    )


def _run(row: Any, at: datetime) -> RunShown:
    lives = is_live(row.ended_at, row.heartbeat_at, at=at)
    return RunShown(
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


def _losses(counts: Mapping[State, int], states: Sequence[State]) -> list[Loss]:
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

_ACCEPTED: Final = (State.ACCEPTED, State.DELIVERED, State.FAILED, State.EXPIRED)
_NOTHING: Final = "Nothing was sent: "
_DATED: Final = re.compile(r"(.+)@(?:[a-z_]+__)?(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))(?:_\w+)?")
