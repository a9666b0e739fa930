"""Tables of the contact lists that are kept equal to a source."""

from typing import Final

import sqlalchemy as sa

from airflow_provider_dropcowboy.ledger.schema import METADATA, Instant, Name

LISTS: Final = sa.Table(
    "dropcowboy_lists",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("account", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),  # what it stands for; a list that is known by its id alone: that id
    sa.Column("list_id", Name, index=True),  # the vendor's; None: nobody knows it, or not yet
    sa.Column("vendor_name", sa.String, nullable=False),  # what it was called last at the vendor
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("is_known", sa.Boolean, nullable=False),  # all that is in it stands in dropcowboy_list_contacts
    sa.Column("counted", sa.Integer, nullable=False),  # what its contact_count must be, by the answers so far
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("freed_at", Instant),  # a person adopted it
)


LIST_CONTACTS: Final = sa.Table(
    "dropcowboy_list_contacts",
    METADATA,
    sa.Column("list", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("key_digest", Name, primary_key=True),
    sa.Column("content_digest", Name, nullable=False),
    sa.Column("content_before", Name),  # what is in the list, while other values are being appended, or were refused
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("append_id", sa.Integer, nullable=False, index=True),
    sa.Column("contact_key", sa.String),  # None once it is accepted: then nobody needs to know who it is
    sa.Column("reason", sa.String),
)


LIST_APPENDS: Final = sa.Table(
    "dropcowboy_list_appends",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("list", sa.Integer, nullable=False, index=True),
    sa.Column("sync_id", sa.Integer, nullable=False),  # that claimed it
    sa.Column("row_count", sa.Integer, nullable=False),
    sa.Column("state", sa.String(10), nullable=False),
    sa.Column("accepted_count", sa.Integer),
    sa.Column("claimed_at", Instant, nullable=False),
    sa.Column("answered_at", Instant),
)


SYNCS: Final = sa.Table(
    "dropcowboy_syncs",
    METADATA,
    sa.Column("id", sa.Integer, primary_key=True),
    sa.Column("account", sa.String, nullable=False),
    sa.Column("name", sa.String, nullable=False),
    sa.Column("mode", sa.String(8), nullable=False),
    sa.Column("dag_id", sa.String),
    sa.Column("task_id", sa.String),
    sa.Column("run_id", sa.String),
    sa.Column("try_number", sa.Integer),
    sa.Column("map_index", sa.Integer),
    sa.Column("worker", sa.String, nullable=False),  # host and process
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("held_until", Instant, nullable=False),  # nobody else touches the list before
    sa.Column("ended_at", Instant),
    sa.Column("step", sa.String, nullable=False),
    sa.Column("counts", sa.JSON, nullable=False),
    sa.Column("end_reason", sa.String),
)

sa.Index("dropcowboy_lists_name", LISTS.c.account, LISTS.c.name)
sa.Index(
    "dropcowboy_lists_current",
    LISTS.c.account,
    LISTS.c.name,
    unique=True,
    sqlite_where=sa.text("state = 'current'"),
    postgresql_where=sa.text("state = 'current'"),
)
sa.Index("dropcowboy_syncs_name", SYNCS.c.account, SYNCS.c.name)
