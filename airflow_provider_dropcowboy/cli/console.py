"""How answers and logs look: tables or JSON on stdout, everything else on stderr."""

import json
import logging
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING

import click

from airflow_provider_dropcowboy.cli.failures import PACKAGE

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.ledger.campaigns import Campaign

Cell = str | int | bool | datetime | None


def log_to_stderr(*, is_debug: bool) -> None:
    """The package's log goes to stderr, and to nothing that Airflow sets up."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S"))
    log = logging.getLogger(PACKAGE)
    log.handlers = [handler]
    log.propagate = False
    log.setLevel(logging.DEBUG if is_debug else logging.INFO)


def print_json(value: Mapping[str, object] | Sequence[Mapping[str, object]]) -> None:
    """The answer as JSON, alone on stdout."""
    click.echo(json.dumps(value, indent=2, default=_json_text, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[Cell]], *, title: str | None = None) -> None:
    """The answer as a table.

    The first column is never wrapped: it holds the id that is copied. Numbers stand to the right.
    """
    from rich import box  # the help of a command needs no tables
    from rich.console import Console
    from rich.table import Table

    if title is not None:  # of its own width: a table's title is wrapped to the table's
        click.echo(_shown(title))
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    rows = list(rows)
    for index, name in enumerate(columns):
        is_number = bool(rows) and all(type(row[index]) in {int, type(None)} for row in rows)
        table.add_column(name, no_wrap=index == 0, overflow="fold", justify="right" if is_number else "left")
    for row in rows:
        table.add_row(*map(_cell, row))
    # no markup: a name such as "[red]" is a name
    Console(markup=False, highlight=False, emoji=False).print(table)


def print_pairs(pairs: Iterable[tuple[str, Cell]]) -> None:
    """Names and values, one pair a line; a name without a value is left out."""
    pairs = [(name, value) for name, value in pairs if value is not None]
    width = max((len(name) for name, _value in pairs), default=0)
    for name, value in pairs:
        click.echo(f"{name:{width}}  {_cell(value)}")


def instant(at: datetime) -> str:
    """An instant for people."""
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def campaign_label(campaign: "Campaign") -> str:
    """A campaign for people, apart from another of its name."""
    return f"{campaign.name} ({campaign.channel}, account {campaign.account})"


def _cell(value: Cell) -> str:
    match value:
        case None:
            return "-"
        case bool():
            return "yes" if value else "no"
        case datetime():
            return instant(value)
        case _:
            return _shown(str(value))


def _shown(text: str) -> str:
    """Without control characters: names come from outside, and could steer the terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _json_text(value: object) -> str:
    if isinstance(value, datetime):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form here")
