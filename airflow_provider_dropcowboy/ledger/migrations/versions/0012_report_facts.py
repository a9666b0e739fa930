"""What the report page says of a run and of a task: results, budget, openings, errors, and what a sensor waits for."""

import sqlalchemy as sa
from alembic import op

from airflow_provider_dropcowboy.ledger.schema import Instant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns to the runs, and create the table of tasks."""
    for name, kind in (
        ("gets_results", sa.Boolean),
        ("budget_micros", sa.BigInteger),
        ("waits", sa.Boolean),
        ("openings", sa.JSON),
        ("error", sa.Text),
    ):
        op.add_column("dropcowboy_runs", sa.Column(name, kind))
    op.create_table(
        "dropcowboy_tasks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("dag_id", sa.String, nullable=False),
        sa.Column("run_id", sa.String, nullable=False),
        sa.Column("task_id", sa.String, nullable=False),
        sa.Column("map_index", sa.Integer, nullable=False),
        sa.Column("noted_at", Instant, nullable=False),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("message", sa.Text),
        sa.Column("account", sa.String),
        sa.Column("campaign", sa.String),
        sa.Column("min_final_share", sa.Float),
        sa.UniqueConstraint("dag_id", "run_id", "task_id", "map_index", name="dropcowboy_tasks_instance"),
    )
