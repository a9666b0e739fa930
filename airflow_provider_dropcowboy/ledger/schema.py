"""Tables of the ledger. They live beside a user's own tables, so every name begins with ``dropcowboy_``."""

from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.states import State, sources_of

VERSION_TABLE: Final = "dropcowboy_alembic_version"

METADATA: Final = sa.MetaData()
"""Of all tables of the ledger; those of contact lists are beside what reads and writes them."""


class Instant(sa.types.TypeDecorator[datetime]):
    """An aware instant; SQLite, which has no time zones, stores it as UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """UTC on the way in; a naive value is a mistake of the caller."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("an instant without time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: sa.Dialect) -> datetime | None:  # noqa: ARG002
        """Aware on the way out."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Name(sa.types.TypeDecorator[str]):
    """Text compared byte by byte on every database: ids and digests, for which a locale's order only costs time."""

    impl = sa.String
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[str]:
        """PostgreSQL orders by the locale unless the query says otherwise."""
        return dialect.type_descriptor(sa.String(collation="C" if dialect.name == "postgresql" else None))


LEDGER: Final = sa.Table(
    "dropcowboy_ledger",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),  # always 1
    sa.Column("ledger_id", Name, nullable=False),
    sa.Column("key_hex", Name, nullable=False),  # never rotated: every foreign_id and digest is made with it
    sa.Column("born_at", Instant, nullable=False),
    sa.Column("timeline", Name),  # PostgreSQL: system identifier and timeline, where they can be read
    sa.Column("restored_at", Instant),  # watermark: what began before it sends nothing until a person adopts it
    sa.Column("paused_at", Instant),
)

CAMPAIGNS: Final = sa.Table(
    "dropcowboy_campaigns",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("account", sa.String, nullable=False),  # team id @ host, or the name that the connection gives it
    sa.Column("name", sa.String, nullable=False),
    sa.Column("channel", sa.String(8), nullable=False),
    sa.Column("prefix", Name, nullable=False, unique=True),  # how the foreign_ids of the campaign begin
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("paused_at", Instant),
    sa.Column("taken", sa.Integer, nullable=False, server_default="0"),  # sends that the vendor took, or may have
    sa.Column("price_micros", sa.BigInteger),  # of one send, as its last run said
    sa.Column("extra_micros", sa.BigInteger, nullable=False, server_default="0"),  # what callbacks cost beyond it
    sa.Column("freed_at", Instant),  # a person adopted it
    sa.Column("digest_account", sa.String),  # how its foreign_ids spell the account; None: as ``account`` does
    sa.Column("merged_into", sa.Integer),  # the campaign that goes on with this one: one account, in two spellings
    sa.UniqueConstraint("account", "name", "channel", name="dropcowboy_campaigns_name"),
)

RUNS: Final = sa.Table(
    "dropcowboy_runs",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("campaign_id", sa.Integer, nullable=False, index=True),
    sa.Column("account", sa.String, nullable=False),
    sa.Column("dag_id", sa.String),
    sa.Column("task_id", sa.String),
    sa.Column("run_id", sa.String),
    sa.Column("try_number", sa.Integer),
    sa.Column("map_index", sa.Integer),
    sa.Column("worker", sa.String, nullable=False),  # host and process
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("heartbeat_at", Instant, nullable=False),
    sa.Column("ended_at", Instant, index=True),
    sa.Column("wanted", sa.Integer, nullable=False),  # connections it could use
    sa.Column("connections", sa.Integer, nullable=False),  # of the account's limit
    sa.Column("counts", sa.JSON, nullable=False),
    sa.Column("stop_reason", sa.String),
    sa.Column("next_opening_at", Instant),  # the first moment at which a row that it held may be called
    sa.Column("verdicts", sa.JSON),  # why rows were not sent: reasons, with rules and their version, and their counts
    sa.Column("unreadable_suppressions", sa.Integer),  # entries of its suppression list; None: it named no list
    sa.Column("gets_results", sa.Boolean),  # callbacks can arrive: it has a callback URL, or the account's webhook
    sa.Column("budget_micros", sa.BigInteger),  # of the campaign, as this run was given it
    sa.Column("waits", sa.Boolean),  # another wave follows by itself at next_opening_at
    sa.Column("openings", sa.JSON),  # rows that it held, by the instant of their opening and by their places
    sa.Column("error", sa.Text),  # with which it failed, in our own words
)

TASKS: Final = sa.Table(
    "dropcowboy_tasks",
    METADATA,
    # how a task instance ended that has no run of its own to tell it: skipped, failed before its run, or waiting
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("dag_id", sa.String, nullable=False),
    sa.Column("run_id", sa.String, nullable=False),
    sa.Column("task_id", sa.String, nullable=False),
    sa.Column("map_index", sa.Integer, nullable=False),  # -1: not mapped
    sa.Column("noted_at", Instant, nullable=False),
    sa.Column("state", sa.String(8), nullable=False),
    sa.Column("message", sa.Text),
    sa.Column("account", sa.String),
    sa.Column("campaign", sa.String),  # that it waits for
    sa.Column("min_final_share", sa.Float),  # at which it stops waiting
    sa.UniqueConstraint("dag_id", "run_id", "task_id", "map_index", name="dropcowboy_tasks_instance"),
)

sa.Index("dropcowboy_runs_task", RUNS.c.dag_id, RUNS.c.task_id, RUNS.c.id)

SENDS: Final = sa.Table(
    "dropcowboy_sends",
    METADATA,
    # begins with the campaign's prefix: a campaign's rows lie together, and so do the index pages it touches
    sa.Column("foreign_id", Name, primary_key=True),
    sa.Column("campaign_id", sa.Integer, nullable=False),
    sa.Column("contact_key", sa.String),
    sa.Column("phone_number", sa.String),
    sa.Column("number_digest", Name, nullable=False),
    sa.Column("owns_number", sa.Boolean, nullable=False),  # the one message of its campaign to its number
    sa.Column("content_digest", Name, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("reason", sa.String),
    sa.Column("attempt", sa.Integer, nullable=False),
    sa.Column("claim_id", Name, nullable=False),  # of the committed batch
    sa.Column("run_id", sa.Integer, nullable=False),  # the run that claimed it last
    sa.Column("claimed_at", Instant, nullable=False),
    sa.Column("claimed_day", sa.Integer, nullable=False),  # of claimed_at, since 1970: begins the index of attempts
    sa.Column("answered_at", Instant),
    sa.Column("final_at", Instant),
    sa.Column("resent_at", Instant),  # sent again while in doubt, which happens at most once
    sa.Column("drop_id", sa.String),
    sa.Column("cost_micros", sa.BigInteger),  # millionths of a US dollar: exact on every database
    sa.Column("network", sa.String),
    sa.Column("key_generation", sa.Integer),  # of the idempotency key; rises with each new one, and never falls
    sa.Column("keyed_at", Instant),  # claimed under it for the first time; None: the last request had no key
    sa.Column("request_digest", sa.String),  # of what all requests of its run have in common
    sa.Column("rule", sa.String),  # by which it was screened: calling hours, and the version of their file
)

sa.Index(
    "dropcowboy_sends_number",
    SENDS.c.campaign_id,
    SENDS.c.number_digest,
    unique=True,
    # each as its database's queries spell it, else the index is not used
    sqlite_where=sa.text("owns_number = 1"),
    postgresql_where=sa.text("owns_number"),
)

# begins with the day, so that counting attempts of the last days touches a part of it that is warm
sa.Index("dropcowboy_sends_attempts", SENDS.c.claimed_day, SENDS.c.number_digest)


def may_become(target: State) -> sa.ColumnElement[bool]:
    """Whether a send's state may become ``target``: part of the WHERE of each UPDATE of a state."""
    return SENDS.c.state.in_([sa.literal_column(f"'{source.value}'") for source in sorted(sources_of(target))])


COUNTS: Final = sa.Table(
    "dropcowboy_campaign_counts",
    METADATA,
    # kept by triggers on dropcowboy_sends, of which each row is counted here once: see migration 0005
    sa.Column("campaign_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("run_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("state", Name, primary_key=True),
    sa.Column("reason", Name, primary_key=True),  # empty: none
    sa.Column("hour", sa.Integer, primary_key=True, autoincrement=False),  # in which it came there, since 1970
    # PostgreSQL appends what each statement changed, so that no two writers wait for one row; a reader adds it up
    sa.Column("part", sa.BigInteger, sa.Identity(), primary_key=True),
    sa.Column("sends", sa.Integer, nullable=False),
    sa.Column("cost_micros", sa.BigInteger, nullable=False),
    sa.Column("costed", sa.Integer, nullable=False),  # sends of which the cost is known
    sqlite_with_rowid=False,
)

HISTORY: Final = sa.Table(
    "dropcowboy_history",
    METADATA,
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

CALLBACKS: Final = sa.Table(
    "dropcowboy_callbacks",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("received_at", Instant, nullable=False),
    sa.Column("foreign_id", Name, index=True),
    sa.Column("attempt", sa.Integer),
    sa.Column("is_verified", sa.Boolean, nullable=False),  # its URL bore a token of ours
    sa.Column("status", sa.String(10)),
    sa.Column("match", sa.String(10), nullable=False),  # applied, repeated, conflict, unmatched, unreadable
    sa.Column("payload", sa.Text),  # as it came; a person's number is in it
)

PROVES_A_SEND: Final = sa.and_(
    # of a send that this ledger does not know: the row of a known send says more
    CALLBACKS.c.is_verified,
    # literal, since SQLite uses the index only for a condition that is spelled like the index's own
    sa.text("\"match\" IN ('unmatched', 'unreadable')"),
)
sa.Index(
    "dropcowboy_callbacks_lost",
    CALLBACKS.c.foreign_id,
    sqlite_where=sa.text("is_verified = 1 AND \"match\" IN ('unmatched', 'unreadable')"),
    postgresql_where=sa.text("is_verified AND \"match\" IN ('unmatched', 'unreadable')"),
)

SUPPRESSIONS: Final = sa.Table(
    "dropcowboy_suppressions",
    METADATA,
    sa.Column("number_digest", Name, primary_key=True),
    sa.Column("phone_number", sa.String),  # None: forgotten at the person's request, and suppressed all the same
    sa.Column("added_at", Instant, nullable=False),
    sa.Column("source", sa.String, nullable=False),  # callback, or who added it
    sa.Column("reason", sa.String),
)

EVENTS: Final = sa.Table(
    "dropcowboy_events",
    METADATA,  # of signed webhooks, of the last days
    sa.Column("event_id", Name, primary_key=True),
    sa.Column("received_at", Instant, nullable=False, index=True),
)

WEBHOOKS: Final = sa.Table(
    "dropcowboy_webhooks",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("account", sa.String, nullable=False),
    sa.Column("webhook_id", Name, nullable=False, index=True),
    sa.Column("secret", sa.String, nullable=False),  # signs its events; sealed, see ledger/webhooks.py
    sa.Column("rotated_at", Instant),  # another one signs since; None: this one does
)

NOT_SENT: Final = sa.Table(
    "dropcowboy_not_sent",
    METADATA,
    # rows that runs read and did not send, with the last verdict of each; a row that was sent since may still be here
    sa.Column("name", Name, primary_key=True),  # begins with the campaign's prefix
    sa.Column("foreign_id", Name),  # of its message; None: it makes none of its own
    sa.Column("run_id", sa.Integer, nullable=False),  # the run that judged it last
    sa.Column("contact_key", sa.String),  # None also if it is the number
    sa.Column("number_digest", Name),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("reason", sa.String, nullable=False),
    sa.Column("rule", sa.String),
    sa.Column("opens_at", Instant),
)

HELD: Final = sa.Table(
    "dropcowboy_held",
    METADATA,
    # the first run of the waves that wait: each mapped task, and each try, has waves of its own
    sa.Column("first_run_id", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("foreign_id", Name, primary_key=True),
)
