"""One campaign as the page shows it: all of it from counts that are kept, so that it is there at once."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final, assert_never

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.campaigns import Campaign, campaigns_of
from airflow_provider_dropcowboy.ledger.counts import count_hours, count_moments
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.limits import stop_reason
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS
from airflow_provider_dropcowboy.reports.deliveries import usd
from airflow_provider_dropcowboy.reports.page.campaigns import Reader, is_visible
from airflow_provider_dropcowboy.reports.page.html import HOUR_S, MIN_COLUMNS
from airflow_provider_dropcowboy.reports.results import Outcomes, read_outcomes
from airflow_provider_dropcowboy.reports.status import (
    MAX_RUNS,
    Phase,
    Run,
    Tally,
    have_results,
    last_of_each_task,
    not_sent_of,
    read_runs,
    status_of,
)
from airflow_provider_dropcowboy.states import State

MAX_PLACES: Final = 12
"""Rows of the table of openings; the rest is added up."""
STRIP_HOURS: Final = 12


class Tone(StrEnum):
    """How a status reads at a glance."""

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


@dataclass(frozen=True, slots=True)
class Step:
    """Rows that came so far, and by state those that were lost on the way to the next step."""

    label: str
    rows: int
    losses: Sequence[tuple[State, int]]


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
    runs: Sequence[Run]
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
        return any(run.is_sending for run in self.runs)

    @property
    def last_runs(self) -> Sequence[Run]:
        """The newest run of each task."""
        return last_of_each_task(self.runs)

    @property
    def not_sent(self) -> Tally:
        """Rows that the last run of each task read and did not send."""
        return not_sent_of(self.last_runs)

    @property
    def next_opening_at(self) -> datetime | None:
        """The first moment at which a held row can be contacted; None: none is known."""
        openings = (run.next_opening_at for run in self.last_runs)
        return min((opening for opening in openings if opening is not None), default=None)

    @property
    def gets_results(self) -> bool:
        """Whether results can arrive, or already did."""
        return have_results(self.outcomes.counts, self.runs)

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
    def status(self) -> Shown:
        """Where it stands, in words."""
        status = status_of(self.last_runs, is_sending=self.is_sending, is_paused=self.pause is not None, at=self.at)
        match status.phase:
            case Phase.SENDING:
                return Shown(word="Sending", tone=Tone.BUSY)
            case Phase.PAUSED:
                pause = str(self.pause)
                return Shown(word="Paused", tone=Tone.WAITING, detail=f"{pause[:1].upper()}{pause[1:]}.")
            case Phase.STOPPED:
                why = str(status.why)
                word = "Sent nothing" if why.startswith(_NOTHING) else "Stopped"
                return Shown(word=word, tone=Tone.BAD if status.has_failed else Tone.WAITING, detail=why)
            case Phase.WAITING if status.waits:
                return Shown(word="Waiting", tone=Tone.WAITING, until=status.opens_at)
            case Phase.WAITING:
                return Shown(word="Held", tone=Tone.WAITING, until=status.opens_at, detail="Run the task again then.")
            case Phase.FINISHED:
                return self._finished
            case _:
                assert_never(status.phase)

    @property
    def _finished(self) -> Shown:
        counts = self.outcomes.counts
        if self.next_opening_at is not None:
            detail = "The calling hours of held rows have opened since. Run the task again to send them."
            return Shown(word="Held", tone=Tone.WAITING, detail=detail)
        if not counts.total():
            return Shown(word="Sent nothing", tone=Tone.WAITING)
        if not self.accepted and self.sent:
            return Shown(word="Failed", tone=Tone.BAD, detail="No message was accepted.")
        if counts[State.ACCEPTED] and self.gets_results:
            return Shown(word="Sent", tone=Tone.GOOD, detail=f"{counts[State.ACCEPTED]:,} results are still to come.")
        return Shown(word="Finished", tone=Tone.GOOD)

    @property
    def steps(self) -> Sequence[Step]:
        """The funnel: from the rows that were read to the delivered messages. Each step is what is left of the last."""
        counts = self.outcomes.counts
        stopped = self.not_sent.counts
        rows = counts.total() + stopped.total()
        accepted, delivered = self.accepted, counts[State.DELIVERED]
        steps = [
            Step("Rows read", rows, stopped.most_common()),
            Step("Cleared to send", counts.total(), _losses(counts, State.CLAIMED, State.RELEASED)),
            Step("Sent", self.sent, _losses(counts, State.REJECTED, State.UNKNOWN)),
            Step("Accepted", accepted, _losses(counts, State.FAILED, State.EXPIRED, State.ACCEPTED)),
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


def find_campaigns(ledger: Ledger, reader: Reader, *, account: str, name: str) -> list[Campaign]:
    """The campaign of a name, one a channel; empty: there is none, or the reader may not see it."""
    campaigns = campaigns_of(ledger, account, name=name)
    among = CAMPAIGNS.c.id.in_([campaign.id for campaign in campaigns])
    with ledger.reading() as connection:
        seen = sa.select(CAMPAIGNS.c.id).where(among, is_visible(connection, reader))
        ids = frozenset(connection.execute(seen).scalars())
    return [campaign for campaign in campaigns if campaign.id in ids]


def read_reports(ledger: Ledger, campaigns: Sequence[Campaign]) -> list[Report]:
    """A report of each of these campaigns."""
    with ledger.reading() as connection:
        at = now(connection)
        return [_read(connection, campaign, at=at) for campaign in campaigns]


def _read(connection: sa.Connection, campaign: Campaign, *, at: datetime) -> Report:
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
        runs=read_runs(connection, campaign.id, at=at),
        pause=stop_reason(connection, campaign),
    )


def _losses(counts: Mapping[State, int], *states: State) -> list[tuple[State, int]]:
    return [(state, counts[state]) for state in states if counts[state]]


_ACCEPTED: Final = (State.ACCEPTED, State.DELIVERED, State.FAILED, State.EXPIRED)
_NOTHING: Final = "Nothing was sent: "
