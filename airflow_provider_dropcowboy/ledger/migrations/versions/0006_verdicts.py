"""Why a run did not ask for rows: by which rules, of which version, and for how many."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column to the runs."""
    op.add_column("dropcowboy_runs", sa.Column("verdicts", sa.JSON))
