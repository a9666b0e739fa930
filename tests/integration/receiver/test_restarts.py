"""A receiver that is restarted or upgraded loses no callback."""

import signal
import socket
import subprocess
from pathlib import Path

import pytest

from airflow_provider_dropcowboy.api.callbacks import CallbackUrls, Ticket
from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.secret import Secret
from tests.integration.cli.program import Program
from tests.integration.receiver.running import CALLBACK_SECRET
from tests.integration.receiver.steady import SteadyVendor


@pytest.fixture
def program(tmp_path: Path) -> Program:
    extra = {"callback_secret": CALLBACK_SECRET}
    connection = {"conn_type": "dropcowboy", "login": "team", "password": "the-api-secret", "extra": extra}
    home = {"AIRFLOW_HOME": str(tmp_path / "home")}
    ledger_url = f"sqlite:///{tmp_path / 'ledger.db'}"
    open_ledger(ledger_url, may_create=True).engine.dispose()
    return Program(tmp_path, connection, ledger_url, home)


def listening(process: "subprocess.Popen[str]") -> int:
    """The port of a receiver, as soon as it listens."""
    assert process.stdout is not None
    said = process.stdout.readline().strip()
    assert said.startswith("receiver listening on "), process.communicate()
    return int(said.rpartition(":")[2])


def callback_path(number: int) -> str:
    return CallbackUrls("", Secret(CALLBACK_SECRET)).url(Ticket(f"f{number}", 1))


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_next_receiver_listens_before_the_first_ends_and_no_callback_is_lost(
    program: Program, workers: str
) -> None:
    old = program.start("receiver", "--port", "0", "--workers", workers)
    port = listening(old)
    with SteadyVendor(port, target=callback_path) as vendor:
        new = program.start("receiver", "--port", str(port), "--workers", workers)
        assert listening(new) == port
        assert program.end(old, signal.SIGTERM).code == 130
    assert dict(vendor.answers) == {"200": vendor.posted}
    assert "Another receiver listens" in program.end(new, signal.SIGTERM).stderr


def test_callbacks_wait_in_the_socket_of_an_init_system_while_nobody_listens(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=4096) as listener:
        lend = f"exec 3<&{listener.fileno()} && export LISTEN_FDS=1 LISTEN_PID=$$"

        def start() -> "subprocess.Popen[str]":
            return program.start("receiver", "--port", "1", before=lend, pass_fds=[listener.fileno()])

        old = start()
        port = listening(old)
        assert port == listener.getsockname()[1]
        with SteadyVendor(port, target=callback_path) as vendor:
            program.end(old, signal.SIGTERM)
            new = start()
            listening(new)
        assert dict(vendor.answers) == {"200": vendor.posted}
        program.end(new, signal.SIGTERM)
