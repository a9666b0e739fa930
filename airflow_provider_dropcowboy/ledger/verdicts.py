"""Rows that runs read and did not send: the last verdict of each, and those that wait for a later wave."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import field
from datetime import UTC, datetime
from functools import cache
from itertools import islice
from operator import attrgetter
from typing import Any, Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.batch import as_parameter, batch, insert_batch
from airflow_provider_dropcowboy.ledger.campaigns import Campaign
from airflow_provider_dropcowboy.ledger.counts import range_of, rows_of
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.digest import FOREIGN_ID_CHARACTERS
from airflow_provider_dropcowboy.ledger.runs import Run
from airflow_provider_dropcowboy.ledger.schema import HELD, NOT_SENT, RUNS, SENDS
from airflow_provider_dropcowboy.ledger.sends import state_now
from airflow_provider_dropcowboy.row_value import row_value
from airflow_provider_dropcowboy.states import OPEN, State


@row_value(kw_only=True)
class NotSent:
    """One row that a run read and did not send.

    :param name: of the row, the same in every run; begins with its campaign's prefix.
    :param foreign_id: of its message; None: the row makes none of its own.
    :param contact_key: None also if the key is the phone number: the ledger keeps no number that was not contacted.
    :param number_digest: None: the number cannot be read.
    :param opens_at: aware: when the row may be sent; None: it waits for no time.
    """

    name: str
    foreign_id: str | None
    contact_key: str | None = field(repr=False)
    number_digest: str | None
    state: State
    reason: str
    rule: str | None = None
    opens_at: datetime | None = None


def invalid_name(foreign_id: str) -> str:
    """The name of a row without a usable number or text; a row with the same key may make the message."""
    return foreign_id[: FOREIGN_ID_CHARACTERS - len(_INVALID)] + _INVALID


def invalid_name_in(foreign_id: sa.ColumnElement[str]) -> sa.ColumnElement[str]:
    """``invalid_name`` of a column, as SQL."""
    return sa.func.substr(foreign_id, 1, FOREIGN_ID_CHARACTERS - len(_INVALID), type_=sa.String).concat(_INVALID)


def keep_verdicts(ledger: Ledger, run: Run, rows: Sequence[NotSent]) -> None:
    """The rows have these verdicts now, by this run. Doing it again changes nothing.

    :param rows: each name once.
    :raises LedgerError: the database was not reached.
    """
    dialect = ledger.engine.dialect.name
    values = [
        (*_plain(row), row.opens_at and _as_text(row.opens_at, dialect))
        for row in sorted(rows, key=lambda row: row.name)  # in this order, so that two runs never wait in a circle
    ]
    with ledger.writing() as connection:
        connection.execute(_upsert(dialect), {"rows": as_parameter(values), "run_id": run.id})


def _as_text(instant: datetime, dialect: str) -> str:
    at = instant.astimezone(UTC)
    return at.isoformat() if dialect == "postgresql" else at.strftime("%Y-%m-%d %H:%M:%S.%f")


@cache
def _upsert(dialect: str) -> sa.Insert:
    insert = insert_batch(NOT_SENT, dialect, _WRITTEN, same=["run_id"])
    changed = {column: insert.excluded[column] for column in (*_WRITTEN, "run_id") if column != "name"}
    return insert.on_conflict_do_update(index_elements=[NOT_SENT.c.name], set_=changed)


_INVALID: Final = "-invalid"
_WRITTEN: Final = ("name", "foreign_id", "contact_key", "number_digest", "state", "reason", "rule", "opens_at")
_plain: Final = attrgetter(*_WRITTEN[:-1])


CHUNK_ROWS: Final = 1_000


def keep_held(ledger: Ledger, campaign: Campaign, foreign_ids: Iterable[str], *, first_run_id: int) -> None:
    """Write down the rows that a wave held; those that an earlier wave of the task held stay.

    :param first_run_id: of the task's first wave.
    """
    rest = iter(foreign_ids)
    while chunk := list(islice(rest, CHUNK_ROWS)):
        with ledger.claiming(campaign.account) as connection:
            new = batch(HELD, connection.dialect.name, "foreign_id")
            is_there = sa.exists().where(HELD.c.first_run_id == first_run_id, HELD.c.foreign_id == new.c.foreign_id)
            row = sa.select(sa.literal(first_run_id), new.c.foreign_id).where(~is_there)
            insert = HELD.insert().from_select(["first_run_id", "foreign_id"], row)
            connection.execute(insert, {"rows": as_parameter((foreign_id,) for foreign_id in chunk)})


def count_gone(
    ledger: Ledger, campaign: Campaign, *, run_ids: Sequence[int], met: Callable[[Sequence[str]], Collection[str]]
) -> Counter[State]:
    """Rows of earlier waves that this one did not read: where they stand if they were sent, ``withdrawn`` if not.

    :param run_ids: of the earlier waves, the first one first.
    :param met: those of some foreign_ids whose rows this wave read.
    """
    gone: Counter[State] = Counter()
    is_held = sa.and_(HELD.c.first_run_id == run_ids[0], HELD.c.foreign_id == SENDS.c.foreign_id)
    with ledger.reading() as connection:
        at = now(connection)
        sent = connection.execution_options(yield_per=CHUNK_ROWS).execute(
            sa.select(SENDS.c.foreign_id, SENDS.c.state, RUNS.c.ended_at, RUNS.c.heartbeat_at, HELD.c.first_run_id)
            .join_from(SENDS, RUNS, RUNS.c.id == SENDS.c.run_id)
            .outerjoin(HELD, is_held)
            # also what another task of the campaign sent meanwhile
            .where(*rows_of(campaign), sa.or_(SENDS.c.run_id.in_(run_ids), HELD.c.first_run_id.is_not(None)))
        )
        for rows in sent.partitions():
            read = met([row.foreign_id for row in rows])
            for row in rows:
                if row.foreign_id in read:
                    continue
                state = state_now(row, at)
                # open: its hours ended between its claim and its request
                gone[State.WITHDRAWN if state in OPEN and row.first_run_id is not None else state] += 1
        held = connection.execution_options(yield_per=CHUNK_ROWS).execute(
            sa.select(HELD.c.foreign_id)
            .outerjoin_from(HELD, SENDS, SENDS.c.foreign_id == HELD.c.foreign_id)
            .where(HELD.c.first_run_id == run_ids[0], SENDS.c.foreign_id.is_(None))
        )
        for names in held.scalars().partitions():
            gone[State.WITHDRAWN] += len(names) - len(met(names))
    return +gone


def forget_held(ledger: Ledger, run: Run, *, first_run_id: int) -> None:
    """Nobody waits any more: the task's last wave is over, and so are the waves of its tries that were killed."""
    with ledger.claiming(run.campaign.account) as connection:
        row = connection.execute(sa.select(RUNS).where(RUNS.c.id == run.id)).one()
        same_task = sa.select(RUNS.c.id).where(
            RUNS.c.campaign_id == run.campaign.id,
            RUNS.c.dag_id == row.dag_id,
            RUNS.c.task_id == row.task_id,
            RUNS.c.run_id == row.run_id,
            RUNS.c.map_index.is_not_distinct_from(row.map_index),
            RUNS.c.id < first_run_id,
        )
        which = sa.or_(HELD.c.first_run_id == first_run_id, HELD.c.first_run_id.in_(same_task))
        connection.execute(HELD.delete().where(which))


def last_verdicts(campaign: Campaign) -> sa.Select[Any]:
    """The rows without a send, each with its last verdict and its task; a send that was given back unsent has one too.

    A row that cannot be used may stand beside a row with its key. ``is_chosen``: it is not the older one of the two.
    ``is_apart``: another task read or sent the other one, so both count while both are still read. ``rival_run`` and
    ``rival_…``: that run and task; no run if the other row was sent.
    """
    # a message's name may stand for two rows: a row that makes it, and a row that cannot be used
    other = NOT_SENT.alias()
    makes_message = NOT_SENT.c.name == NOT_SENT.c.foreign_id
    other_name = sa.case((makes_message, invalid_name_in(NOT_SENT.c.foreign_id)), else_=NOT_SENT.c.foreign_id)
    other_run, send_run = sa.func.coalesce(other.c.run_id, 0), sa.func.coalesce(SENDS.c.run_id, 0)
    is_sent = sa.and_(SENDS.c.foreign_id.is_not(None), SENDS.c.state != State.RELEASED.value)
    # the run that sent the message, or did not, read this row beside the row that makes it
    is_beside = sa.case(
        (is_sent, NOT_SENT.c.run_id == send_run),
        else_=sa.or_(NOT_SENT.c.run_id == send_run, NOT_SENT.c.run_id == other_run),
    )
    is_newest = sa.and_(~is_sent, NOT_SENT.c.run_id >= send_run, NOT_SENT.c.run_id >= other_run)
    is_chosen = sa.case(
        (NOT_SENT.c.foreign_id.is_(None), sa.true()),
        (makes_message, is_newest),
        else_=sa.or_(is_newest, sa.and_(is_sent, is_beside)),
    )
    # another task read or sent the other row: then these are two rows, if both are still read
    run, rival = RUNS.alias(), RUNS.alias()
    rival_run = sa.case((is_sent, SENDS.c.run_id), else_=other.c.run_id)
    differs = sa.or_(*(run.c[name].is_distinct_from(rival.c[name]) for name in _TASK))
    is_apart = sa.and_(rival.c.id.is_not(None), differs, sa.not_(sa.and_(makes_message, is_sent)))
    return (
        sa.select(
            NOT_SENT,
            is_beside.label("is_beside"),
            is_chosen.label("is_chosen"),
            is_apart.label("is_apart"),
            sa.case((is_sent, None), else_=rival.c.id).label("rival_run"),
            *(run.c[name] for name in _TASK),
            *(rival.c[name].label(f"rival_{name}") for name in _TASK),
        )
        .join_from(NOT_SENT, run, run.c.id == NOT_SENT.c.run_id)
        .outerjoin(SENDS, SENDS.c.foreign_id == NOT_SENT.c.foreign_id)
        .outerjoin(other, sa.and_(other.c.name == other_name, NOT_SENT.c.foreign_id.is_not(None)))
        .outerjoin(rival, rival.c.id == rival_run)
        .where(*range_of(NOT_SENT.c.name, campaign), sa.or_(is_chosen, is_apart))
    )


def last_complete_runs(connection: sa.Connection, campaign: Campaign) -> dict[tuple[object, ...], int]:
    """Of each task the newest run that read its source to the end: what it did not read is not there any more."""
    columns = [RUNS.c[name] for name in _TASK]
    rows = connection.execute(
        sa.select(*columns, sa.func.max(RUNS.c.id))
        .where(RUNS.c.campaign_id == campaign.id, RUNS.c.ended_at.is_not(None), RUNS.c.stop_reason.is_(None))
        .group_by(*columns)
    )
    return {tuple(task): run_id for *task, run_id in rows}


_TASK: Final = ("dag_id", "task_id", "map_index")

STANDS_FOR_ITS_SEND: Final = sa.and_(
    SENDS.c.state == State.RELEASED.value,
    sa.or_(
        sa.and_(NOT_SENT.c.name == SENDS.c.foreign_id, NOT_SENT.c.run_id >= SENDS.c.run_id),
        sa.and_(NOT_SENT.c.name == invalid_name_in(SENDS.c.foreign_id), NOT_SENT.c.run_id > SENDS.c.run_id),
    ),
)
"""Drop Cowboy did not accept the send, and a run said since why the row is not sent."""
