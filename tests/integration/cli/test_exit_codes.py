"""How commands end, for a script that has only the exit code."""

import socket

import pytest

from tests.integration.cli.program import Program
from tests.integration.cli.test_send import RVM
from tests.sandbox_process import SandboxProcess


@pytest.fixture
def closed_port() -> int:
    """A port of this machine on which nothing listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


def test_released_rows_end_with_1_and_the_counts_are_shown_all_the_same(
    program: Program, contacts: str, sandbox: SandboxProcess
) -> None:
    sandbox.fault("429_seconds", to="+15045550104", delay_s=0)
    ended = program.run(*RVM, "--contacts", contacts, "--json")
    assert ended.code == 1
    assert (ended.json["accepted"], ended.json["released"]) == (2, 1)
    assert "were not accepted" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_wrong_use_ends_with_2_before_anything_is_asked(
    program: Program, contacts: str, sandbox: SandboxProcess
) -> None:
    for words in (
        (*RVM, "--contacts", "nowhere.csv"),
        (*RVM, "--contacts", contacts, "--tts-body", "Hello"),
        (*RVM, "--contacts", contacts, "--phone-column", "mobile"),
        (*RVM, "--contacts", contacts, "--conn", "nobody"),
        ("nothing",),
    ):
        ended = program.run(*words)
        assert ended.code == 2, ended.stderr
        assert ended.stdout == ""
        assert "Error: " in ended.stderr
        assert "Traceback" not in ended.stderr
    assert sandbox.asks() == {}


def test_a_vendor_that_is_not_reached_ends_with_3_and_nobody_is_claimed(
    program: Program, contacts: str, closed_port: int
) -> None:
    away = {"host": f"http://127.0.0.1:{closed_port}"}
    ended = program.run(*RVM, "--contacts", contacts, connection=away)
    assert ended.code == 3
    assert f"127.0.0.1:{closed_port} was not reached" in ended.stderr
    assert not (program.folder / "ledger.db").exists()


def test_a_ledger_that_is_not_reached_ends_with_3_and_nobody_is_asked(
    program: Program, contacts: str, sandbox: SandboxProcess, closed_port: int
) -> None:
    program.ledger_url = f"postgresql+psycopg://someone:pass-of-ledger@127.0.0.1:{closed_port}/nothing"
    ended = program.run(*RVM, "--contacts", contacts)
    assert ended.code == 3
    assert "pass-of-ledger" not in ended.stderr
    assert sandbox.asks() == {}


def test_refused_credentials_end_with_4_and_nobody_counts_as_asked(
    program: Program, contacts: str, sandbox: SandboxProcess
) -> None:
    ended = program.run_alone(*RVM, "--contacts", contacts, connection={"password": "not-the-secret"})
    assert ended.code == 4
    assert "not-the-secret" not in ended.stdout + ended.stderr
    assert program.run(*RVM, "--contacts", contacts, "--json").json["accepted"] == 3
