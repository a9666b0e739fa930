"""Signed webhooks: the events that were seen, and the secrets that sign them."""

import sqlalchemy as sa
from alembic import op

from airflow_provider_dropcowboy.ledger.schema import Instant, Name

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the tables."""
    op.create_table(
        "dropcowboy_events",
        sa.Column("event_id", Name, primary_key=True),
        sa.Column("received_at", Instant, nullable=False, index=True),
    )
    op.create_table(
        "dropcowboy_webhooks",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("webhook_id", Name, nullable=False, index=True),
        sa.Column("secret", sa.String, nullable=False),
        sa.Column("rotated_at", Instant),
    )
