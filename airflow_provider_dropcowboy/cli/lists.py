"""``dropcowboy list``: contact lists, synced with a file, and what a person does to them."""

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Final

import click

from airflow_provider_dropcowboy.cli import connection, console, options
from airflow_provider_dropcowboy.lists.arguments import LIKE, ListArguments

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.api.lists import ContactList
    from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
    from airflow_provider_dropcowboy.lists.upkeep import ListView, Upkeep
    from airflow_provider_dropcowboy.lists.wanted import ListSummary

_OPTIONS: Final = options.DrawnOptions(
    ListArguments,
    without={"fields"},
    also={"fields has": "--field has", LIKE: "Write --field phone=COLUMN."},
)


@click.group("list")
def lists() -> None:
    """Sync, show and manage contact lists.

    Drop Cowboy can neither say what a list holds, nor change or remove a contact in it. The ledger knows what was
    appended, so a sync that is run again appends nobody twice.
    """


@lists.command()
@_OPTIONS.of(
    ListArguments,
    click.option(
        "--field",
        "fields",
        multiple=True,
        required=True,
        metavar="FIELD=COLUMN",
        help="Vendor field and the column that fills it, such as phone=mobile. Repeatable, also for one field.",
    ),
)
def sync(**given: Any) -> None:
    """Sync a list with a file of contacts.

    \b
    Example:
      dropcowboy list sync --list-name leads --mode mirror --contacts leads.csv \\
          --key-column id --field record_id=id --field phone=mobile
    """
    from airflow_provider_dropcowboy.ledger.database import open_ledger
    from airflow_provider_dropcowboy.ledger.runs import Who
    from airflow_provider_dropcowboy.lists.sync import sync_list
    from airflow_provider_dropcowboy.lists.vendor import Stop

    path = given["contacts"]
    read = given | {
        "contacts": None,
        "path": str(path),
        "fields": _mapping(given["fields"]),
        "suppression_column": given["suppression_column"] or None,
    }
    stop = Stop()
    with _OPTIONS.words(), ExitStack() as files, console.stopping_on_signals(stop.order):
        arguments = ListArguments.read(read)
        settings = connection.load_settings(given["conn"])
        rows = files.enter_context(options.rows_of("--contacts", path, columns=arguments.source_columns))
        summary = sync_list(
            arguments,
            settings,
            open_ledger(connection.ledger_url_of(settings), may_create=True),
            rows=rows,
            suppressed=options.open_suppression(files, given["suppression"], arguments),
            stop=stop,
            who=Who(task_id="dropcowboy list sync"),
        )
    if given["as_json"]:
        console.print_json(summary.as_dict())
    else:
        _print_summary(summary)


@lists.command()
@click.argument("name")
@click.argument("list_id", metavar="ID")
@options.conn
def adopt(*, name: str, list_id: str, conn: str) -> None:
    """Register an existing Drop Cowboy list.

    NAME is its name at Drop Cowboy. Its contents cannot be read. So the first mirror rebuilds it, and append mode
    appends every row.
    """
    upkeep, _settings = _open(conn, may_create=True)
    upkeep.adopt(name, list_id)
    click.echo(f"Adopted: {name!r} is contact list {list_id}.")


@lists.command()
@click.argument("name")
@options.conn
@options.as_json
def show(*, name: str, conn: str, as_json: bool) -> None:
    """Show a list and its last syncs.

    How many contacts are in it, and who was refused or is in doubt.
    """
    from airflow_provider_dropcowboy.api.versions import vendor_of
    from airflow_provider_dropcowboy.errors import RejectedError

    upkeep, settings = _open(conn)
    view = upkeep.view(name)
    try:
        found = connection.fetch(settings, vendor_of(settings.account).get_list(view.current.vendor_id))
    except RejectedError:
        found = None
    if as_json:
        console.print_json(_as_dict(view, found))
    else:
        _print_view(view, found)


@lists.command()
@click.argument("name")
@click.argument("new_name")
@options.conn
def rename(*, name: str, new_name: str, conn: str) -> None:
    """Rename a list at Drop Cowboy and in the ledger.

    Change the tasks that name it as well.
    """
    upkeep, _settings = _open(conn)
    upkeep.rename(name, new_name)
    click.echo(f"Renamed: {name!r} is {new_name!r}.")


@lists.command()
@click.argument("name")
@click.option("--yes", is_flag=True, help="Do not ask for confirmation.")
@options.conn
def delete(*, name: str, yes: bool, conn: str) -> None:
    """Delete a list at Drop Cowboy for good.

    The ledger forgets who was in it. This cannot be undone.
    """
    upkeep, _settings = _open(conn)
    if not yes:
        click.confirm(f"Delete contact list {name!r} at Drop Cowboy, for good?", abort=True, err=True)
    for list_id in upkeep.delete(name):
        click.echo(f"Deleted: contact list {list_id}.")


@lists.command()
@click.argument("name")
@click.option("--inside/--not-inside", required=True, default=None, help="Whether they are in the list at Drop Cowboy.")
@options.conn
def settle(*, name: str, inside: bool, conn: str) -> None:
    """Settle the contacts of a list that are in doubt.

    Look at Drop Cowboy's own pages first. Contacts that are not in the list are appended by the next sync.
    """
    upkeep, _settings = _open(conn)
    count = upkeep.settle(name, is_inside=inside)
    click.echo(f"Settled: {count} contacts are {'' if inside else 'not '}in {name!r}.")


def _open(conn: str, *, may_create: bool = False) -> "tuple[Upkeep, ConnectionSettings]":
    from airflow_provider_dropcowboy.ledger.database import open_ledger
    from airflow_provider_dropcowboy.lists.upkeep import Upkeep

    settings = connection.load_settings(conn)
    ledger = open_ledger(connection.ledger_url_of(settings), may_create=may_create)
    return Upkeep(settings=settings, ledger=ledger), settings


def _mapping(fields: tuple[str, ...]) -> dict[str, list[str]]:
    mapping: dict[str, list[str]] = {}
    for written in fields:
        name, _, column = written.partition("=")
        if not name or not column:
            raise click.BadParameter(f"{written!r} is not FIELD=COLUMN, such as phone=mobile.", param_hint="--field")
        mapping.setdefault(name, []).append(column)
    return mapping


def _print_summary(summary: "ListSummary") -> None:
    console.print_pairs(
        [
            ("list", f"{summary.list_name} ({summary.list_id})"),
            *summary.counts().items(),
            ("rebuilt", summary.is_rebuilt),
            *(("left over", name) for name in summary.left_over),
            ("took", f"{summary.seconds:.1f} s"),
        ]
    )


def _as_dict(view: "ListView", found: "ContactList | None") -> dict[str, object]:
    return {
        "list_name": view.current.name,
        "list_id": view.current.list_id,
        "contact_count": None if found is None else found.contact_count,
        "counted": view.current.counted,
        "is_known": view.current.is_known,
        "counts": {state.value: count for state, count in view.counts.items()},
        "odd": [{"contact_key": odd.contact_key, "state": odd.state, "reason": odd.reason} for odd in view.odd],
        "left_over": list(view.left_over),
    }


def _print_view(view: "ListView", found: "ContactList | None") -> None:
    current = view.current
    console.print_pairs(
        [
            ("list", f"{current.name} ({current.list_id})"),
            ("at Drop Cowboy", "no such list any more" if found is None else f"{found.contact_count} contacts"),
            ("by the answers", f"{current.counted} contacts"),
            ("all of it known", current.is_known),
            *((f"  {state}", count) for state, count in view.counts.items()),
            *(("may be left over", name) for name in view.left_over),
        ]
    )
    if view.odd:
        console.print_table(
            ["contact key", "state", "why"], [(odd.contact_key, odd.state.value, odd.reason) for odd in view.odd]
        )
    console.print_table(
        ["started", "mode", "ended", "at", "why it ended early"],
        [(past.started_at, past.mode, past.ended_at, past.step, past.end_reason) for past in view.syncs],
    )
