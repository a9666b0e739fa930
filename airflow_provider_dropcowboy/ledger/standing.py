"""Where a send stands when somebody looks: what its row says, and what time has made of it since."""

from datetime import datetime, timedelta
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.runs import SILENT_AFTER
from airflow_provider_dropcowboy.ledger.schema import RUNS, SENDS
from airflow_provider_dropcowboy.states import State

EXPIRE_AFTER: Final = timedelta(hours=72)
"""An accepted send of which nothing was told for so long counts as expired; a later callback still moves it."""


def standing(at: datetime, *, expire_after: timedelta = EXPIRE_AFTER) -> sa.Case[str]:
    """The state of a send as it is counted: nothing is rewritten, so a late answer or callback still finds its row.

    A claim of a run that is no more is unknown; accepted and told nothing for ``expire_after`` is expired.

    :param at: now, by the database's clock.
    """
    live = sa.select(RUNS.c.id).where(RUNS.c.ended_at.is_(None), RUNS.c.heartbeat_at > at - SILENT_AFTER)
    return sa.case(
        (sa.and_(SENDS.c.state == State.CLAIMED.value, SENDS.c.run_id.not_in(live)), State.UNKNOWN.value),
        (
            sa.and_(SENDS.c.state == State.ACCEPTED.value, at - expire_after >= ACCEPTED_AT),
            State.EXPIRED.value,
        ),
        else_=SENDS.c.state,
    )


ACCEPTED_AT: Final = sa.func.coalesce(SENDS.c.answered_at, SENDS.c.claimed_at, type_=SENDS.c.claimed_at.type)
"""Since when an accepted send waits for its result; one that a person settled as sent never had an answer."""
