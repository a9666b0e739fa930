"""What a run came to reaches a StatsD server, by Airflow's own settings."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.in_airflow.vendor import VOICEMAIL
from tests.in_airflow.warehouse import number, rows
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata_database", "vendor_connection")]

MEASURED: Final = """
from airflow.sdk import DAG
from airflow_provider_dropcowboy.operators.contact_list import SyncContactListOperator
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator

with DAG("measured", schedule=None):
    sync = SyncContactListOperator(
        task_id="sync", list_name="due", contacts={contacts!r}, fields={{"record_id": "contact_id", "phone": "phone"}},
    )
    send = SendRvmOperator(
        task_id="send", contacts={contacts!r}, key_column="contact_id", campaign="very private", calling_hours="off",
        **{voicemail!r},
    )
    sync >> send
"""


class Server:
    """A UDP socket of StatsD's protocol."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    def received(self) -> list[str]:
        """All that has come, and is there once its sender has ended."""
        self._socket.setblocking(False)
        lines: list[str] = []
        while True:
            try:
                lines += self._socket.recv(65_536).decode().splitlines()
            except BlockingIOError:
                return lines

    def close(self) -> None:
        """Nothing more is received."""
        self._socket.close()


@pytest.fixture
def statsd() -> Iterator[Server]:
    """A server, and nothing in it."""
    server = Server()
    yield server
    server.close()


def test_counts_rate_doubt_and_duration_of_a_run_are_measured_and_no_campaign_is_named(
    sandbox: SandboxProcess, statsd: Server, tmp_path: Path
) -> None:
    sandbox.fault("lose_answer", route="rvm", to=number(1))
    sandbox.fault("invalid_400", route="rvm", to=number(2))
    contacts = [*rows(5), {"contact_id": 9, "phone": "none"}]
    (tmp_path / "measured.py").write_text(MEASURED.format(contacts=contacts, voicemail=VOICEMAIL))
    settings = {
        "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path),
        "AIRFLOW__METRICS__STATSD_ON": "True",
        "AIRFLOW__METRICS__STATSD_HOST": "127.0.0.1",
        "AIRFLOW__METRICS__STATSD_PORT": str(statsd.port),
    }
    subprocess.run(
        [sys.executable, "-m", "airflow", "dags", "test", "measured"],
        env=os.environ | settings,
        check=True,
        stdout=subprocess.PIPE,
    )
    ours = dict(line.removeprefix("airflow.").split(":", 1) for line in statsd.received() if "dropcowboy" in line)
    campaign = {name: value for name, value in ours.items() if name.startswith("dropcowboy.rvm.")}
    assert float(campaign.pop("dropcowboy.rvm.duration").removesuffix("|ms")) > 0
    assert float(campaign.pop("dropcowboy.rvm.rate_per_s").removesuffix("|g")) > 0
    assert campaign == {
        "dropcowboy.rvm.read": "6|c",
        "dropcowboy.rvm.asked": "5|c",
        "dropcowboy.rvm.accepted": "3|c",
        "dropcowboy.rvm.unknown": "1|c",
        "dropcowboy.rvm.rejected": "1|c",
        "dropcowboy.rvm.invalid": "1|c",
        "dropcowboy.rvm.in_doubt": "1|g",
    }
    assert ours["dropcowboy.list.added"] == "5|c"
    assert ours["dropcowboy.list.contacts"] == "5|g"
    assert "dropcowboy.list.duration" in ours
    assert "private" not in str(ours)
