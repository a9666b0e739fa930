"""What the report page shows: counts kept by the database with every change of a send, and a run's next opening."""

import sqlalchemy as sa
from alembic import op

from airflow_provider_dropcowboy.ledger.schema import Instant, Name

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

# ruff: noqa: S608  # all of the SQL is made of our own words

KEY = "campaign_id, run_id, state, reason, hour"


def upgrade() -> None:
    """Create the counts' table and the triggers that keep it, and count what stands already."""
    op.add_column("dropcowboy_runs", sa.Column("next_opening_at", Instant))
    op.create_table(
        "dropcowboy_campaign_counts",
        sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("run_id", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("state", Name, primary_key=True),
        sa.Column("reason", Name, primary_key=True),
        sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("part", sa.BigInteger, sa.Identity(), primary_key=True),
        sa.Column("sends", sa.Integer, nullable=False),
        sa.Column("cost_micros", sa.BigInteger, nullable=False),
        sa.Column("costed", sa.Integer, nullable=False),
        sqlite_with_rowid=False,
    )
    # the triggers first: creating them waits for open transactions and keeps out new ones, so that none is missed
    if op.get_context().dialect.name == "postgresql":
        for statement in POSTGRESQL:
            op.execute(statement)
        op.execute(f"INSERT INTO dropcowboy_campaign_counts ({KEY}, sends, cost_micros, costed) {COUNTED_POSTGRESQL}")
    else:
        for statement in SQLITE:
            op.execute(statement)
        op.execute(f"INSERT INTO dropcowboy_campaign_counts ({KEY}, part, sends, cost_micros, costed) {COUNTED_SQLITE}")


# Where a send came to where it stands, as hours since 1970, whatever the time zone of the session.
_HOUR_POSTGRESQL = "CAST(floor(date_part('epoch', coalesce(final_at, answered_at, claimed_at)) / 3600) AS integer)"

COUNTED_POSTGRESQL = f"""
    SELECT campaign_id, run_id, state, coalesce(reason, ''), {_HOUR_POSTGRESQL},
        count(*), coalesce(sum(cost_micros), 0), count(cost_micros)
    FROM dropcowboy_sends GROUP BY 1, 2, 3, 4, 5"""

# Each statement appends what it changed. Of 256 parts one adds up those of its campaign that belong together: parts
# that another transaction is adding up are passed over, so nobody waits, and nothing is counted twice or lost.
POSTGRESQL = (
    f"""
    CREATE FUNCTION dropcowboy_count_sends() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE
        full_campaign integer;
    BEGIN
        IF TG_OP = 'INSERT' THEN
            WITH appended AS (
                INSERT INTO dropcowboy_campaign_counts ({KEY}, sends, cost_micros, costed)
                SELECT campaign_id, run_id, state, coalesce(reason, ''), {_HOUR_POSTGRESQL},
                    count(*), coalesce(sum(cost_micros), 0), count(cost_micros)
                FROM now_there GROUP BY 1, 2, 3, 4, 5
                RETURNING campaign_id, part
            )
            SELECT campaign_id INTO full_campaign FROM appended WHERE mod(part, 256) = 0 LIMIT 1;
        ELSIF TG_OP = 'UPDATE' THEN
            WITH moved AS (
                SELECT campaign_id, run_id, state, coalesce(reason, '') AS reason, {_HOUR_POSTGRESQL} AS hour,
                    1 AS sends, coalesce(cost_micros, 0) AS cost_micros, num_nonnulls(cost_micros) AS costed
                FROM now_there
                UNION ALL
                SELECT campaign_id, run_id, state, coalesce(reason, ''), {_HOUR_POSTGRESQL},
                    -1, -coalesce(cost_micros, 0), -num_nonnulls(cost_micros)
                FROM was_there
            ), appended AS (
                INSERT INTO dropcowboy_campaign_counts ({KEY}, sends, cost_micros, costed)
                SELECT {KEY}, sum(sends), sum(cost_micros), sum(costed) FROM moved GROUP BY {KEY}
                HAVING sum(sends) <> 0 OR sum(cost_micros) <> 0 OR sum(costed) <> 0
                RETURNING campaign_id, part
            )
            SELECT campaign_id INTO full_campaign FROM appended WHERE mod(part, 256) = 0 LIMIT 1;
        ELSE
            INSERT INTO dropcowboy_campaign_counts ({KEY}, sends, cost_micros, costed)
            SELECT campaign_id, run_id, state, coalesce(reason, ''), {_HOUR_POSTGRESQL},
                -count(*), -coalesce(sum(cost_micros), 0), -count(cost_micros)
            FROM was_there GROUP BY 1, 2, 3, 4, 5;
        END IF;
        IF full_campaign IS NOT NULL THEN
            WITH parts AS (
                DELETE FROM dropcowboy_campaign_counts WHERE campaign_id = full_campaign AND part IN (
                    SELECT part FROM dropcowboy_campaign_counts
                    WHERE campaign_id = full_campaign AND ({KEY}) IN (
                        SELECT {KEY} FROM dropcowboy_campaign_counts
                        WHERE campaign_id = full_campaign GROUP BY {KEY} HAVING count(*) > 1
                    )
                    FOR UPDATE SKIP LOCKED
                )
                RETURNING *
            )
            INSERT INTO dropcowboy_campaign_counts ({KEY}, sends, cost_micros, costed)
            SELECT {KEY}, sum(sends), sum(cost_micros), sum(costed) FROM parts GROUP BY {KEY}
            HAVING sum(sends) <> 0 OR sum(cost_micros) <> 0 OR sum(costed) <> 0;
        END IF;
        RETURN NULL;
    END $$""",
    """
    CREATE TRIGGER dropcowboy_sends_claimed AFTER INSERT ON dropcowboy_sends
    REFERENCING NEW TABLE AS now_there FOR EACH STATEMENT EXECUTE FUNCTION dropcowboy_count_sends()""",
    """
    CREATE TRIGGER dropcowboy_sends_moved AFTER UPDATE ON dropcowboy_sends
    REFERENCING OLD TABLE AS was_there NEW TABLE AS now_there
    FOR EACH STATEMENT EXECUTE FUNCTION dropcowboy_count_sends()""",
    """
    CREATE TRIGGER dropcowboy_sends_gone AFTER DELETE ON dropcowboy_sends
    REFERENCING OLD TABLE AS was_there FOR EACH STATEMENT EXECUTE FUNCTION dropcowboy_count_sends()""",
)


def _hour_sqlite(row: str = "") -> str:
    # not unixepoch(), which Red Hat's SQLite does not have
    instant = f"coalesce({row}final_at, {row}answered_at, {row}claimed_at)"
    return f"CAST(strftime('%s', {instant}) AS INTEGER) / 3600"


COUNTED_SQLITE = f"""
    SELECT campaign_id, run_id, state, coalesce(reason, ''), {_hour_sqlite()}, 0,
        count(*), coalesce(sum(cost_micros), 0), count(cost_micros)
    FROM dropcowboy_sends GROUP BY 1, 2, 3, 4, 5"""

_IN = f"""
    INSERT INTO dropcowboy_campaign_counts
    VALUES (NEW.campaign_id, NEW.run_id, NEW.state, coalesce(NEW.reason, ''), {_hour_sqlite("NEW.")}, 0,
        1, coalesce(NEW.cost_micros, 0), NEW.cost_micros IS NOT NULL)
    ON CONFLICT ({KEY}, part) DO UPDATE SET
        sends = sends + 1, cost_micros = cost_micros + excluded.cost_micros, costed = costed + excluded.costed;"""
_OUT = f"""
    UPDATE dropcowboy_campaign_counts SET sends = sends - 1,
        cost_micros = cost_micros - coalesce(OLD.cost_micros, 0), costed = costed - (OLD.cost_micros IS NOT NULL)
    WHERE campaign_id = OLD.campaign_id AND run_id = OLD.run_id AND state = OLD.state
        AND reason = coalesce(OLD.reason, '') AND hour = {_hour_sqlite("OLD.")} AND part = 0;"""

# One writer at a time: the counts themselves are changed. One that came down to 0 stays, since it may be needed again.
SQLITE = (
    f"CREATE TRIGGER dropcowboy_sends_claimed AFTER INSERT ON dropcowboy_sends BEGIN {_IN} END",
    f"""
    CREATE TRIGGER dropcowboy_sends_moved AFTER UPDATE OF
        campaign_id, run_id, state, reason, claimed_at, answered_at, final_at, cost_micros ON dropcowboy_sends
    BEGIN {_OUT} {_IN} END""",
    f"CREATE TRIGGER dropcowboy_sends_gone AFTER DELETE ON dropcowboy_sends BEGIN {_OUT} END",
)
