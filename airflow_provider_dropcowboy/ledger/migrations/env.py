"""Run by Alembic: migrates the database behind the connection that ``ledger.database`` hands in."""

from alembic import context

from airflow_provider_dropcowboy.ledger.list_contacts import LIST_CONTACTS
from airflow_provider_dropcowboy.ledger.schema import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=LIST_CONTACTS.metadata,  # of all tables, those of lists and syncs too
    version_table=VERSION_TABLE,
    include_name=lambda name, kind, _parents: kind != "table" or str(name).startswith("dropcowboy_"),
    transactional_ddl=True,
)
context.run_migrations()
