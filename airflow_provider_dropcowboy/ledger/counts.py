"""Where sends stand: what a row says, what time has made of it since, and how many there are by the kept counts."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from math import ceil
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.campaigns import Campaign
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.outcomes import HOURS_ENDED, OPTED_OUT
from airflow_provider_dropcowboy.ledger.runs import Run, live_runs
from airflow_provider_dropcowboy.ledger.schema import CALLBACKS, COUNTS, PROVES_A_SEND, RUNS, SENDS
from airflow_provider_dropcowboy.states import State

EXPIRE_AFTER: Final = timedelta(hours=72)
"""An accepted send without a result for so long counts as expired; a later callback still moves it."""


def standing(at: datetime) -> sa.Case[str]:
    """The state of a send as it is counted: nothing is rewritten, so a late answer or callback still finds its row.

    A claim of a run that is no more is unknown; accepted and without a result for ``EXPIRE_AFTER`` is expired.

    :param at: now, by the database's clock.
    """
    return _standing(SENDS, accepted_before(at, EXPIRE_AFTER) > ACCEPTED_AT, at=at)


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
"""Since when an accepted send waits for its result; a send that a person settled as sent never had an answer."""


_AFTER_HEX: Final = "g"  # the character after the last of hex digits: ends a range of foreign_ids
# the run that gave these back counts their rows by its verdict: held, or suppressed
_IS_SENT: Final = sa.not_(
    sa.and_(COUNTS.c.state == State.RELEASED.value, COUNTS.c.reason.in_([HOURS_ENDED.reason, OPTED_OUT.reason]))
)
MAX_READ: Final = 10_000
"""Rows of sends that a chart of minutes may read; a report has 300 ms."""
_PARTS: Final = 16**4
_SENDS: Final = sa.cast(sa.func.sum(COUNTS.c.sends), sa.Integer).label("sends")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """Sends of a campaign that stand alike.

    :param reason: None: there is none.
    :param cost_micros: of those whose cost is known.
    :param costed: how many those are.
    """

    state: State
    reason: str | None
    sends: int
    cost_micros: int
    costed: int


def count_run(ledger: Ledger, run: Run) -> Counter[State]:
    """Where the sends stand that this run claimed last."""
    which = (COUNTS.c.campaign_id == run.campaign.id, COUNTS.c.run_id == run.id)
    with ledger.reading() as connection:
        rows = connection.execute(sa.select(COUNTS.c.state, _SENDS).where(*which).group_by(COUNTS.c.state))
        return _counter(rows)


def count_campaign(ledger: Ledger, campaign: Campaign) -> Counter[State]:
    """Where all sends of a campaign stand; a dead run's claims count as unknown."""
    with ledger.reading() as connection:
        is_dead = is_claimed_by_the_dead(COUNTS, now(connection))
        state = sa.case((is_dead, State.UNKNOWN.value), else_=COUNTS.c.state).label("state")
        which = COUNTS.c.campaign_id == campaign.id
        return _counter(connection.execute(sa.select(state, _SENDS).where(which).group_by(state)))


def has_sends(ledger: Ledger, campaign: Campaign) -> bool:
    """Whether any message of the campaign was ever claimed."""
    with ledger.reading() as connection:
        found = connection.execute(sa.select(SENDS.c.foreign_id).where(*rows_of(campaign)).limit(1)).first()
    return found is not None


def count_standing(
    connection: sa.Connection, campaign_ids: Sequence[int], *, at: datetime, expire_after: timedelta = EXPIRE_AFTER
) -> Mapping[int, Counter[State]]:
    """Where all sends of each campaign stand, ``expired`` among them.

    :param at: now, by the database's clock.
    """
    counts: dict[int, Counter[State]] = {campaign_id: Counter() for campaign_id in campaign_ids}
    state = kept_standing(at, expire_after=expire_after).label("state")
    rows = connection.execute(
        sa.select(COUNTS.c.campaign_id, state, _SENDS)
        .where(COUNTS.c.campaign_id.in_(campaign_ids), _IS_SENT)
        .group_by(COUNTS.c.campaign_id, state)
    )
    for row in rows:
        if row.sends:
            counts[row.campaign_id][State(row.state)] = row.sends
    return counts


def count_reasons(connection: sa.Connection, campaign: Campaign, *, at: datetime) -> list[Counted]:
    """All sends of a campaign by where they stand and why, and what they cost; the most first."""
    state = kept_standing(at).label("state")
    cost, costed = sa.func.sum(COUNTS.c.cost_micros), sa.func.sum(COUNTS.c.costed)
    rows = connection.execute(
        sa.select(state, COUNTS.c.reason, _SENDS, cost.label("cost_micros"), costed.label("costed"))
        .where(COUNTS.c.campaign_id == campaign.id, _IS_SENT)
        .group_by(state, COUNTS.c.reason)
        .having(sa.func.sum(COUNTS.c.sends) != 0)
        .order_by(_SENDS.desc(), state, COUNTS.c.reason)
    )
    return [
        Counted(
            state=State(row.state),
            reason=row.reason or None,
            sends=row.sends,
            cost_micros=int(row.cost_micros),
            costed=int(row.costed),
        )
        for row in rows
    ]


def count_hours(connection: sa.Connection, campaign: Campaign, *, at: datetime) -> dict[datetime, Counter[State]]:
    """All sends of a campaign by the hour in which each came to where it stands; the oldest hour first.

    An expired send is in the hour in which it was accepted.
    """
    state = kept_standing(at).label("state")
    rows = connection.execute(
        sa.select(COUNTS.c.hour, state, _SENDS)
        .where(COUNTS.c.campaign_id == campaign.id, _IS_SENT)
        .group_by(COUNTS.c.hour, state)
        .having(sa.func.sum(COUNTS.c.sends) != 0)
        .order_by(COUNTS.c.hour)
    )
    hours: dict[datetime, Counter[State]] = {}
    for row in rows:
        hour_at = datetime.fromtimestamp(row.hour * 3_600, UTC)
        hours.setdefault(hour_at, Counter())[State(row.state)] = row.sends
    return hours


def count_moments(
    connection: sa.Connection, campaign: Campaign, *, sends: int, at: datetime, step_s: int
) -> tuple[dict[datetime, Counter[State]], int]:
    """Sends of a campaign by the moment at which each came to where it stands: of all of them, or of a sample.

    Reads about ``MAX_READ`` rows at most, and never twice as many. A foreign_id is a digest, so the first of them in
    order are a fair sample.

    :param sends: of the campaign, by the kept counts.
    :param step_s: seconds that count as one moment.
    :returns: the counts, and of how many sends one was read; 1: all.
    """
    sample = ceil(sends / MAX_READ) or 1
    last = campaign.prefix + (_AFTER_HEX if sample == 1 else f"{max(_PARTS // sample, 1):04x}")
    moment_at = sa.func.coalesce(SENDS.c.final_at, SENDS.c.answered_at, SENDS.c.claimed_at)
    is_sqlite = connection.dialect.name == "sqlite"
    epoch = sa.func.strftime("%s", moment_at) if is_sqlite else sa.func.floor(sa.extract("epoch", moment_at))
    read = (
        sa.select(sa.cast(epoch, sa.BigInteger).label("second"), standing(at).label("state"))
        .where(
            SENDS.c.foreign_id >= campaign.prefix,
            SENDS.c.foreign_id < last,
            sa.or_(
                SENDS.c.state != State.RELEASED.value,
                SENDS.c.reason.is_(None),
                SENDS.c.reason.not_in([HOURS_ENDED.reason, OPTED_OUT.reason]),
            ),
        )
        .limit(2 * MAX_READ)
        .subquery()
    )
    step = (read.c.second - read.c.second % step_s).label("step")
    rows = connection.execute(
        sa.select(step, read.c.state, sa.func.count().label("sends")).group_by(step, read.c.state)
    )
    moments: dict[datetime, Counter[State]] = {}
    for row in rows:
        moments.setdefault(datetime.fromtimestamp(row.step, UTC), Counter())[State(row.state)] = row.sends
    return moments, sample


def lost_results(connection: sa.Connection, prefix: str) -> int:
    """Sends of a campaign of which a verified result came, and that the ledger does not know.

    :param prefix: how the foreign_ids of the campaign begin.
    """
    is_known = sa.exists().where(SENDS.c.foreign_id == CALLBACKS.c.foreign_id)
    count: int = connection.execute(
        sa.select(sa.func.count(CALLBACKS.c.foreign_id.distinct())).where(
            PROVES_A_SEND,
            CALLBACKS.c.foreign_id >= prefix,
            CALLBACKS.c.foreign_id < prefix + _AFTER_HEX,
            ~is_known,
        )
    ).scalar_one()
    return count


def rows_of(campaign: Campaign) -> tuple[sa.ColumnElement[bool], ...]:
    """The campaign's range of the primary key."""
    return range_of(SENDS.c.foreign_id, campaign)


def range_of(name: sa.ColumnElement[str], campaign: Campaign) -> tuple[sa.ColumnElement[bool], ...]:
    """The campaign's range of a column of names that begin with its prefix."""
    return (name >= campaign.prefix, name < campaign.prefix + _AFTER_HEX)


def _counter(rows: sa.CursorResult[tuple[str, int]]) -> Counter[State]:
    return Counter({State(row.state): row.sends for row in rows if row.sends})
