"""Callbacks and suppressions."""

import sqlalchemy as sa
from alembic import op

from airflow_provider_dropcowboy.ledger.schema import Instant, Name

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create their tables."""
    op.create_table(
        "dropcowboy_callbacks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("received_at", Instant, nullable=False),
        sa.Column("foreign_id", Name, index=True),
        sa.Column("attempt", sa.Integer),
        sa.Column("is_verified", sa.Boolean, nullable=False),
        sa.Column("status", sa.String(10)),
        sa.Column("match", sa.String(10), nullable=False),
        sa.Column("payload", sa.Text),
    )
    op.create_table(
        "dropcowboy_suppressions",
        sa.Column("number_digest", Name, primary_key=True),
        sa.Column("phone_number", sa.String),
        sa.Column("added_at", Instant, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sa.Column("reason", sa.String),
    )
