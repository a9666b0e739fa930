"""What campaigns are doing: their runs, where each stands, and all of them at a glance."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Self

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.counts import count_standing
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import is_live, live_runs
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, RUNS
from airflow_provider_dropcowboy.states import CONTACTED, VERDICTS, State

MAX_RUNS: Final = 200
"""Runs of one campaign that are read, the newest: a mapped task has one a partition, a wave and a try."""
BATCH: Final = 500

DIED: Final = "Its worker was lost. Clear the task, or run the command again, to send the rest."
"""Why a campaign stopped whose run neither ended nor gives a sign of life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A run of a campaign.

    :param dag_id: None: it was begun from a shell.
    :param map_index: None: its task is not mapped.
    :param is_sending: it lives.
    :param counts: of the rows it read, by state, as it said last.
    :param verdicts: why it did not send to rows: by state, how many for which reason; empty until it has ended.
    :param error: with which it failed.
    :param waits: another wave follows by itself.
    :param openings: rows that it held, by the instant of their opening and by their places.
    :param gets_results: callbacks can arrive; None: not known.
    :param unreadable_suppressions: entries of its suppression list that it could not read.
    """

    dag_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    map_index: int | None = None
    try_number: int | None = None
    started_at: datetime
    ended_at: datetime | None = None
    is_sending: bool = False
    counts: Mapping[State, int] = field(default_factory=dict)
    verdicts: Mapping[State, Mapping[str, int]] = field(default_factory=dict)
    stop_reason: str | None = None
    error: str | None = None
    next_opening_at: datetime | None = None
    waits: bool = False
    openings: Mapping[datetime, Mapping[str, int]] = field(default_factory=dict)
    gets_results: bool | None = None
    budget_micros: int | None = None
    unreadable_suppressions: int = 0

    @property
    def has_died(self) -> bool:
        """It neither ended nor gives a sign of life: what it had claimed is in doubt."""
        return self.ended_at is None and not self.is_sending

    @classmethod
    def of(cls, row: Any, at: datetime) -> Self:
        """From its row in the ledger, at a moment."""
        return cls(
            dag_id=row.dag_id,
            task_id=row.task_id,
            run_id=row.run_id,
            map_index=None if row.map_index is None or row.map_index < 0 else row.map_index,
            try_number=row.try_number,
            started_at=row.started_at,
            ended_at=row.ended_at,
            is_sending=is_live(row.ended_at, row.heartbeat_at, at=at),
            counts={State(state): count for state, count in row.counts.items()},
            verdicts={State(state): reasons for state, reasons in (row.verdicts or {}).items()},
            stop_reason=row.stop_reason,
            error=row.error,
            next_opening_at=row.next_opening_at,
            waits=bool(row.waits),
            openings={datetime.fromisoformat(opens_at): places for opens_at, places in (row.openings or {}).items()},
            gets_results=row.gets_results,
            budget_micros=row.budget_micros,
            unreadable_suppressions=row.unreadable_suppressions or 0,
        )


def read_runs(connection: sa.Connection, campaign_id: int, *, at: datetime) -> list[Run]:
    """The newest runs of a campaign, at most ``MAX_RUNS``, the newest first."""
    newest = sa.select(RUNS).where(RUNS.c.campaign_id == campaign_id).order_by(RUNS.c.id.desc()).limit(MAX_RUNS)
    return [Run.of(row, at) for row in connection.execute(newest)]


def live_among(connection: sa.Connection, campaign_ids: Sequence[int], *, at: datetime) -> frozenset[int]:
    """The campaigns of which any run lives; mapped tasks run beside each other."""
    which = (RUNS.c.campaign_id.in_(campaign_ids), live_runs(at))
    return frozenset(connection.execute(sa.select(RUNS.c.campaign_id).where(*which)).scalars())


def last_of_each_task(runs: Iterable[Run]) -> list[Run]:
    """Of each task its newest run: each judges all its rows anew.

    :param runs: the newest first.
    """
    last: dict[tuple[object, ...], Run] = {}
    for run in runs:
        last.setdefault((run.dag_id, run.task_id, run.map_index), run)
    return list(last.values())


def have_results(counts: Mapping[State, int], runs: Sequence[Run]) -> bool:
    """Whether results can arrive, or already did."""
    return bool(counts[State.DELIVERED] or counts[State.FAILED]) or any(run.gets_results is not False for run in runs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Rows by state, and why they are there.

    :param reasons: rows by state and reason, where there is one.
    """

    counts: Counter[State]
    reasons: Counter[tuple[State, str]]

    def reasons_of(self, state: State) -> list[tuple[str, int]]:
        """Why rows are in a state, the commonest reason first."""
        return [(reason, count) for (of, reason), count in self.reasons.most_common() if of is state]


def not_sent_of(last: Iterable[Run]) -> Tally:
    """Rows that were read and not sent; the reasons name the rule, with the version of its file.

    :param last: the newest run of each task.
    """
    counts: Counter[State] = Counter()
    reasons: Counter[tuple[State, str]] = Counter()
    for run in last:
        counts.update({state: rows for state, rows in run.counts.items() if state in VERDICTS})
        for state, whys in run.verdicts.items():
            reasons.update({(state, reason): rows for reason, rows in whys.items()})
    return Tally(counts=+counts, reasons=reasons)


class Phase(StrEnum):
    """What a campaign is doing."""

    SENDING = "sending"
    WAITING = "waiting"  # for the next calling window
    PAUSED = "paused"
    STOPPED = "stopped"  # its last run failed, was skipped, or died
    FINISHED = "finished"


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What a campaign is doing, and why.

    :param why: for which a run of it stopped.
    :param has_failed: the run failed; otherwise somebody stopped it, or it was skipped.
    :param opens_at: the next calling window that its held contacts wait for.
    :param waits: its task goes on by itself then.
    """

    phase: Phase
    why: str | None = None
    has_failed: bool = False
    opens_at: datetime | None = None
    waits: bool = False


def status_of(last: Sequence[Run], *, is_sending: bool, is_paused: bool, at: datetime) -> Status:
    """Where a campaign stands by the newest run of each of its tasks.

    :param is_sending: any run of it lives.
    :param at: now, by the database's clock.
    """
    if is_sending:
        return Status(phase=Phase.SENDING)
    if is_paused:
        return Status(phase=Phase.PAUSED)
    if any(run.has_died for run in last):
        return Status(phase=Phase.STOPPED, why=DIED, has_failed=True)
    for run in last:
        if why := run.error or run.stop_reason:
            return Status(phase=Phase.STOPPED, why=why, has_failed=run.error is not None)
    openings = [run.next_opening_at for run in last if run.next_opening_at is not None]
    waits = any(run.waits for run in last)
    if openings and (waits or min(openings) > at):
        return Status(phase=Phase.WAITING, opens_at=min(openings), waits=waits)
    return Status(phase=Phase.FINISHED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A campaign on one channel, at a glance.

    :param counts: sends by state, ``expired`` among them.
    :param dag_id: of its last run; None: a command's.
    :param last_run_at: when its last run began; None: it never had one.
    :param gets_results: results can arrive, or already did.
    """

    id: int
    account: str
    name: str
    channel: str
    counts: Counter[State]
    dag_id: str | None
    last_run_at: datetime | None
    status: Status
    gets_results: bool = True

    @property
    def is_sending(self) -> bool:
        """Whether a run of it lives."""
        return self.status.phase is Phase.SENDING

    @property
    def sent(self) -> int:
        """Messages that were accepted, refused, or are in doubt."""
        return sum(count for state, count in self.counts.items() if state in CONTACTED)


def list_campaigns(connection: sa.Connection, found: sa.Select[Any]) -> list[Listed]:
    """The campaigns of a query, in its order.

    :param found: of rows of ``CAMPAIGNS``.
    """
    at = now(connection)
    rows = connection.execute(found).all()
    ids = [row.id for row in rows]
    counts = count_standing(connection, ids, at=at)
    live = live_among(connection, ids, at=at)
    task = (RUNS.c.campaign_id, RUNS.c.dag_id, RUNS.c.task_id, RUNS.c.map_index)
    newest = sa.select(sa.func.max(RUNS.c.id)).where(RUNS.c.campaign_id.in_(ids)).group_by(*task)
    runs: dict[int, list[Run]] = defaultdict(list)
    for row in connection.execute(sa.select(RUNS).where(RUNS.c.id.in_(newest)).order_by(RUNS.c.id.desc())):
        runs[row.campaign_id].append(Run.of(row, at))
    listed = []
    for row in rows:
        last = runs[row.id]
        listed.append(
            Listed(
                id=row.id,
                account=row.account,
                name=row.name,
                channel=row.channel,
                counts=counts[row.id],
                dag_id=last[0].dag_id if last else None,
                last_run_at=last[0].started_at if last else None,
                status=status_of(last, is_sending=row.id in live, is_paused=row.paused_at is not None, at=at),
                gets_results=have_results(counts[row.id], last),
            )
        )
    return listed


def read_overview(
    ledger: Ledger,
    *,
    search: str | None = None,
    account: str | None = None,
    channel: str | None = None,
    dag_id: str | None = None,
    since: datetime | None = None,
    phase: Phase | None = None,
) -> Iterator[Listed]:
    """The campaigns for which all of it is true, the newest first.

    :param search: a part of the name, in any case.
    :param since: aware; its last run began then or later.
    """
    each = RUNS.alias()
    of_campaign = each.c.campaign_id == CAMPAIGNS.c.id
    last = sa.select(sa.func.max(each.c.id)).where(of_campaign).correlate(CAMPAIGNS).scalar_subquery()
    wanted = [
        *([CAMPAIGNS.c.name.icontains(search, autoescape=True)] if search else []),
        *([CAMPAIGNS.c.account == account] if account else []),
        *([CAMPAIGNS.c.channel == channel] if channel else []),
        *([RUNS.c.dag_id == dag_id] if dag_id else []),
        *([RUNS.c.started_at >= since] if since else []),
    ]
    found = (
        sa.select(CAMPAIGNS)
        .outerjoin_from(CAMPAIGNS, RUNS, RUNS.c.id == last)
        .where(*wanted)
        .order_by(CAMPAIGNS.c.id.desc())
    )
    below: sa.ColumnElement[bool] = sa.true()
    while True:
        with ledger.reading() as connection:
            page = list_campaigns(connection, found.where(below).limit(BATCH))
        yield from (each for each in page if phase in (None, each.status.phase))
        if len(page) < BATCH:
            return
        below = CAMPAIGNS.c.id < page[-1].id
