"""A receiver that runs, on a port of 127.0.0.1, and what a test asks of it."""

import json
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import requests
import sqlalchemy as sa
from prometheus_client.parser import text_string_to_metric_families
from starlette.requests import Request

from airflow_provider_dropcowboy.api.callbacks import CallbackUrls, Ticket
from airflow_provider_dropcowboy.clock import SYSTEM_CLOCK, Clock
from airflow_provider_dropcowboy.receiver.app import Receiver, ReceiverApp
from airflow_provider_dropcowboy.receiver.quick import make_loop
from airflow_provider_dropcowboy.receiver.server import ReceiverServer
from airflow_provider_dropcowboy.receiver.wiring import Find, Wiring
from airflow_provider_dropcowboy.secret import Secret
from tests.integration.serving import DEADLINE_S, Serving

CALLBACK_SECRET: Final = "callback-secret-1"


class Asked:
    """What can be asked of a receiver at a URL, from outside."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.session = requests.Session()
        self.session.trust_env = False

    def post(
        self, foreign_id: str, *, attempt: int = 1, secret: str = CALLBACK_SECRET, **fields: object
    ) -> requests.Response:
        """The answer to a callback about a send; ``success`` where the fields say nothing else."""
        url = CallbackUrls(self.url, Secret(secret)).url(Ticket(foreign_id, attempt))
        return self.session.post(url, json={"status": "success", **fields}, timeout=DEADLINE_S)

    def post_raw(self, path: str, body: bytes = b"", *, headers: Mapping[str, str] | None = None) -> requests.Response:
        """The answer to any bytes."""
        return self.session.post(self.url + path, data=body, headers=headers, timeout=DEADLINE_S)

    def token(self, foreign_id: str, *, secret: str = CALLBACK_SECRET) -> str:
        """The token of a send's first attempt."""
        return CallbackUrls("", Secret(secret)).url(Ticket(foreign_id, 1)).rpartition("/")[2]

    def ready(self) -> dict[str, Any]:
        """What it says of itself."""
        state: dict[str, Any] = self.session.get(f"{self.url}/ready", timeout=DEADLINE_S).json()
        return state

    def metric(self, name: str, **labels: str) -> float:
        """A count of its."""
        text = self.session.get(f"{self.url}/metrics", timeout=DEADLINE_S).text
        return sum(
            sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        )

    def wait_for(self, **state: object) -> None:
        """It says so of itself, as in ``wait_for(spooled=0)``."""
        give_up_at = time.monotonic() + DEADLINE_S
        while not state.items() <= (seen := self.ready()).items():
            assert time.monotonic() < give_up_at, seen
            time.sleep(0.02)

    def wait_for_ledger(self) -> None:
        """The ledger takes callbacks, and nothing waits beside it."""
        self.wait_for(ledger="takes callbacks", spooled=0)

    def silent(self, said: bytes = b"") -> socket.socket:
        """A connection over which nothing more comes."""
        host, port = self.url.removeprefix("http://").split(":")
        connection = socket.create_connection((host, int(port)), timeout=DEADLINE_S)
        connection.sendall(said)
        return connection

    def talk(self, said: bytes) -> bytes:
        """What comes back on a connection of its own, to its end."""
        with self.silent(said) as connection:
            heard = b""
            try:
                while part := connection.recv(65536):
                    heard += part
            except ConnectionResetError:  # it did not care to read the rest
                pass
            return heard


class RunningReceiver(Asked):
    """A receiver in a thread of this process; a context manager.

    :param find: default: the ledger at ``ledger_url``, and ``CALLBACK_SECRET``.
    """

    def __init__(
        self,
        spool: Path,
        *,
        ledger_url: str = "",
        find: Find | None = None,
        takes_unsigned: bool = False,
        may_see: Callable[[Request], Awaitable[bool]] | None = None,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        receiver = Receiver(
            find or (lambda: Wiring((Secret(CALLBACK_SECRET),), sa.make_url(ledger_url))),
            spool_folder=spool,
            takes_unsigned=takes_unsigned,
            may_see=may_see,
            clock=clock,
        )
        self._serving = Serving(
            ReceiverApp(receiver),
            has_lifespan=True,
            make_server=lambda config: ReceiverServer(config, is_lent=True, settle_s=0.0),
            loop=f"{make_loop.__module__}:make_loop",
        )
        super().__init__(self._serving.url)

    def __enter__(self) -> Self:
        self._serving.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """It has ended as after SIGTERM. A second call does no harm."""
        self.session.close()
        self._serving.stop()


def body(**fields: object) -> bytes:
    """A callback's payload."""
    return json.dumps({"status": "success", **fields}).encode()
