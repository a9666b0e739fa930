"""The rows that runs did not send, each with its last verdict."""

import sqlalchemy as sa
from alembic import op

from airflow_provider_dropcowboy.ledger.schema import Instant, Name

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table."""
    op.create_table(
        "dropcowboy_not_sent",
        sa.Column("name", Name, primary_key=True),
        sa.Column("foreign_id", Name),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("contact_key", sa.String),
        sa.Column("number_digest", Name),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.String, nullable=False),
        sa.Column("rule", sa.String),
        sa.Column("opens_at", Instant),
    )
