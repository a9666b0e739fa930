"""``dropcowboy send rvm`` and ``dropcowboy send sms``: options drawn from the arguments, and a file that is sent to."""

import json
import logging
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from airflow_provider_dropcowboy.campaign.channels import RvmArguments, SmsArguments
from airflow_provider_dropcowboy.cli import connection, console, options
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.states import State

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.api.content import Channel
    from airflow_provider_dropcowboy.campaign.forecast import Forecast, JudgedRow
    from airflow_provider_dropcowboy.campaign.heartbeat import Standing, Watch
    from airflow_provider_dropcowboy.campaign.plan import Plan
    from airflow_provider_dropcowboy.campaign.preview import Observer
    from airflow_provider_dropcowboy.campaign.summary import Summary

_OPTIONS: Final = options.DrawnOptions(
    RvmArguments,
    SmsArguments,
    # for which a person's schedule stands
    without={"on_held", "wave_deadline", "max_staleness", "on_unknown", "resend_after"},
)
_OTHERS: Final = (
    click.option("--no-cap", is_flag=True, help="Send no matter how often a number was contacted."),
    click.option(
        "--rows-output",
        type=click.Path(dir_okay=False, path_type=Path),
        metavar="FILE.jsonl",
        help="With --dry-run: write each row, its state and its reason to this file. It holds phone numbers.",
    ),
)


@click.group()
def send() -> None:
    """Send a voicemail or text to each contact, once.

    Contacts come from a file. Running the same command again sends only what was not sent yet, however the first run
    ended.
    """


@send.command()
@_OPTIONS.of(RvmArguments, *_OTHERS)
def rvm(**given: object) -> None:
    """Send a ringless voicemail to each contact, once.

    \b
    Examples:
      dropcowboy send rvm --contacts due.csv --campaign spring --key-column id \\
          --recording-id a0000000-0000-4000-8000-000000000001 --dry-run
      dropcowboy send rvm --contacts due.csv --campaign spring-tts \\
          --voice-id en-1 --tts-body 'Hello {first_name}, your order is here.'
    """
    _send(RvmArguments, given)


@send.command()
@_OPTIONS.of(SmsArguments, *_OTHERS)
def sms(**given: object) -> None:
    """Send a text to each contact who opted in, once.

    \b
    Example:
      dropcowboy send sms --contacts due.csv --campaign spring-texts \\
          --caller-id +15045550100 --opt-in-column consented \\
          --sms-body 'Hi {first_name}, your order is here.'
    """
    _send(SmsArguments, given)


def _send(kind: type[RvmArguments | SmsArguments], given: Mapping[str, Any]) -> None:
    """Each contact of the file was sent to, once, and the counts are on stdout, also if some were not."""
    from airflow_provider_dropcowboy.campaign.control import Control, Order
    from airflow_provider_dropcowboy.campaign.plan import GRACE_S
    from airflow_provider_dropcowboy.campaign.preview import preview_campaign
    from airflow_provider_dropcowboy.campaign.run import run_campaign
    from airflow_provider_dropcowboy.ledger.database import find_ledger, open_ledger
    from airflow_provider_dropcowboy.ledger.runs import Who

    channel = kind.channel
    contacts, suppression, rows_output = given["contacts"], given["suppression"], given["rows_output"]
    if rows_output is not None and not given["dry_run"]:
        raise ConfigurationError("--rows-output belongs to --dry-run; `dropcowboy export` gives what was sent.")
    with _OPTIONS.words():
        arguments = kind.read(_arguments(given))
        settings = connection.load_settings(given["conn"])
        hours = connection.load_hours(arguments.calling_hours, channel=channel, message_kind=arguments.message_kind)
        plan = arguments.plan(settings, hours=hours, who=Who(task_id=f"dropcowboy send {channel}"))
    url = connection.ledger_url_of(settings)

    def tell(summary: "Summary") -> None:
        if summary.read or given["as_json"]:
            _show_summary(summary, channel, as_json=given["as_json"])

    with ExitStack() as files:
        rows = files.enter_context(options.rows_of("--contacts", contacts, columns=plan.source_columns))
        suppressed = options.open_suppression(files, suppression, arguments)
        if plan.is_dry_run:
            with _rows_written(rows_output, plan) as observe:
                summary = preview_campaign(plan, find_ledger(url), rows=rows, suppressed=suppressed, observe=observe)
            _show_summary(summary, channel, as_json=given["as_json"])
            return
        connection.check_reached(settings)
        ledger = open_ledger(url, may_create=True)
        control = Control()
        with (
            console.stopping_on_signals(lambda reason: control.stop(Order(reason, grace_s=GRACE_S))),
            _watching_on_terminal(plan, contacts) as watch,
        ):
            run_campaign(plan, ledger, rows=rows, control=control, suppressed=suppressed, tell=tell, watch=watch)


def _arguments(given: Mapping[str, Any]) -> dict[str, object]:
    """The arguments that the options stand for."""
    return {
        **given,
        "repeat_window": None if given["repeat_window"] == "off" else given["repeat_window"],
        "max_attempts": None if given["no_cap"] else given["max_attempts"],
        "suppression_column": given["suppression_column"] or None,
        "contacts": None,
        "path": str(given["contacts"]),
        "on_held": "leave",
    }


@contextmanager
def _watching_on_terminal(plan: "Plan", path: Path) -> "Iterator[Watch | None]":
    """What a run is to tell where it stands; None: stderr is no terminal, and the log's lines must do."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich import progress
    from rich.console import Console

    bar = progress.Progress(
        progress.TextColumn("{task.description}", markup=False),
        progress.BarColumn(),
        progress.MofNCompleteColumn(),
        progress.TextColumn("{task.fields[counts]}", markup=False),
        progress.TimeElapsedColumn(),
        progress.TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    handlers = [
        handler for handler in logging.getLogger(console.PACKAGE).handlers if isinstance(handler, logging.StreamHandler)
    ]
    total = None
    if path.is_file():  # a pipe's rows would be gone; counting takes seconds where sending takes an hour
        with options.rows_of("--contacts", path, columns=plan.source_columns) as rows:
            total = sum(1 for _ in rows)  # before the bar: the file may have a fault
    with bar:
        task = bar.add_task(plan.campaign, total=total, counts="")

        def watch(standing: "Standing") -> None:
            counts = f"{standing.asked} sent, {standing.rate_per_s:.0f}/s, {standing.in_flight} in flight"
            if standing.retrying:
                counts += f", {standing.retrying} not accepted, will be sent again"
            bar.update(task, completed=standing.read, counts=counts)

        streams = [handler.setStream(sys.stderr) for handler in handlers]  # rich's, which writes above the bar
        try:
            yield watch
        finally:
            for handler, stream in zip(handlers, streams, strict=True):
                if stream is not None:
                    handler.setStream(stream)


@contextmanager
def _rows_written(path: Path | None, plan: "Plan") -> "Iterator[Observer | None]":
    """Whoever calls the observer writes a line of JSON; None without a file.

    The file holds numbers in full, so a new one is readable by its owner alone.

    :raises ConfigurationError: the file cannot be written.
    """
    if path is None:
        yield None
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    except OSError as error:
        raise ConfigurationError(f"--rows-output: {path.name} cannot be written: {error.strerror}.") from None
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:

        def write(row: "JudgedRow") -> None:
            line = {
                "campaign": plan.campaign,
                "channel": plan.channel.value,
                "contact_key": row.contact_key,
                "phone_number": None if row.phone is None else row.phone.e164,
                "foreign_id": row.foreign_id,
                "state": row.state.value,
                "reason": row.reason,
                "rule": row.rule,
                "opens_at": None if row.opens_at is None else row.opens_at.isoformat(),
            }
            file.write(json.dumps(line, ensure_ascii=False) + "\n")

        yield write


def _show_summary(summary: "Summary", channel: "Channel", *, as_json: bool) -> None:
    """The counts are on stdout; of a dry run with what it foresees."""
    if as_json:
        console.print_json(summary.as_dict())
        return
    console.print_table(
        [channel.value, "rows", "why"],
        [
            ("read", summary.read, ""),
            *((f"  {state}", count, summary.reasons_of(state)) for state, count in summary.counts.items()),
        ],
        title=f"campaign {summary.campaign}" + (" (dry run: nothing was sent)" if summary.forecast else ""),
    )
    if summary.forecast is not None:
        _show_forecast(summary.forecast, channel)
        return
    console.print_pairs(
        [
            ("sent now", summary.asked),
            ("sent before", summary.already),
            ("took", f"{summary.seconds:.1f} s, {summary.rate_per_s:.0f}/s"),
        ]
    )


def _show_forecast(forecast: "Forecast", channel: "Channel") -> None:
    from airflow_provider_dropcowboy.campaign.forecast import ASSUMED_ANSWER_S

    cost = f"about {forecast.cost_usd:.2f} US dollars" if forecast.cost_usd is not None else None
    click.echo()
    console.print_pairs(
        [
            ("would send", forecast.sends),
            ("cost", cost or f"not known: the connection has no price_{channel}_usd"),
            ("first", forecast.begins_at),
            ("last", forecast.ends_at),
            ("estimated", f"{forecast.rate_per_s:.0f} requests a second, {ASSUMED_ANSWER_S:g} s each"),
        ]
    )
    if forecast.left:
        click.echo()
        console.print_table(
            ["hours open", "rows"],
            forecast.left.items(),
            title="held until their calling hours; the same command takes them then",
        )
    for name, places in (("state", forecast.regions), ("time zone", forecast.zones)):
        states = [state for state in State if any(state in counts for counts in places.values())]
        rows: list[list[console.Cell]] = [
            [place, *(counts.get(state, 0) for state in states)] for place, counts in places.items()
        ]
        if rows:
            click.echo()
            console.print_table([name, *(state.value for state in states)], rows)
