"""``dropcowboy send rvm`` and ``dropcowboy send sms``: options drawn from the arguments, and a file that is sent to."""

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from airflow_provider_dropcowboy.argument_kinds import DURATION, FLAG
from airflow_provider_dropcowboy.arguments import Argument
from airflow_provider_dropcowboy.campaign.channels import RvmArguments, SmsArguments
from airflow_provider_dropcowboy.cli.options import conn_option, json_option
from airflow_provider_dropcowboy.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.campaign.judge import Rows
    from airflow_provider_dropcowboy.campaign.summary import Summary

Function = Callable[..., Any]

NO_OPTIONS: Final = frozenset(
    {
        *("sql", "sql_conn_id", "parameters", "sql_hook_params", "contacts", "path", "suppression_sql"),
        *("suppression_conn_id", "dropcowboy_conn_id", "on_held", "wave_deadline", "max_staleness"),
        *("on_unknown", "resend_after", "suppression_column"),
    }
)
"""Arguments that belong to a task: a file and ``--conn`` stand for its sources, and a person for its schedule."""

_FILE: Final = click.Path(exists=True, dir_okay=False, readable=True, path_type=Path)

_FIRST: Final = click.option(
    "--contacts", required=True, type=_FILE, help="File of contacts: .csv, .jsonl, .ndjson (each also .gz) or .parquet."
)
_LAST: Final = (
    conn_option,
    click.option("--no-cap", is_flag=True, help="Send no matter how often a number was contacted."),
    click.option(
        "--suppression",
        type=_FILE,
        metavar="FILE",
        help="File of numbers not to contact, in any format of --contacts. The ledger's own list always applies.",
    ),
    click.option(
        "--suppression-column",
        multiple=True,
        metavar="COLUMN",
        help="Column of the number in --suppression; repeat it for area code and number.  [default: the only column "
        "that fits]",
    ),
    click.option(
        "--rows-output",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE.jsonl",
        help="With --dry-run: write each row, its state and its reason to this file. It holds phone numbers.",
    ),
    json_option,
)


def _options_of(kind: type[RvmArguments | SmsArguments]) -> Callable[[Function], Function]:
    """An option for each argument, and those of a file, in the order in which the help shows them."""
    drawn = [_option(item) for item in kind.declared() if item.name not in NO_OPTIONS]

    def decorate(function: Function) -> Function:
        options: list[Callable[[Function], Function]] = [_FIRST, *drawn, *_LAST]
        for option in reversed(options):
            function = option(function)
        return function

    return decorate


def _option(item: Argument) -> Callable[[Function], Function]:
    """The option of an argument; its text is read with the others, as a template's is."""
    kind, default = item.kind, item.default
    shown: dict[str, Any] = {"help": _help(item.doc)}
    if kind is FLAG:
        return click.option(option_name(item.name), item.name, is_flag=True, default=default, **shown)
    if isinstance(default, timedelta):
        default = f"{default // timedelta(hours=1)}h" if default % timedelta(days=1) else f"{default.days}d"
    if default is not None:
        shown |= {"default": default, "show_default": True}
    if kind.choices:
        shown["type"] = click.Choice(kind.choices)
    elif kind.span is not None:
        shown["type"] = click.IntRange(*kind.span)
    metavar = f"{kind.metavar}|off" if kind is DURATION and item.may_be_none else kind.metavar
    return click.option(option_name(item.name), required=item.name == "campaign", metavar=metavar, **shown)


def option_name(argument: str) -> str:
    """``--tts-body`` for ``tts_body``."""
    return "--" + argument.replace("_", "-")


def _help(doc: str) -> str:
    """What an argument means, said of its option: nothing of None, which only a DAG can write."""
    doc = re.sub(r" None: [^.]*\.| Default: `{dag_id}.*", "", doc)
    return in_options(doc).replace("`", "")


def in_options(text: str) -> str:
    """A text about arguments, in the words of the command line."""
    return _ARGUMENT.sub(lambda match: option_name(match[0]), text.replace("opt_in=True", "opt_in"))


_NAMES: Final = {item.name for kind in (RvmArguments, SmsArguments) for item in kind.declared()} - NO_OPTIONS
_ARGUMENT: Final = re.compile(
    rf"(?<!default_)\b(?:{'|'.join(name for name in _NAMES if '_' in name)})\b|^(?:{'|'.join(_NAMES)})\b"
)


@click.group()
def send() -> None:
    """Send a voicemail or text to each contact, once.

    Contacts come from a file. Running the same command again sends only what was not sent yet, however the first run
    ended.
    """


@send.command()
@_options_of(RvmArguments)
def rvm(**options: object) -> None:
    """Send a ringless voicemail to each contact, once.

    \b
    Examples:
      dropcowboy send rvm --contacts due.csv --campaign spring --key-column id \\
          --recording-id a0000000-0000-4000-8000-000000000001 --dry-run
      dropcowboy send rvm --contacts due.csv --campaign spring-tts \\
          --voice-id en-1 --tts-body 'Hello {first_name}, your order is here.'
    """
    _send(RvmArguments, options)


@send.command()
@_options_of(SmsArguments)
def sms(**options: object) -> None:
    """Send a text to each contact who opted in, once.

    \b
    Example:
      dropcowboy send sms --contacts due.csv --campaign spring-texts \\
          --caller-id +15045550100 --opt-in-column consented \\
          --sms-body 'Hi {first_name}, your order is here.'
    """
    _send(SmsArguments, options)


def _send(kind: type[RvmArguments | SmsArguments], options: Mapping[str, Any]) -> None:
    """Each contact of the file was sent to, once, and the counts are on stdout, also if some were not."""
    from airflow_provider_dropcowboy.campaign.control import Control
    from airflow_provider_dropcowboy.campaign.preview import preview_campaign
    from airflow_provider_dropcowboy.campaign.run import run_campaign
    from airflow_provider_dropcowboy.cli.connection import check_reached, ledger_url_of, load_hours, load_settings
    from airflow_provider_dropcowboy.cli.runs import (
        rows_written,
        show_summary,
        stopping_on_signals,
        watching_on_terminal,
    )
    from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
    from airflow_provider_dropcowboy.ledger.database import find_ledger, open_ledger
    from airflow_provider_dropcowboy.ledger.runs import Who

    contacts, suppression, rows_output = options["contacts"], options["suppression"], options["rows_output"]
    if rows_output is not None and not options["dry_run"]:
        raise ConfigurationError("--rows-output belongs to --dry-run; `dropcowboy export` gives what was sent.")
    with _in_words_of_options():
        arguments = kind.read(_given(options))
        settings = load_settings(options["conn"])
        hours = load_hours(arguments.calling_hours, channel=kind.channel.value, message_kind=arguments.message_kind)
        plan = arguments.plan(settings, hours=hours, who=Who(task_id=f"dropcowboy send {kind.channel}"))
    url = ledger_url_of(settings)

    def tell(summary: "Summary") -> None:
        if summary.read:
            show_summary(summary, kind.channel, as_json=options["as_json"])

    with ExitStack() as files:
        rows = files.enter_context(_rows_of("--contacts", contacts, columns=plan.source_columns))
        suppressed = None
        if suppression is not None:
            suppressed = SuppressionList(
                files.enter_context(_rows_of("--suppression", suppression, columns=arguments.suppression_column)),
                columns=arguments.suppression_column,
                max_unreadable=arguments.max_unreadable_suppressions,
                region=arguments.region,
                column_argument="--suppression-column",
                limit_argument="--max-unreadable-suppressions",
            )
        if plan.is_dry_run:
            with rows_written(rows_output, plan) as observe:
                summary = preview_campaign(plan, find_ledger(url), rows=rows, suppressed=suppressed, observe=observe)
            show_summary(summary, kind.channel, as_json=options["as_json"])
            return
        check_reached(settings)
        ledger = open_ledger(url, may_create=True)
        control = Control()
        with (
            stopping_on_signals(control),
            watching_on_terminal(plan.campaign, partial(_count_rows, contacts, plan.source_columns)) as watch,
        ):
            run_campaign(plan, ledger, rows=rows, control=control, suppressed=suppressed, tell=tell, watch=watch)


def _given(options: Mapping[str, Any]) -> dict[str, object]:
    """The arguments that the options stand for."""
    given = {name: None if value == "off" and name == "repeat_window" else value for name, value in options.items()}
    given |= {
        "suppression_column": options["suppression_column"] or None,
        "contacts": None,
        "path": str(options["contacts"]),
        "on_held": "leave",
    }
    return given | {"max_attempts": None} if options["no_cap"] else given


@contextmanager
def _in_words_of_options() -> Iterator[None]:
    try:
        yield
    except ConfigurationError as error:
        wrong = in_options(str(error))
        kind = type(error)
    else:
        return
    raise kind(wrong)


@contextmanager
def _rows_of(option: str, path: Path, *, columns: Collection[str] | None) -> "Iterator[Rows]":
    from airflow_provider_dropcowboy.contacts.files import read_rows

    try:
        file = path.open("rb")
    except OSError as error:
        raise ConfigurationError(f"{option}: {path.name} cannot be opened: {error.strerror}.") from None
    # the rows are closed before their file: a Parquet reader that is left suspended may end the process with an abort
    with file, closing(read_rows(file, path.name, columns=columns)) as rows:
        yield rows


def _count_rows(path: Path, columns: Collection[str]) -> int | None:
    """By reading the file once more, which takes seconds where sending takes an hour; None: it is a pipe."""
    if not path.is_file():  # what is counted would be gone
        return None
    with _rows_of("--contacts", path, columns=columns) as rows:
        return sum(1 for _ in rows)
