"""A bar on the terminal while a run goes on; the log's lines scroll above it."""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from airflow_provider_dropcowboy.campaign.progress import Standing, Watch
from airflow_provider_dropcowboy.cli.failures import PACKAGE


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
            counts = f"{standing.asked} asked, {standing.rate_per_s:.0f}/s, {standing.in_doubt} in doubt"
            bar.update(task, completed=standing.read, counts=counts)

        streams = [handler.setStream(sys.stderr) for handler in handlers]  # rich's, which writes above the bar
        try:
            yield watch
        finally:
            for handler, stream in zip(handlers, streams, strict=True):
                if stream is not None:
                    handler.setStream(stream)
