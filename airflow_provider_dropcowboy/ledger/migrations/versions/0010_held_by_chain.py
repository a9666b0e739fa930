"""Held rows belong to the waves of one task, not to a partition: tasks of one campaign no longer lose each other's."""

import sqlalchemy as sa
from alembic import op

from airflow_provider_dropcowboy.ledger.schema import Name

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Give the rows of a campaign to the only task that waits for them; of several, nobody knows whose they are."""
    op.execute(
        """
        CREATE TEMPORARY TABLE held_before AS
        WITH tries AS (
            SELECT campaign_id, dag_id, task_id, run_id, map_index, try_number,
                   min(id) AS first_run_id, max(id) AS last_run_id
            FROM dropcowboy_runs WHERE dag_id IS NOT NULL
            GROUP BY campaign_id, dag_id, task_id, run_id, map_index, try_number
        ), last_tries AS (
            SELECT * FROM tries WHERE NOT EXISTS (
                SELECT 1 FROM tries AS later
                WHERE later.campaign_id = tries.campaign_id AND later.dag_id = tries.dag_id
                  AND later.task_id = tries.task_id AND later.run_id = tries.run_id
                  AND coalesce(later.map_index, -1) = coalesce(tries.map_index, -1)
                  AND later.try_number > tries.try_number
            )
        ), waiting AS (
            SELECT last_tries.campaign_id, min(last_tries.first_run_id) AS first_run_id
            FROM last_tries JOIN dropcowboy_runs ON dropcowboy_runs.id = last_tries.last_run_id
            WHERE dropcowboy_runs.next_opening_at IS NOT NULL
            GROUP BY last_tries.campaign_id HAVING count(*) = 1
        )
        SELECT DISTINCT waiting.first_run_id, dropcowboy_held.foreign_id
        FROM dropcowboy_held JOIN waiting ON waiting.campaign_id = dropcowboy_held.campaign_id
        """
    )
    op.drop_table("dropcowboy_held")
    op.create_table(
        "dropcowboy_held",
        sa.Column("first_run_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("foreign_id", Name, primary_key=True),
    )
    op.execute("INSERT INTO dropcowboy_held SELECT first_run_id, foreign_id FROM held_before")
    op.execute("DROP TABLE held_before")
