"""``dropcowboy ledger``: ``info`` and ``upgrade`` are here, what a person tells the ledger is in ``upkeep``."""

import click

from airflow_provider_dropcowboy.cli.options import optional_conn_option
from airflow_provider_dropcowboy.cli.upkeep import adopt, backup, forget, prune, restored


@click.group()
def ledger() -> None:
    """Look at the ledger, copy it, upgrade its tables, delete persons from it, or tell it that it was restored."""


@ledger.command()
@optional_conn_option
def info(*, conn: str | None) -> None:
    """Say where the ledger is, what it knows and what is paused."""
    from airflow_provider_dropcowboy.cli.connection import find_ledger_place
    from airflow_provider_dropcowboy.cli.console import instant, print_pairs
    from airflow_provider_dropcowboy.cli.place import shown
    from airflow_provider_dropcowboy.ledger.database import HEAD, open_ledger
    from airflow_provider_dropcowboy.ledger.facts import read_facts
    from airflow_provider_dropcowboy.ledger.pauses import read_pauses

    place = find_ledger_place(conn)
    opened = open_ledger(place)
    facts, pauses = read_facts(opened), read_pauses(opened)
    print_pairs(
        [
            ("place", shown(place)),
            ("ledger", opened.ledger_id),
            ("schema", HEAD),
            ("began", opened.born_at),
            ("campaigns", facts.campaigns),
            ("sending now", f"{facts.live_runs} runs with {facts.connections} connections"),
            ("restored", facts.restored_at),
            ("all paused", pauses.all_since),
            *(
                ("paused", f"{paused.name} ({paused.channel}, {paused.account}) since {instant(paused.paused_at)}")
                for paused in pauses.campaigns
                if paused.paused_at is not None
            ),
        ]
    )


@ledger.command()
@optional_conn_option
def upgrade(*, conn: str | None) -> None:
    """Bring the ledger's tables to the version that this package needs.

    Creates them if there are none. Stop the senders of an older package first: they refuse the new tables.
    """
    from airflow_provider_dropcowboy.cli.connection import find_ledger_place
    from airflow_provider_dropcowboy.cli.place import shown
    from airflow_provider_dropcowboy.ledger.database import upgrade_ledger

    place = find_ledger_place(conn)
    version = upgrade_ledger(place)
    click.echo(f"The ledger at {shown(place)} has schema {version}.")


for command in (backup, prune, forget, adopt, restored):
    ledger.add_command(command)
