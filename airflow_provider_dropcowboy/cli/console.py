"""How answers, logs and errors look, what a signal does, and what a command's end means to a shell."""

import json
import logging
import signal
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from enum import IntEnum
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Final

import click

from airflow_provider_dropcowboy import errors

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.ledger.campaigns import Campaign

PACKAGE: Final = "airflow_provider_dropcowboy"
DISTRIBUTION: Final = "airflow-provider-dropcowboy"
DEFAULT_CONN: Final = "dropcowboy_default"

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
    """The answer as a table, or a row below the other where the terminal is too narrow for it.

    No word is broken: it may be an id that is copied. The first column is never wrapped. Numbers stand to the right.
    """
    from rich import box  # the help of a command needs no tables
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table

    if title is not None:  # of its own width: a table's title is wrapped to the table's
        click.echo(_shown(title))
    rows = list(rows)
    texts = [[_cell(value) for value in row] for row in rows]
    by_column = list(zip(columns, *texts, strict=True))
    least = [max(cell_len(word) for text in column for word in text.split() or [""]) for column in by_column]
    widths = [max(map(cell_len, column)) for column in by_column]
    least[0] = widths[0]
    # no markup: a name such as "[red]" is a name
    console = Console(markup=False, highlight=False, emoji=False)
    free = console.width - (2 * len(columns) - 1)  # one space, and one line of the box, after each
    if sum(least) > free:
        for texts_of_row in texts:
            click.echo(texts_of_row[0])
            print_pairs((f"  {name}", text) for name, text in zip(columns[1:], texts_of_row[1:], strict=True))
        return
    while sum(widths) > free:
        widest = max(range(len(widths)), key=lambda index: (widths[index] > least[index], widths[index]))
        widths[widest] -= 1
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for index, (name, width) in enumerate(zip(columns, widths, strict=True)):
        is_number = bool(rows) and all(type(row[index]) in {int, type(None)} for row in rows)
        table.add_column(name, width=width, no_wrap=index == 0, justify="right" if is_number else "left")
    for cells in texts:
        table.add_row(*cells)
    console.print(table)


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


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    UNFINISHED = 1  # released rows, a guard, or something that doctor found
    WRONG_USE = 2
    UNREACHED = 3
    REFUSED = 4  # the credentials
    INTERRUPTED = 130


class UnreachedError(errors.DropCowboyError):
    """The vendor was not reached, or does not serve now; nothing was sent."""


def exit_code(error: BaseException) -> int:
    """The exit code for what ended a command."""
    match error:
        case click.ClickException():
            return error.exit_code
        case KeyboardInterrupt() | click.Abort() | errors.InterruptedRunError():
            return ExitCode.INTERRUPTED
        case (
            errors.ConfigurationError() | errors.NoLedgerError() | errors.SchemaVersionError() | errors.RejectedError()
        ):
            return ExitCode.WRONG_USE
        case errors.AuthenticationError():
            return ExitCode.REFUSED
        case errors.NotTakenError() | errors.LedgerReplacedError():
            return ExitCode.UNFINISHED
        case UnreachedError() | errors.LedgerError() | errors.VendorError():
            return ExitCode.UNREACHED
        case _:
            return ExitCode.UNFINISHED


def print_error(error: BaseException) -> None:
    """Say on stderr what ended a command; where it happened only with ``--debug``."""
    if logging.getLogger(PACKAGE).isEnabledFor(logging.DEBUG):
        for line in _frames(error):
            click.echo(line, err=True, nl=False)
    match error:
        case click.ClickException():
            error.show()
        case KeyboardInterrupt() | click.Abort():
            click.echo("Interrupted.", err=True)
        case errors.DropCowboyError():
            click.echo(f"Error: {error}", err=True)
        case _:
            click.echo(
                f"Error: unexpected {type(error).__name__}. Its text is left out, since it may hold a person's values; "
                "--debug shows where it was raised.",
                err=True,
            )


@contextmanager
def stopping_on_signals(stop: Callable[[str], object]) -> Iterator[None]:
    """Within the block, SIGINT, SIGTERM and SIGHUP stop the run, which then ends in seconds.

    A second signal changes nothing. SIGHUP stays ignored under ``nohup``.

    :param stop: called with the reason.
    """
    # A handler runs in the main thread, in the middle of anything: also while that holds a lock which stopping needs.
    # Putting into a SimpleQueue is safe there; a thread of its own does the rest.
    came: SimpleQueue[int | None] = SimpleQueue()

    def obey() -> None:
        while (number := came.get()) is not None:
            stop(f"{signal.Signals(number).name} came")

    obeying = Thread(target=obey, name="dropcowboy-signals", daemon=True)
    obeying.start()
    wanted = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        wanted.append(signal.SIGHUP)
    former = {number: signal.signal(number, lambda came_number, _frame: came.put(came_number)) for number in wanted}
    try:
        yield
    finally:
        for number, handler in former.items():
            signal.signal(number, handler)
        came.put(None)
        obeying.join()


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


def _frames(error: BaseException) -> list[str]:
    """Where an error and its causes were raised, outermost cause first; only our own texts, which hold no secret."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    text = f": {error}" if isinstance(error, errors.DropCowboyError | click.ClickException) else ""
    return [
        *(_frames(cause) if cause is not None else []),
        *traceback.format_tb(error.__traceback__),
        f"{type(error).__name__}{text}\n",
    ]
