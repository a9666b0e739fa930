"""How many sends stand where."""

from collections import Counter
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import SILENT_AFTER, Campaign, Run
from airflow_provider_dropcowboy.ledger.schema import RUNS, SENDS
from airflow_provider_dropcowboy.states import State

_AFTER_HEX: Final = "g"  # the character after the last of hex digits: ends a range of foreign_ids


def count_run(ledger: Ledger, run: Run) -> Counter[State]:
    """Where the sends stand that this run claimed last."""
    with ledger.reading() as connection:
        rows = connection.execute(_by_state(run.campaign).where(SENDS.c.run_id == run.id))
        return Counter({State(row.state): row.n for row in rows})


def count_campaign(ledger: Ledger, campaign: Campaign) -> Counter[State]:
    """Where all sends of a campaign stand; a dead run's claims count as unknown."""
    with ledger.reading() as connection:
        at = now(connection)
        rows = connection.execute(_by_state(campaign))
        counts = Counter({State(row.state): row.n for row in rows})
        if counts[State.CLAIMED]:
            is_dead = sa.or_(RUNS.c.ended_at.is_not(None), RUNS.c.heartbeat_at <= at - SILENT_AFTER)
            dead = connection.execute(
                sa.select(sa.func.count())
                .select_from(SENDS.join(RUNS, RUNS.c.id == SENDS.c.run_id))
                .where(*rows_of(campaign), SENDS.c.state == State.CLAIMED.value, is_dead)
            ).scalar_one()
            counts[State.CLAIMED] -= dead
            counts[State.UNKNOWN] += dead
    return +counts


def _by_state(campaign: Campaign) -> sa.Select[tuple[str, int]]:
    return sa.select(SENDS.c.state, sa.func.count().label("n")).where(*rows_of(campaign)).group_by(SENDS.c.state)


def rows_of(campaign: Campaign) -> tuple[sa.ColumnElement[bool], ...]:
    """The campaign's range of the primary key."""
    return (SENDS.c.foreign_id >= campaign.prefix, SENDS.c.foreign_id < campaign.prefix + _AFTER_HEX)
