"""Under which idempotency key a send was last asked for, since when, and with which request (API v2)."""

import sqlalchemy as sa
from alembic import op

from airflow_provider_dropcowboy.ledger.schema import Instant

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns to the sends; all of those that are there went by a version without keys."""
    op.add_column("dropcowboy_sends", sa.Column("key_generation", sa.Integer))
    op.add_column("dropcowboy_sends", sa.Column("keyed_at", Instant))
    op.add_column("dropcowboy_sends", sa.Column("request_digest", sa.String))
