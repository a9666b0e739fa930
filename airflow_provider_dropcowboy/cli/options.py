"""Options that several commands have, worded once."""

from typing import Final

import click

from airflow_provider_dropcowboy.contacts.suppression import allowance_of

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


def read_allowance(_ctx: click.Context, _param: click.Parameter, value: str) -> float:
    """``10`` is a number of entries, an int; ``0.001`` and ``0.1%`` are a share of them, a float."""
    allowed = allowance_of(value)
    if allowed is None:
        raise click.BadParameter(f"{value!r} is neither a number of entries (10) nor a share of them (0.1%).")
    return allowed


json_option: Final = click.option("--json", "as_json", is_flag=True, help="The answer as JSON, alone on stdout.")
