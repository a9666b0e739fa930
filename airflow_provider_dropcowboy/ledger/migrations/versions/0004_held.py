"""Who was held by an earlier wave of a run."""

import sqlalchemy as sa
from alembic import op

from airflow_provider_dropcowboy.ledger.schema import Name

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create its table."""
    op.create_table(
        "dropcowboy_held",
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("scope", sa.String, primary_key=True),
        sa.Column("foreign_id", Name, primary_key=True),
    )
