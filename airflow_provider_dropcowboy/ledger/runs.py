"""Runs: who is sending at this moment, with how many connections, and whether they still live."""

import os
import socket
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.errors import LedgerReplacedError
from airflow_provider_dropcowboy.ledger.batch import insert_row
from airflow_provider_dropcowboy.ledger.campaigns import Campaign
from airflow_provider_dropcowboy.ledger.database import Ledger, clock_of, clock_parameters, now
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, LEDGER, RUNS

SILENT_AFTER: Final = timedelta(seconds=60)
REFUSED: Final = "refused"
"""Begins why a running task must stop: a result said that the vendor refuses whatever the account sends now."""
"""A run without a heartbeat for so long counts as dead; it beats every second or so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Who runs: an Airflow task instance, or a command line (then only ``task_id`` is set).

    :param due_at: when the DAG run was due; the same in every try and after a clear, unlike its start.
    :param earlier_ledger: ID of the ledger that the task used last; empty: it used none yet. None: it is not known.
    :param sibling_ledgers: IDs of the ledgers that other tasks of the DAG run used for the same campaign or list.
    :param has_begun: the task, or another of its DAG run, began this very campaign or list before.
    :param remember: keeps the ID of the ledger for later tries of the task, and for its DAG run.
    """

    dag_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    try_number: int | None = None
    map_index: int | None = None
    due_at: datetime | None = None
    earlier_ledger: str | None = None
    sibling_ledgers: frozenset[str] = frozenset()
    has_begun: bool = False
    remember: Callable[[str], object] | None = field(default=None, repr=False, compare=False)

    def columns(self) -> dict[str, object]:
        """As the tables of runs and of syncs name the task instance and this process."""
        names = ("dag_id", "task_id", "run_id", "try_number", "map_index")
        return {name: getattr(self, name) for name in names} | {"worker": _this_process()}

    @property
    def is_command_line(self) -> bool:
        """No task: nothing says when it was due, or what it did before."""
        return self.dag_id is None and self.due_at is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a run was given that its report shows.

    :param gets_results: callbacks can arrive; None: not known.
    :param budget_micros: of the campaign, in millionths of a US dollar; None: no budget.
    """

    gets_results: bool | None = None
    budget_micros: int | None = None


NO_TERMS: Final = Terms()


@dataclass(frozen=True, slots=True)
class Run:
    """A run's row."""

    id: int
    campaign: Campaign


def begin_run(
    ledger: Ledger,
    campaign: Campaign,
    *,
    who: Who,
    wanted: int,
    started_at: datetime | None = None,
    terms: Terms = NO_TERMS,
) -> Run:
    """Enter a run; it has no connections until it seeks its share of the account's.

    :param wanted: connections it could use.
    :param started_at: by the ledger's clock: with the process it names the run, which is entered once, however often
        this is called. None: now, and it is entered anew.
    """
    # under the account's lock: a COMMIT whose answer was lost may still be under way, and holds it until it is over
    with ledger.claiming(campaign.account) as connection:
        at = now(connection)
        is_it = sa.and_(
            RUNS.c.campaign_id == campaign.id, RUNS.c.worker == _this_process(), RUNS.c.started_at == started_at
        )
        entered = connection.execute(sa.select(RUNS.c.id).where(is_it)).scalar() if started_at is not None else None
        if entered is not None:
            return Run(entered, campaign)
        run_id = insert_row(
            connection,
            RUNS,
            campaign_id=campaign.id,
            account=campaign.account,
            **who.columns(),
            started_at=started_at or at,
            heartbeat_at=at,
            wanted=wanted,
            connections=0,
            counts={},
            **asdict(terms),
        )
        return Run(run_id, campaign)


def beat(ledger: Ledger, run: Run, *, counts: Mapping[str, int]) -> str | None:
    """Say that the run lives, and where it stands.

    :returns: why it must stop claiming: a pause, or that the vendor refuses the account; None: go on.
    """
    with ledger.writing() as connection:
        connection.execute(
            RUNS.update()
            # a beat that is on its way when the run ends comes after its last counts, and must not undo them
            .where(RUNS.c.id == run.id, RUNS.c.ended_at.is_(None))
            .values(heartbeat_at=now(connection), counts=dict(counts))
        )
        return stop_reason(connection, run.campaign, run=run)


def end_run(
    ledger: Ledger,
    run: Run,
    *,
    counts: Mapping[str, int],
    reason: str | None,
    next_opening_at: datetime | None = None,
    verdicts: Mapping[str, Mapping[str, int]] | None = None,
    unreadable_suppressions: int | None = None,
    waits: bool = False,
    openings: Mapping[str, Mapping[str, int]] | None = None,
    error: str | None = None,
) -> None:
    """Give the connections back; the row stays as a record of what the run did.

    :param next_opening_at: the first moment at which a row that it held may be called; None: none waits for one.
    :param verdicts: of the rows that it did not ask for: by state, how many for which reason.
    :param unreadable_suppressions: entries of its suppression list that were no numbers, and were allowed to be none.
    :param waits: another wave follows by itself at ``next_opening_at``.
    :param openings: rows that it held: by the instant of their opening, in ISO 8601, how many in which places.
    :param error: with which it failed, in words of this package.
    """
    with ledger.writing() as connection:
        at = now(connection)
        connection.execute(
            RUNS.update()
            .where(RUNS.c.id == run.id)
            .values(
                heartbeat_at=at,
                ended_at=at,
                counts=dict(counts),
                stop_reason=reason,
                next_opening_at=next_opening_at,
                verdicts=verdicts,
                unreadable_suppressions=unreadable_suppressions,
                waits=waits,
                openings=openings,
                error=error,
            )
        )


def explain_run(ledger: Ledger, run: Run, *, error: str) -> None:
    """The run, which has ended, failed with this error, in words of this package."""
    with ledger.writing() as connection:
        connection.execute(RUNS.update().where(RUNS.c.id == run.id).values(error=error))


def stop_runs(connection: sa.Connection, run_id: int, *, reason: str) -> None:
    """The running tasks of the run's account learn it with their next heartbeat, and stop."""
    account = sa.select(RUNS.c.account).where(RUNS.c.id == run_id).scalar_subquery()
    connection.execute(
        RUNS.update()
        .where(RUNS.c.account == account, RUNS.c.ended_at.is_(None), RUNS.c.stop_reason.is_(None))
        .values(stop_reason=f"{REFUSED}: {reason}")
    )


def stop_reason(connection: sa.Connection, campaign: Campaign, *, run: Run | None = None) -> str | None:
    """Why nobody of the campaign may be claimed now; otherwise as ``read_order``."""
    return read_order(connection, campaign, run=run)[0]


def read_order(connection: sa.Connection, campaign: Campaign, *, run: Run | None = None) -> tuple[str | None, datetime]:
    """Why nobody of the campaign may be claimed now, and what time it is; read in the transaction that would claim.

    :param run: which would claim, and was begun by this process.
    :raises LedgerReplacedError: the run is not there: this is another database than the one in which it began.
    """
    dialect = connection.dialect.name
    which = {"campaign_id": campaign.id, "run_id": None if run is None else run.id, **clock_parameters(dialect)}
    row = connection.execute(_pauses(dialect), which).one_or_none()
    if row is None or (run is not None and row.worker != _this_process()):
        raise LedgerReplacedError(
            "The ledger does not know this run any more: its database was replaced or restored while the run was "
            "sending. What was sent before is not in it, so nothing more is sent. Run `dropcowboy ledger restored` "
            "before any task runs: docs/operations.md, After a restore."
        )
    if row.paused_all is not None:
        return "paused: all campaigns (dropcowboy resume --all)", row.at
    if row.stop_reason is not None:
        return str(row.stop_reason), row.at
    if row.paused is not None:
        return f"paused: this campaign (dropcowboy resume '{campaign.name}')", row.at
    return None, row.at


def live_runs(at: datetime) -> sa.ColumnElement[bool]:
    """Which runs may still be working.

    :param at: now, by the database's clock.
    """
    return sa.and_(RUNS.c.ended_at.is_(None), RUNS.c.heartbeat_at > at - SILENT_AFTER)


def is_live(ended_at: datetime | None, heartbeat_at: datetime | None, *, at: datetime) -> bool:
    """The same of a run that was read."""
    return ended_at is None and heartbeat_at is not None and heartbeat_at > at - SILENT_AFTER


@cache
def _pauses(dialect: str) -> sa.Select[Any]:
    return (
        sa.select(
            LEDGER.c.paused_at.label("paused_all"),
            CAMPAIGNS.c.paused_at.label("paused"),
            RUNS.c.worker,
            RUNS.c.stop_reason,
            clock_of(dialect).label("at"),
        )
        .join_from(LEDGER, CAMPAIGNS, sa.true())
        .outerjoin(RUNS, RUNS.c.id == sa.bindparam("run_id", type_=sa.Integer))
        .where(CAMPAIGNS.c.id == sa.bindparam("campaign_id"))
    )


def _this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"
