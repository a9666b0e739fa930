"""What an error means to a shell."""

import logging

import click
import pytest

from airflow_provider_dropcowboy import errors
from airflow_provider_dropcowboy.cli.console import PACKAGE, UnreachedError, exit_code, print_error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.NotTakenError("3 of 4 messages were not accepted"), 1),
        (errors.GuardError("too many"), 1),
        (errors.PausedError("paused"), 1),
        (errors.SourceError("cut off"), 1),
        (errors.BalanceError("differs"), 1),
        (RuntimeError("a mistake of ours"), 1),
        (errors.ConfigurationError("wrong"), 2),
        (errors.NoLedgerError("none"), 2),
        (errors.SchemaVersionError("old"), 2),
        (errors.LedgerReplacedError("deleted"), 1),
        (errors.RejectedError("no such id"), 2),
        (click.UsageError("no such option"), 2),
        (UnreachedError("refused"), 3),
        (errors.VendorError("HTTP 503"), 3),
        (errors.LedgerError("gone"), 3),
        (errors.AuthenticationError("HTTP 401"), 4),
        (errors.InterruptedRunError("SIGINT came"), 130),
        (KeyboardInterrupt(), 130),
        (click.Abort(), 130),
    ],
)
def test_each_kind_of_end_has_its_exit_code(error: BaseException, code: int) -> None:
    assert exit_code(error) == code


def fail() -> None:
    """An error with a person's number in its text and in that of its cause."""
    try:
        int("+1-504-555-0101")
    except ValueError as error:
        raise RuntimeError("cannot reach +1-504-555-0101") from error


def raised() -> RuntimeError:
    """That error, with where it was raised."""
    with pytest.raises(RuntimeError) as caught:
        fail()
    return caught.value


def test_an_unexpected_error_is_told_without_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    print_error(raised())
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "unexpected RuntimeError" in shown.err
    assert "555-0101" not in shown.err
    assert "Traceback" not in shown.err


def test_debug_shows_where_it_was_raised_and_still_not_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger(PACKAGE)
    before = log.level
    log.setLevel(logging.DEBUG)
    try:
        print_error(raised())
    finally:
        log.setLevel(before)
    shown = capsys.readouterr().err
    assert "in fail" in shown
    assert shown.index("ValueError") < shown.index("RuntimeError\n")
    assert "invalid literal" not in shown
    assert not shown.rstrip().endswith("555-0101")
