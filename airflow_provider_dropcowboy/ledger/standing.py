"""Where a send stands when somebody looks: what its row says, and what time has made of it since."""

from datetime import UTC, datetime, timedelta
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.runs import live_runs
from airflow_provider_dropcowboy.ledger.schema import COUNTS, RUNS, SENDS
from airflow_provider_dropcowboy.states import State

EXPIRE_AFTER: Final = timedelta(hours=72)
"""An accepted send of which nothing was told for so long counts as expired; a later callback still moves it."""


def standing(at: datetime, *, expire_after: timedelta = EXPIRE_AFTER) -> sa.Case[str]:
    """The state of a send as it is counted: nothing is rewritten, so a late answer or callback still finds its row.

    A claim of a run that is no more is unknown; accepted and told nothing for ``expire_after`` is expired.

    :param at: now, by the database's clock.
    """
    return _standing(SENDS, accepted_before(at, expire_after) > ACCEPTED_AT, at=at)


def kept_standing(at: datetime, *, expire_after: timedelta = EXPIRE_AFTER) -> sa.Case[str]:
    """The same for the sends that a row of the kept counts stands for."""
    return _standing(COUNTS, COUNTS.c.hour < hour_of(accepted_before(at, expire_after)), at=at)


def accepted_before(at: datetime, expire_after: timedelta) -> datetime:
    """Since when a send must have been accepted to be expired now.

    By the full hour, since sends are counted by the hour: up to an hour later than ``expire_after``, never earlier.
    """
    return (at - expire_after).astimezone(UTC).replace(minute=0, second=0, microsecond=0)


def hour_of(instant: datetime) -> int:
    """The hour since 1970, as the kept counts name it."""
    return int(instant.timestamp()) // 3_600


def is_claimed_by_the_dead(table: sa.Table, at: datetime) -> sa.ColumnElement[bool]:
    """Whether sends, or those that are counted together, were claimed by a run that is no more."""
    live = sa.select(RUNS.c.id).where(live_runs(at))
    return sa.and_(table.c.state == State.CLAIMED.value, table.c.run_id.not_in(live))


def _standing(table: sa.Table, is_long_ago: sa.ColumnElement[bool], *, at: datetime) -> sa.Case[str]:
    return sa.case(
        (is_claimed_by_the_dead(table, at), State.UNKNOWN.value),
        (sa.and_(table.c.state == State.ACCEPTED.value, is_long_ago), State.EXPIRED.value),
        else_=table.c.state,
    )


ACCEPTED_AT: Final = sa.func.coalesce(SENDS.c.answered_at, SENDS.c.claimed_at, type_=SENDS.c.claimed_at.type)
"""Since when an accepted send waits for its result; one that a person settled as sent never had an answer."""
