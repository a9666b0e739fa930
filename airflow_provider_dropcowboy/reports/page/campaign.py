"""One campaign as the page shows it: all of it from counts that are kept, so that it is there at once."""

import shlex
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.counts import count_hours
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.lookup import campaigns_of
from airflow_provider_dropcowboy.ledger.runs import Campaign, is_live, stop_reason
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, RUNS
from airflow_provider_dropcowboy.reports.funnel import Outcomes, read_outcomes
from airflow_provider_dropcowboy.reports.not_asked import MAX_RUNS, NotAsked, last_of_each_task
from airflow_provider_dropcowboy.reports.page.sight import Reader, is_visible
from airflow_provider_dropcowboy.states import State


class RunState(StrEnum):
    """What a run is doing."""

    SENDING = "sending"
    ENDED = "ended"
    SILENT = "silent"  # it neither ended nor gave a sign of life: what it had claimed is in doubt


@dataclass(frozen=True, slots=True, kw_only=True)
class RunShown:
    """A run of the campaign.

    :param dag_id: None: it was begun from a shell.
    :param counts: of the rows it read, by state, as it said last.
    :param verdicts: why it did not ask for rows: by state, how many for which reason; empty until it has ended.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A campaign on one channel, at one moment.

    :param at: the moment, by the database's clock.
    :param hours: sends by the hour in which each came to where it stands.
    :param runs: the newest first, at most ``MAX_RUNS``.
    :param pause: why nobody of it is asked now; None: no pause.
    """

    campaign: Campaign
    at: datetime
    outcomes: Outcomes
    hours: Mapping[datetime, Counter[State]]
    runs: Sequence[RunShown]
    pause: str | None

    @property
    def asked(self) -> int:
        """Sends of the campaign."""
        return self.outcomes.counts.total()

    @property
    def taken(self) -> int:
        """Sends that the vendor took, whatever became of them."""
        return sum(self.outcomes.counts[state] for state in _TAKEN)

    @property
    def is_sending(self) -> bool:
        """Whether a run of it lives."""
        return any(run.state is RunState.SENDING for run in self.runs)

    @property
    def not_asked(self) -> NotAsked:
        """Rows that the last run of each task read and did not ask for."""
        return NotAsked.of(self.runs)

    @property
    def next_opening_at(self) -> datetime | None:
        """The first moment at which a row that is held may be called; None: none is known."""
        openings = (run.next_opening_at for run in last_of_each_task(self.runs))
        return min((opening for opening in openings if opening is not None), default=None)

    @property
    def has_more_runs(self) -> bool:
        """Whether it may have had more than ``runs`` shows."""
        return len(self.runs) == MAX_RUNS

    def command(self, *words: str) -> str:
        """A command about this campaign, to be pasted into a shell."""
        which = ("--account", self.campaign.account, "--channel", self.campaign.channel.value)
        return shlex.join(["dropcowboy", *words[:2], self.campaign.name, *which, *words[2:]])


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
    return Report(
        campaign=campaign,
        at=at,
        outcomes=read_outcomes(connection, campaign, at=at),
        hours=count_hours(connection, campaign, at=at),
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
    )


_TAKEN: Final = (State.ACCEPTED, State.DELIVERED, State.FAILED, State.EXPIRED)
