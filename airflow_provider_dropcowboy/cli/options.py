"""Options that several commands have, worded once."""

from typing import Final

import click

DEFAULT_CONN: Final = "dropcowboy_default"

conn_option: Final = click.option(
    "--conn",
    default=DEFAULT_CONN,
    show_default=True,
    metavar="ID|env:NAME",
    help="Airflow connection, or the environment variable that holds one as URI or JSON.",
)

optional_conn_option: Final = click.option(
    "--conn",
    metavar="ID|env:NAME",
    help=f"Airflow connection whose ledger is meant.  [default: that of {DEFAULT_CONN}, else Airflow's setting or "
    "DROPCOWBOY_LEDGER_URL]",
)

json_option: Final = click.option("--json", "as_json", is_flag=True, help="The answer as JSON, alone on stdout.")
