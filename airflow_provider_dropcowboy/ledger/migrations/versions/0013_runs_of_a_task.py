"""Finds the last run of a task, among the runs of years."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Index the runs by their task."""
    op.create_index("dropcowboy_runs_task", "dropcowboy_runs", ["dag_id", "task_id", "id"])
