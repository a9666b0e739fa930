"""One spelling of an account's name, which is what tells whether a campaign is known."""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from alembic import op

from airflow_provider_dropcowboy.api.account import spell_account
from airflow_provider_dropcowboy.ledger.schema import Instant

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

CAMPAIGNS = sa.table(
    "dropcowboy_campaigns",
    *map(sa.column, ("id", "account", "name", "channel", "taken", "extra_micros", "digest_account", "merged_into")),
    *(sa.column(name, Instant) for name in ("created_at", "paused_at", "freed_at")),
)
LISTS = sa.table("dropcowboy_lists", *map(sa.column, ("id", "account", "name", "state")))


def upgrade() -> None:
    """Spell the accounts anew. The foreign_ids keep the old spelling: tokens of callbacks under way are made with them.

    Where two spellings have one campaign, the one with the right spelling goes on, and its claims also look at the
    sends of the others, which stay as they are.
    """
    op.add_column("dropcowboy_campaigns", sa.Column("digest_account", sa.String))
    op.add_column("dropcowboy_campaigns", sa.Column("merged_into", sa.Integer))
    connection = op.get_bind()
    for new, rows in _groups(connection, CAMPAIGNS, "name", "channel").items():
        _spell_campaigns(connection, new[0], rows)
    for new, rows in _groups(connection, LISTS, "name").items():
        _spell_lists(connection, new[0], rows)
    for name in ("dropcowboy_runs", "dropcowboy_syncs"):
        table = sa.table(name, sa.column("account"))
        for old in connection.execute(sa.select(table.c.account).distinct()).scalars().all():
            if (spelled := spell_account(old)) != old:
                connection.execute(table.update().where(table.c.account == old).values(account=spelled))


def _groups(connection: sa.Connection, table: sa.TableClause, *keys: str) -> Mapping[tuple[str, ...], list[Any]]:
    """Rows that have one account, rightly spelled, and the same other names; only where one is spelled otherwise."""
    groups: dict[tuple[str, ...], list[Any]] = defaultdict(list)
    for row in connection.execute(sa.select(table).order_by(table.c.id)):
        groups[spell_account(row.account), *(getattr(row, key) for key in keys)].append(row)
    return {new: rows for new, rows in groups.items() if any(row.account != new[0] for row in rows)}


def _spell_campaigns(connection: sa.Connection, account: str, rows: list[Any]) -> None:
    first = next((row for row in rows if row.account == account), rows[0])
    others = [row for row in rows if row is not first]
    freed = [row.freed_at for row in rows]
    connection.execute(
        CAMPAIGNS.update()
        .where(CAMPAIGNS.c.id == first.id)
        .values(
            account=account,
            digest_account=None if first.account == account else first.account,
            created_at=min(row.created_at for row in rows),
            # paused if one of them is; adopted by a person only if all are
            paused_at=max((row.paused_at for row in rows if row.paused_at is not None), default=None),
            freed_at=None if None in freed else min(freed),
            taken=sum(row.taken for row in rows),
            extra_micros=sum(row.extra_micros for row in rows),
        )
    )
    connection.execute(
        CAMPAIGNS.update().where(CAMPAIGNS.c.id.in_([row.id for row in others])).values(merged_into=first.id)
    )


def _spell_lists(connection: sa.Connection, account: str, rows: list[Any]) -> None:
    """A name stands for one list: where two spellings have one each, the newest goes on, and none is to be deleted."""
    current = [row.account for row in rows if row.state == "current"]
    goes_on = current[-1] if current else rows[-1].account
    for row in rows:
        if row.account == account != goes_on:  # makes room, under a name that no connection has
            connection.execute(LISTS.update().where(LISTS.c.id == row.id).values(account=f"{account} (older)"))
    connection.execute(
        LISTS.update().where(LISTS.c.id.in_([row.id for row in rows if row.account == goes_on])).values(account=account)
    )
