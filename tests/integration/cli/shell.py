"""The program's commands in the test's own process: each process of its own would load Airflow anew."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

import click
from click.testing import CliRunner

from airflow_provider_dropcowboy.cli.console import PACKAGE, exit_code
from airflow_provider_dropcowboy.cli.main import program
from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from tests.integration.cli.program import Ended, Program


def run(*words: str) -> Ended:
    """A command from its start to its end; its environment is the fixture ``in_process``."""
    log = logging.getLogger(PACKAGE)
    before = log.handlers, log.propagate, log.level
    try:
        result = CliRunner().invoke(program, words, prog_name="dropcowboy", standalone_mode=False)
    finally:
        log.handlers, log.propagate, log.level = before
    error = result.exception
    if error is not None:
        text = error.format_message() if isinstance(error, click.ClickException) else str(error)
        return Ended(exit_code(error), result.stdout, text)
    code = result.return_value
    return Ended(code if isinstance(code, int) else 0, result.stdout, result.stderr)


@contextmanager
def ledger_of(program: Program) -> Iterator[Ledger]:
    """The program's ledger, set up if it is not there."""
    ledger = open_ledger(program.ledger_url, may_create=True)
    yield ledger
    ledger.engine.dispose()
