"""Runs: who is sending at this moment, with how many connections, and whether they still live."""

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.api.messages import Channel
from airflow_provider_dropcowboy.errors import LedgerReplacedError
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.schema import CAMPAIGNS, LEDGER, RUNS

SILENT_AFTER: Final = timedelta(seconds=60)
"""A run without a heartbeat for so long is taken for dead; it beats every second or so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Who runs: an Airflow task instance, or a command line (then only ``task_id`` is set).

    :param earlier_ledger: id of the ledger with which an earlier try began; empty: none did. None: it is not known.
    :param due_at: when the DAG run was due; the same in every try and after a clear, unlike its start.
    """

    dag_id: str | None = None
    task_id: str | None = None
    run_id: str | None = None
    try_number: int | None = None
    map_index: int | None = None
    due_at: datetime | None = None
    earlier_ledger: str | None = None


@dataclass(frozen=True, slots=True)
class Campaign:
    """A campaign of one account and channel, as the ledger knows it.

    :param is_new: this call made it: nobody of it was asked before.
    """

    id: int
    account: str
    name: str
    channel: Channel
    prefix: str
    is_new: bool


@dataclass(frozen=True, slots=True)
class Run:
    """A run's row."""

    id: int
    campaign: Campaign


def find_campaign(ledger: Ledger, account: str, *, name: str, channel: Channel) -> Campaign | None:
    """The campaign if anyone of it was ever to be asked; None: this ledger does not know it."""
    with ledger.reading() as connection:
        row = connection.execute(_find(account, name, channel)).one_or_none()
    return None if row is None else Campaign(row.id, row.account, row.name, Channel(row.channel), row.prefix, False)


def bind_campaign(ledger: Ledger, account: str, *, name: str, channel: Channel, prefix: str) -> Campaign:
    """The campaign, written down now if it is new.

    :param prefix: how its foreign_ids begin; derived from the other three.
    """
    with ledger.claiming(account) as connection:
        row = connection.execute(_find(account, name, channel)).one_or_none()
        if row is not None:
            return Campaign(row.id, account, name, channel, row.prefix, False)
        key = connection.execute(
            CAMPAIGNS.insert().values(
                account=account, name=name, channel=channel, prefix=prefix, created_at=now(connection)
            )
        ).inserted_primary_key
        assert key is not None
        return Campaign(key[0], account, name, channel, prefix, True)


def begin_run(ledger: Ledger, campaign: Campaign, *, who: Who, wanted: int) -> Run:
    """Enter a run; it has no connections until it seeks its share of the account's.

    :param wanted: connections it could use.
    """
    with ledger.writing() as connection:
        at = now(connection)
        key = connection.execute(
            RUNS.insert().values(
                campaign_id=campaign.id,
                account=campaign.account,
                dag_id=who.dag_id,
                task_id=who.task_id,
                run_id=who.run_id,
                try_number=who.try_number,
                map_index=who.map_index,
                worker=_this_process(),
                started_at=at,
                heartbeat_at=at,
                wanted=wanted,
                connections=0,
                counts={},
            )
        ).inserted_primary_key
        assert key is not None
        return Run(key[0], campaign)


def beat(ledger: Ledger, run: Run, *, counts: Mapping[str, int]) -> str | None:
    """Say that the run lives, and where it stands.

    :returns: why it must stop claiming (a pause); None: go on.
    """
    with ledger.writing() as connection:
        connection.execute(
            RUNS.update()
            # one that is on its way when the run ends comes after its last counts, and must not undo them
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
) -> None:
    """Give the connections back; the row stays as a record of what the run did.

    :param next_opening_at: the first moment at which a row that it held may be called; None: none waits for one.
    :param verdicts: of the rows that it did not ask for: by state, how many for which reason.
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
            )
        )


def rows_read_last(ledger: Ledger, who: Who) -> int | None:
    """How many rows the task read when it last ended: about what it will read now. None: nobody knows.

    :param who: a task of a DAG; a command line reads another file every time.
    """
    if who.dag_id is None:
        return None
    with ledger.reading() as connection:
        counts = connection.execute(
            sa.select(RUNS.c.counts)
            .where(
                RUNS.c.dag_id == who.dag_id,
                RUNS.c.task_id == who.task_id,
                RUNS.c.map_index.is_not_distinct_from(who.map_index),
                RUNS.c.ended_at.is_not(None),
                RUNS.c.stop_reason.is_(None),
            )
            .order_by(RUNS.c.id.desc())
            .limit(1)
        ).scalar()
    return sum(counts.values()) if counts else None


def stop_reason(connection: sa.Connection, campaign: Campaign, *, run: Run | None = None) -> str | None:
    """Why nobody of the campaign may be claimed now; read in the transaction that would claim.

    :param run: which would claim, and was begun by this process.
    :raises LedgerReplacedError: the run is not there: this is another database than the one in which it began.
    """
    which = {"campaign_id": campaign.id, "run_id": None if run is None else run.id}
    row = connection.execute(_PAUSES, which).one_or_none()
    if row is None or (run is not None and row.worker != _this_process()):
        raise LedgerReplacedError(
            "The ledger does not know this run any more: its database was replaced or restored while the run was "
            "sending. What was sent before is not in it, so nothing more is sent. Run `dropcowboy ledger restored` "
            "before any task runs: docs/operations.md, After a restore."
        )
    if row.paused_all is not None:
        return "paused: all campaigns (dropcowboy resume --all)"
    if row.paused is not None:
        return f"paused: this campaign (dropcowboy resume '{campaign.name}')"
    return None


def is_live(ended_at: datetime | None, heartbeat_at: datetime | None, *, at: datetime) -> bool:
    """Whether a run may still be working."""
    return ended_at is None and heartbeat_at is not None and heartbeat_at > at - SILENT_AFTER


_PAUSES: Final = (
    sa.select(LEDGER.c.paused_at.label("paused_all"), CAMPAIGNS.c.paused_at.label("paused"), RUNS.c.worker)
    .join_from(LEDGER, CAMPAIGNS, sa.true())
    .outerjoin(RUNS, RUNS.c.id == sa.bindparam("run_id", type_=sa.Integer))
    .where(CAMPAIGNS.c.id == sa.bindparam("campaign_id"))
)


def _this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}"


def _find(account: str, name: str, channel: Channel) -> sa.Select[tuple[int, str, str, str, str]]:
    return sa.select(
        CAMPAIGNS.c.id, CAMPAIGNS.c.account, CAMPAIGNS.c.name, CAMPAIGNS.c.channel, CAMPAIGNS.c.prefix
    ).where(CAMPAIGNS.c.account == account, CAMPAIGNS.c.name == name, CAMPAIGNS.c.channel == channel)
