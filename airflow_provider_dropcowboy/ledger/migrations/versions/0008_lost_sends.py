"""Which sends only a callback tells of, found at every claim; and contact lists that a person adopted."""

import sqlalchemy as sa
from alembic import op

from airflow_provider_dropcowboy.ledger.schema import Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the index, which nearly always has no entry, and the column of the lists."""
    op.create_index(
        "dropcowboy_callbacks_lost",
        "dropcowboy_callbacks",
        ["foreign_id"],
        sqlite_where=sa.text("is_verified = 1 AND \"match\" IN ('unmatched', 'unreadable')"),
        postgresql_where=sa.text("is_verified AND \"match\" IN ('unmatched', 'unreadable')"),
    )
    op.add_column("dropcowboy_lists", sa.Column("freed_at", Instant))
