"""First tables: ledger, campaigns, runs, sends, history."""

import sqlalchemy as sa
from alembic import op

from airflow_provider_dropcowboy.ledger.schema import Instant, Name

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create them."""
    op.create_table(
        "dropcowboy_ledger",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("ledger_id", Name, nullable=False),
        sa.Column("key_hex", Name, nullable=False),
        sa.Column("born_at", Instant, nullable=False),
        sa.Column("timeline", Name),
        sa.Column("restored_at", Instant),
        sa.Column("paused_at", Instant),
    )
    op.create_table(
        "dropcowboy_campaigns",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("channel", sa.String(8), nullable=False),
        sa.Column("prefix", Name, nullable=False, unique=True),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("paused_at", Instant),
        sa.Column("taken", sa.Integer, nullable=False, server_default="0"),
        sa.Column("price_micros", sa.BigInteger),
        sa.Column("extra_micros", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("freed_at", Instant),
        sa.UniqueConstraint("account", "name", "channel", name="dropcowboy_campaigns_name"),
    )
    op.create_table(
        "dropcowboy_runs",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("campaign_id", sa.Integer, nullable=False, index=True),
        sa.Column("account", sa.String, nullable=False),
        sa.Column("dag_id", sa.String),
        sa.Column("task_id", sa.String),
        sa.Column("run_id", sa.String),
        sa.Column("try_number", sa.Integer),
        sa.Column("map_index", sa.Integer),
        sa.Column("worker", sa.String, nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("heartbeat_at", Instant, nullable=False),
        sa.Column("ended_at", Instant, index=True),
        sa.Column("wanted", sa.Integer, nullable=False),
        sa.Column("connections", sa.Integer, nullable=False),
        sa.Column("counts", sa.JSON, nullable=False),
        sa.Column("stop_reason", sa.String),
    )
    op.create_table(
        "dropcowboy_sends",
        sa.Column("foreign_id", Name, primary_key=True),
        sa.Column("campaign_id", sa.Integer, nullable=False),
        sa.Column("contact_key", sa.String),
        sa.Column("phone_number", sa.String),
        sa.Column("number_digest", Name, nullable=False),
        sa.Column("owns_number", sa.Boolean, nullable=False),
        sa.Column("content_digest", Name, nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("reason", sa.String),
        sa.Column("attempt", sa.Integer, nullable=False),
        sa.Column("claim_id", Name, nullable=False),
        sa.Column("run_id", sa.Integer, nullable=False),
        sa.Column("claimed_at", Instant, nullable=False),
        sa.Column("claimed_day", sa.Integer, nullable=False),
        sa.Column("answered_at", Instant),
        sa.Column("final_at", Instant),
        sa.Column("resent_at", Instant),
        sa.Column("drop_id", sa.String),
        sa.Column("cost_micros", sa.BigInteger),
        sa.Column("network", sa.String),
        sa.Column("rule", sa.String),
    )
    op.create_index(
        "dropcowboy_sends_number",
        "dropcowboy_sends",
        ["campaign_id", "number_digest"],
        unique=True,
        sqlite_where=sa.text("owns_number = 1"),
        postgresql_where=sa.text("owns_number"),
    )
    op.create_index("dropcowboy_sends_attempts", "dropcowboy_sends", ["claimed_day", "number_digest"])
    op.create_table(
        "dropcowboy_history",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("foreign_id", Name, nullable=False, index=True),
        sa.Column("at", Instant, nullable=False),
        sa.Column("event", sa.String, nullable=False),
        sa.Column("state_before", sa.String(10)),
        sa.Column("state_after", sa.String(10)),
        sa.Column("attempt", sa.Integer),
        sa.Column("run_id", sa.Integer),
        sa.Column("reason", sa.String),
    )
