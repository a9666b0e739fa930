"""``dropcowboy receiver`` as people start and end it."""

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest

from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from tests.integration.cli.program import Program
from tests.integration.receiver.conftest import kept
from tests.integration.receiver.running import CALLBACK_SECRET, Asked, body


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
def started(program: Program, *options: str, before: str = "") -> Iterator[tuple[Asked, "subprocess.Popen[str]"]]:
    """A receiver that listens; it has ended afterwards."""
    process = program.start("receiver", "--port", "0", *options, before=before)
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


def test_it_ends_though_the_ledger_hangs_and_what_it_answered_is_on_disk(
    program: Program, postgres_ledger: Ledger
) -> None:
    program.ledger_url = postgres_ledger.engine.url.render_as_string(hide_password=False)
    postgres_ledger.engine.dispose()
    with started(program) as (receiver, process), ThreadPoolExecutor(1) as vendor:
        receiver.wait_for_ledger()
        with postgres_ledger.reading() as connection:
            others = (
                "SELECT pid FROM pg_stat_activity "
                "WHERE datname = current_database() AND client_port > 0 AND pid <> pg_backend_pid()"
            )
            frozen = [psutil.Process(pid) for pid in connection.exec_driver_sql(others).scalars()]
        assert frozen
        for each in frozen:
            each.suspend()
        try:
            answer = vendor.submit(receiver.post, "f1")
            while receiver.metric("dropcowboy_callbacks_received_total") < 1:
                pass
            program.end(process, signal.SIGTERM)
            assert answer.result().status_code == 200
        finally:
            for each in frozen:
                each.resume()
    with started(program) as (receiver, _):
        receiver.wait_for_ledger()
    assert {row.foreign_id for row in kept(postgres_ledger)} == {"f1"}


@pytest.mark.parametrize("silent", [600, 0])
def test_with_few_file_descriptors_connections_wait_and_none_is_dropped(program: Program, silent: int) -> None:
    """Of 600 that say nothing, the oldest are closed; of 600 callbacks at once, all are answered."""
    ledger = open_ledger(program.ledger_url, may_create=True)
    with started(program, before="ulimit -n 512") as (receiver, _), ExitStack() as strangers:
        receiver.wait_for_ledger()
        receiver.session.close()
        for _ in range(silent):
            strangers.enter_context(receiver.silent())
        callback = [_callback(receiver, f"f{number}") for number in range(600 - silent or 1)]
        waiting = [strangers.enter_context(receiver.silent(said)) for said in callback]
        assert {_first_line(connection) for connection in waiting} == {b"HTTP/1.1 200 OK\r\n"}
    assert len(kept(ledger)) == len(callback)
    ledger.engine.dispose()


def _callback(receiver: Asked, foreign_id: str) -> bytes:
    payload = body()
    head = f"POST /callbacks/{receiver.token(foreign_id)} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(payload)}\r\n\r\n"
    return head.encode() + payload


def _first_line(connection: socket.socket) -> bytes:
    with connection.makefile("rb") as heard:
        return heard.readline()


def test_it_may_open_as_many_files_as_the_machine_allows(program: Program) -> None:
    with started(program, before="ulimit -S -n 256") as (receiver, process):
        receiver.ready()  # it serves by now
        soft, hard = psutil.Process(process.pid).rlimit(psutil.RLIMIT_NOFILE)
        assert soft == hard


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
    ended = program.end(process, signal.SIGTERM)
    assert "Connection 'dropcowboy_default' has no callback_secret" in ended.stderr


def test_a_connection_that_is_not_there_is_wrong_use(program: Program) -> None:
    ended = program.run("receiver", "--conn", "env:NOBODY")
    assert ended.code == 2
    assert "no variable 'NOBODY'" in ended.stderr
