"""What an error means to a shell: one exit code, one text on stderr, and never a secret."""

import logging
import traceback
from enum import IntEnum
from typing import Final

import click

from airflow_provider_dropcowboy.errors import (
    AuthenticationError,
    ConfigurationError,
    DropCowboyError,
    InterruptedRunError,
    LedgerError,
    LedgerReplacedError,
    NoLedgerError,
    NotTakenError,
    RejectedError,
    SchemaVersionError,
    VendorError,
)

PACKAGE: Final = "airflow_provider_dropcowboy"


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    UNFINISHED = 1  # released rows, a guard, or something that doctor found
    WRONG_USE = 2
    UNREACHED = 3
    REFUSED = 4  # the credentials
    INTERRUPTED = 130


class UnreachedError(DropCowboyError):
    """The vendor was not reached, or does not serve now; nothing was sent."""


def exit_code(error: BaseException) -> int:
    """The exit code for what ended a command."""
    match error:
        case click.ClickException():
            return error.exit_code
        case KeyboardInterrupt() | click.Abort() | InterruptedRunError():
            return ExitCode.INTERRUPTED
        case ConfigurationError() | NoLedgerError() | SchemaVersionError() | RejectedError():
            return ExitCode.WRONG_USE
        case AuthenticationError():
            return ExitCode.REFUSED
        case NotTakenError() | LedgerReplacedError():
            return ExitCode.UNFINISHED
        case UnreachedError() | LedgerError() | VendorError():
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
        case DropCowboyError():
            click.echo(f"Error: {error}", err=True)
        case _:
            click.echo(
                f"Error: unexpected {type(error).__name__}. Its text is left out, since it may hold a person's values; "
                "--debug shows where it was raised.",
                err=True,
            )


def _frames(error: BaseException) -> list[str]:
    """Where an error and its causes were raised, outermost cause first; only our own texts, which hold no secret."""
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    text = f": {error}" if isinstance(error, DropCowboyError | click.ClickException) else ""
    return [
        *(_frames(cause) if cause is not None else []),
        *traceback.format_tb(error.__traceback__),
        f"{type(error).__name__}{text}\n",
    ]
