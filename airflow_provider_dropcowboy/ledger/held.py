"""Who was held or asked by earlier waves of a run, so that nobody vanishes whom the source no longer names."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.batch import as_parameter, batch
from airflow_provider_dropcowboy.ledger.counts import rows_of
from airflow_provider_dropcowboy.ledger.database import Ledger, now
from airflow_provider_dropcowboy.ledger.runs import Campaign, is_live
from airflow_provider_dropcowboy.ledger.schema import HELD, RUNS, SENDS
from airflow_provider_dropcowboy.states import State

CHUNK_ROWS: Final = 1_000


def keep_held(ledger: Ledger, campaign: Campaign, foreign_ids: Iterable[str], *, scope: str) -> None:
    """Write down whom a wave held; who was held before stays."""
    rest = iter(foreign_ids)
    while chunk := list(islice(rest, CHUNK_ROWS)):
        with ledger.claiming(campaign.account) as connection:
            new = batch(connection.dialect.name, ("foreign_id", "text"))
            is_there = sa.exists().where(
                HELD.c.campaign_id == campaign.id, HELD.c.scope == scope, HELD.c.foreign_id == new.c.foreign_id
            )
            row = sa.select(sa.literal(campaign.id), sa.literal(scope), new.c.foreign_id).where(~is_there)
            insert = HELD.insert().from_select(["campaign_id", "scope", "foreign_id"], row)
            connection.execute(insert, {"rows": as_parameter((foreign_id,) for foreign_id in chunk)})


def count_gone(
    ledger: Ledger, campaign: Campaign, *, scope: str, run_ids: Sequence[int], is_read: Callable[[str], bool]
) -> Counter[State]:
    """Rows of earlier waves that this one did not read: where those asked stand, and those held as ``withdrawn``.

    :param run_ids: of the earlier waves.
    :param is_read: whether this wave read the row of a foreign_id.
    """
    gone: Counter[State] = Counter()
    with ledger.reading() as connection:
        at = now(connection)
        asked = connection.execution_options(yield_per=CHUNK_ROWS).execute(
            sa.select(SENDS.c.foreign_id, SENDS.c.state, RUNS.c.ended_at, RUNS.c.heartbeat_at)
            .join_from(SENDS, RUNS, RUNS.c.id == SENDS.c.run_id)
            .where(*rows_of(campaign), SENDS.c.run_id.in_(run_ids))
        )
        for row in asked:
            if not is_read(row.foreign_id):
                is_dead = row.state == State.CLAIMED and not is_live(row.ended_at, row.heartbeat_at, at=at)
                gone[State.UNKNOWN if is_dead else State(row.state)] += 1
        held = connection.execution_options(yield_per=CHUNK_ROWS).execute(
            sa.select(HELD.c.foreign_id)
            .outerjoin_from(HELD, SENDS, SENDS.c.foreign_id == HELD.c.foreign_id)
            .where(HELD.c.campaign_id == campaign.id, HELD.c.scope == scope, SENDS.c.foreign_id.is_(None))
        )
        gone[State.WITHDRAWN] += sum(not is_read(row.foreign_id) for row in held)
    return +gone


def forget_held(ledger: Ledger, campaign: Campaign, *, scope: str) -> None:
    """The last wave is over."""
    with ledger.claiming(campaign.account) as connection:
        connection.execute(HELD.delete().where(HELD.c.campaign_id == campaign.id, HELD.c.scope == scope))
