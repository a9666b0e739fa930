"""Contact lists, their contacts, and the syncs that keep them in step."""

import sqlalchemy as sa
from alembic import op

from airflow_provider_dropcowboy.ledger.schema import Instant, Name

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create their tables."""
    op.create_table(
        "dropcowboy_lists",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("list_id", Name, index=True),
        sa.Column("vendor_name", sa.String, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("is_known", sa.Boolean, nullable=False),
        sa.Column("counted", sa.Integer, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
    )
    op.create_index("dropcowboy_lists_name", "dropcowboy_lists", ["account", "name"])
    op.create_index(
        "dropcowboy_lists_current",
        "dropcowboy_lists",
        ["account", "name"],
        unique=True,
        sqlite_where=sa.text("state = 'current'"),
        postgresql_where=sa.text("state = 'current'"),
    )
    op.create_table(
        "dropcowboy_list_contacts",
        sa.Column("list", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("key_digest", Name, primary_key=True),
        sa.Column("content_digest", Name, nullable=False),
        sa.Column("content_before", Name),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("append_id", sa.Integer, nullable=False, index=True),
        sa.Column("contact_key", sa.String),
        sa.Column("reason", sa.String),
    )
    op.create_table(
        "dropcowboy_list_appends",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("list", sa.Integer, nullable=False, index=True),
        sa.Column("sync_id", sa.Integer, nullable=False),
        sa.Column("row_count", sa.Integer, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("accepted_count", sa.Integer),
        sa.Column("claimed_at", Instant, nullable=False),
        sa.Column("answered_at", Instant),
    )
    op.create_table(
        "dropcowboy_syncs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("mode", sa.String(8), nullable=False),
        sa.Column("dag_id", sa.String),
        sa.Column("task_id", sa.String),
        sa.Column("run_id", sa.String),
        sa.Column("try_number", sa.Integer),
        sa.Column("map_index", sa.Integer),
        sa.Column("worker", sa.String, nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("held_until", Instant, nullable=False),
        sa.Column("ended_at", Instant),
        sa.Column("step", sa.String, nullable=False),
        sa.Column("counts", sa.JSON, nullable=False),
        sa.Column("end_reason", sa.String),
    )
    op.create_index("dropcowboy_syncs_name", "dropcowboy_syncs", ["account", "name"])
