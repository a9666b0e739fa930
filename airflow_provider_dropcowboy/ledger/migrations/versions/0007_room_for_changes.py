"""Room beside each send for what becomes of it: PostgreSQL then changes it in place and leaves the indexes alone."""

from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Fill new pages by half: a send is claimed, answered and settled, and each is a new version of its row."""
    if op.get_context().dialect.name == "postgresql":
        op.execute("ALTER TABLE dropcowboy_sends SET (fillfactor = 50)")
