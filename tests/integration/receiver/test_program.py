"""``dropcowboy receiver`` as people start and end it."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from airflow_provider_dropcowboy.ledger.database import open_ledger
from tests.integration.cli.program import Program
from tests.integration.receiver.conftest import kept
from tests.integration.receiver.running import CALLBACK_SECRET, Asked


@pytest.fixture
def program(tmp_path: Path) -> Program:
    connection = {
        "conn_type": "dropcowboy",
        "login": "team",
        "password": "the-api-secret",
        "extra": {"callback_secret": CALLBACK_SECRET},
    }
    return Program(
        tmp_path, connection, f"sqlite:///{tmp_path / 'ledger.db'}", {"AIRFLOW_HOME": str(tmp_path / "home")}
    )


@contextmanager
def started(program: Program, *options: str) -> Iterator[tuple[Asked, "subprocess.Popen[str]"]]:
    """A receiver that listens; it has ended afterwards."""
    process = program.start("receiver", "--port", "0", *options)
    assert process.stdout is not None
    said = process.stdout.readline().strip()
    assert said.startswith("receiver listening on "), process.communicate()
    asked = Asked(said.rpartition(" ")[2])
    try:
        yield asked, process
    finally:
        asked.session.close()
        if process.poll() is None:
            program.end(process, signal.SIGTERM)


def test_what_it_took_is_answered_when_it_is_told_to_end(program: Program) -> None:
    ledger = open_ledger(program.ledger_url, may_create=True)
    with started(program) as (receiver, process), ThreadPoolExecutor(1) as vendor:
        receiver.wait_for_ledger()
        with ledger.writing():  # nobody else writes
            answer = vendor.submit(receiver.post, "f1", phone_number="+15045550101")
            while receiver.metric("dropcowboy_callbacks_received_total") < 1:
                pass
            ended = program.end(process, signal.SIGTERM)
            assert answer.result().status_code == 200
        assert ended.code == 130
        for secret in ("+15045550101", CALLBACK_SECRET, "the-api-secret", "callbacks/"):
            assert secret not in ended.stdout + ended.stderr
    with started(program) as (receiver, _):
        receiver.wait_for_ledger()
    assert {row.foreign_id for row in kept(ledger)} == {"f1"}
    ledger.engine.dispose()


def test_several_workers_count_together_and_one_that_dies_is_replaced(program: Program) -> None:
    ledger = open_ledger(program.ledger_url, may_create=True)
    with started(program, "--workers", "2") as (receiver, process):
        receiver.wait_for_ledger()
        for number in range(40):
            assert Asked(receiver.url).post(f"f{number}").status_code == 200
        assert receiver.metric("dropcowboy_callbacks_received_total") == 40
        workers = psutil.Process(process.pid).children()
        for worker in workers:
            if "resource_tracker" not in " ".join(worker.cmdline()):
                os.kill(worker.pid, signal.SIGKILL)
        receiver.session.close()
        assert Asked(receiver.url).post("f40").status_code == 200
        assert receiver.metric("dropcowboy_callbacks_received_total") == 41
    assert {row.foreign_id for row in kept(ledger)} == {f"f{number}" for number in range(41)}
    ledger.engine.dispose()


def test_a_port_that_is_taken_is_said(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        ended = program.run("receiver", "--port", str(taken.getsockname()[1]))
    assert ended.code == 1
    assert "cannot listen on 127.0.0.1" in ended.stderr


def test_a_connection_without_a_callback_secret_is_said(program: Program) -> None:
    program.connection["extra"] = {}
    process = program.start("receiver", "--port", "0")
    assert process.stdout is not None
    process.stdout.readline()
    ended = program.end(process, signal.SIGINT)
    assert "Connection 'dropcowboy_default' has no callback_secret" in ended.stderr


def test_a_connection_that_is_not_there_is_wrong_use(program: Program) -> None:
    ended = program.run("receiver", "--conn", "env:NOBODY")
    assert ended.code == 2
    assert "no variable 'NOBODY'" in ended.stderr
