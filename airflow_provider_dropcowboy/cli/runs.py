"""A run at a terminal: its bar while it goes on, what stops it, and what it came to."""

import json
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from types import FrameType
from typing import Final

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from airflow_provider_dropcowboy.api.content import Channel
from airflow_provider_dropcowboy.campaign.forecast import ASSUMED_ANSWER_S, ByPlace, Forecast, JudgedRow
from airflow_provider_dropcowboy.campaign.heartbeat import Standing, Watch
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.campaign.preview import Observer
from airflow_provider_dropcowboy.campaign.summary import Summary
from airflow_provider_dropcowboy.cli.console import Cell, print_json, print_pairs, print_table
from airflow_provider_dropcowboy.cli.failures import PACKAGE
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.states import State

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def _catch_signals(handler: Callable[[int, FrameType | None], None]) -> Callable[[], None]:
    """Call ``handler`` for each signal that asks a command to end. SIGHUP stays ignored under ``nohup``.

    :returns: what puts the former handlers back.
    """
    wanted = [
        number for number in _SIGNALS if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN
    ]
    before = {number: signal.signal(number, handler) for number in wanted}

    def put_back() -> None:
        for number, former in before.items():
            signal.signal(number, former)

    return put_back


@contextmanager
def stopping_on_signals(stop: Callable[[str], object]) -> Iterator[None]:
    """Within the block, each of these signals stops the run; a second one changes nothing: the run ends in seconds.

    :param stop: called with the reason.
    """
    # A handler runs in the main thread, in the middle of anything: also while that holds a lock which stopping needs.
    # Putting into a SimpleQueue is safe there; a thread of its own does the rest.
    came: SimpleQueue[int | None] = SimpleQueue()

    def obey() -> None:
        while (number := came.get()) is not None:
            stop(f"{signal.Signals(number).name} came")

    def take(number: int, _frame: FrameType | None) -> None:
        came.put(number)

    obeying = Thread(target=obey, name="dropcowboy-signals", daemon=True)
    obeying.start()
    put_back = _catch_signals(take)
    try:
        yield
    finally:
        put_back()
        came.put(None)
        obeying.join()


@contextmanager
def watching_on_terminal(campaign: str, count_rows: Callable[[], int | None]) -> Iterator[Watch | None]:
    """What a run is to tell where it stands; None: stderr is no terminal, and the log's lines must do.

    :param count_rows: of the source, where there is a terminal; None: it is not known.
    """
    if not sys.stderr.isatty():
        yield None
        return
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[counts]}", markup=False),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    )
    handlers = [
        handler for handler in logging.getLogger(PACKAGE).handlers if isinstance(handler, logging.StreamHandler)
    ]
    total = count_rows()  # before the bar: the file may have a fault
    with bar:
        task = bar.add_task(campaign, total=total, counts="")

        def watch(standing: Standing) -> None:
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
def rows_written(path: Path | None, plan: Plan) -> Iterator[Observer | None]:
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

        def write(row: JudgedRow) -> None:
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


def show_summary(summary: Summary, channel: Channel, *, as_json: bool) -> None:
    """The counts are on stdout; of a dry run with what it foresees."""
    if as_json:
        print_json(summary.as_dict())
        return
    print_table(
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
    print_pairs(
        [
            ("sent now", summary.asked),
            ("sent before", summary.already),
            ("took", f"{summary.seconds:.1f} s, {summary.rate_per_s:.0f}/s"),
        ]
    )


def _show_forecast(forecast: Forecast, channel: Channel) -> None:
    cost = f"about {forecast.cost_usd:.2f} US dollars" if forecast.cost_usd is not None else None
    click.echo()
    print_pairs(
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
        print_table(
            ["hours open", "rows"],
            forecast.left.items(),
            title="held until their calling hours; the same command takes them then",
        )
    for name, places in (("state", forecast.regions), ("time zone", forecast.zones)):
        _show_places(name, places)


def _show_places(name: str, places: ByPlace) -> None:
    states = [state for state in State if any(state in counts for counts in places.values())]
    rows: list[tuple[Cell, ...]] = [
        (place, *(counts.get(state, 0) for state in states)) for place, counts in places.items()
    ]
    if rows:
        click.echo()
        print_table([name, *(state.value for state in states)], rows)
