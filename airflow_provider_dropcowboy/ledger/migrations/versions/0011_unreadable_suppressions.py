"""How many entries of its suppression list a run could not read and was allowed to pass over."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column to the runs."""
    op.add_column("dropcowboy_runs", sa.Column("unreadable_suppressions", sa.Integer))
