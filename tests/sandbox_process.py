"""The sandbox as a process of its own, for tests, benchmarks and demos."""

import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import requests

START_TIMEOUT_S: Final = 120.0
STOP_TIMEOUT_S: Final = 60.0
PATIENCE_S: Final = 120.0
"""For anything that the sandbox is to meet; far above what it takes, so that it only ends a wait in vain."""
_LISTENING: Final = "sandbox listening on "

Account = TypeVar("Account", dict[str, int], dict[str, Any])


class SandboxProcess:
    """A sandbox on a free port of 127.0.0.1; a context manager.

    :param options: further words of its command line, such as ``"--latency-ms", "50"``.
    :ivar base_url: of API v1, with ``/v1``.
    :ivar v2_url: of API v2, which has no prefix.
    :raises RuntimeError: it did not come up in time.
    """

    def __init__(self, *options: str, team_id: str = "sandbox-team", secret: str = "sandbox-secret") -> None:
        self.team_id = team_id
        self.key = "sandbox-key"
        self.secret = secret
        command = [sys.executable, "-m", "airflow_provider_dropcowboy.sandbox", "--host", "127.0.0.1", "--port", "0"]
        self._process = subprocess.Popen(
            [*command, "--team-id", team_id, "--secret", secret, *options], stdout=subprocess.PIPE
        )
        self._session = requests.Session()
        # a proxy of the environment is not between a test and its own machine
        self._session.trust_env = False
        try:
            self.base_url = self._read_base_url()
        except BaseException:
            self.stop()
            raise
        self.v2_url = self.base_url.removesuffix("/v1")
        self._view = f"{self.v2_url}/_sandbox"

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def fault(self, name: str, **options: object) -> None:
        """One fault is in force, such as ``fault("lose_answer", to="+15045550100", times=1)``.

        :param options: ``share`` or ``to``, ``times``, ``route``, ``delay_s``.
        """
        self.faults({"name": name, **options})

    def faults(self, *faults: Mapping[str, object]) -> None:
        """These faults are in force, after those already there."""
        self._post("faults", list(faults))

    def clear_faults(self) -> None:
        """No fault is in force."""
        self._session.delete(f"{self._view}/faults", timeout=START_TIMEOUT_S).raise_for_status()

    def settings(self, **changes: object) -> dict[str, Any]:
        """Settings hold from now on, such as ``settings(latency_ms=50)``; all of them are returned."""
        shown: dict[str, Any] = self._post("settings", changes)
        return shown

    def stats(self) -> dict[str, Any]:
        """Totals of everything."""
        shown: dict[str, Any] = self._get("stats")
        return shown

    def takes(self, *, wait_for: int = 0, timeout_s: float = PATIENCE_S) -> dict[str, int]:
        """The compact account, as soon as there are ``wait_for`` takes.

        :raises TimeoutError: there were not so many in time.
        """
        shown: dict[str, int] = self._get("takes", takes=wait_for, timeout_s=timeout_s)
        return _reached(shown, "takes", wait_for)

    def wait_for_asks(self, count: int, *, timeout_s: float = PATIENCE_S) -> dict[str, int]:
        """The compact account, as soon as there are so many asks, taken or not.

        :raises TimeoutError: there were not so many in time.
        """
        shown: dict[str, int] = self._get("takes", asks=count, timeout_s=timeout_s)
        return _reached(shown, "asks", count)

    def sends(self, contains: str = "") -> dict[str, dict[str, Any]]:
        """Every send by its foreign_id: asks, takes, answers, phone_number, channel, first_body and more."""
        shown: dict[str, dict[str, Any]] = self._get("sends", contains=contains)
        return shown

    def asks(self) -> dict[str, int]:
        """How often each foreign_id was asked for."""
        return {foreign_id: send["asks"] for foreign_id, send in self.sends().items()}

    def takes_by_phone(self) -> dict[str, int]:
        """How often each number was taken, over all campaigns and channels."""
        return {number: tally["takes"] for number, tally in self._get("phones").items()}

    def lists(self) -> dict[str, dict[str, Any]]:
        """Every contact list by its id, with all its contacts."""
        shown: dict[str, dict[str, Any]] = self._get("lists")
        return shown

    def callbacks(self, *, wait_for: int = 0, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """Counts of callbacks and the last hundred, as soon as ``wait_for`` were answered or given up.

        :raises TimeoutError: there were not so many in time.
        """
        shown: dict[str, Any] = self._get("callbacks", done=wait_for, timeout_s=timeout_s)
        return _reached(shown, "done", wait_for)

    def webhooks(self, *, done: int = 0, attempts: int = 0, timeout_s: float = PATIENCE_S) -> dict[str, Any]:
        """The webhooks, counts and the last attempts, as soon as so many events are done and attempts were made.

        :raises TimeoutError: there were not so many in time.
        """
        shown: dict[str, Any] = self._get("webhooks", done=done, attempts=attempts, timeout_s=timeout_s)
        return _reached(shown, "done", done)

    def emit(self, event: str, **data: object) -> int:
        """An event is delivered to every webhook that hears of it; how many do."""
        heard: dict[str, int] = self._post("events", {"event": event, "data": data})
        return heard["heard"]

    def advance(self, seconds: float) -> None:
        """The sandbox's clock moves forward: what is due by then is sent, and old idempotency keys are forgotten."""
        self._post("clock", {"advance_s": seconds})

    def reset(self) -> None:
        """Everything that was asked is forgotten, the faults too; the settings stay."""
        self._post("reset", {})

    def signal(self, number: int) -> None:
        """A signal is sent to it, such as ``signal.SIGKILL``."""
        self._process.send_signal(number)

    def stop(self) -> int:
        """It has ended; its exit code. A second call does no harm."""
        self._session.close()
        self._process.terminate()
        try:
            return self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()
        finally:
            if self._process.stdout is not None:
                self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _read_base_url(self) -> str:
        assert self._process.stdout is not None
        descriptor = self._process.stdout.fileno()
        deadline_s = time.monotonic() + START_TIMEOUT_S
        said = b""
        while b"\n" not in said:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline_s - time.monotonic()))
            part = os.read(descriptor, 4096) if ready else b""
            if not part:
                raise RuntimeError(f"the sandbox did not come up; it said {said.decode()!r}")
            said += part
        line = said.decode().splitlines()[0]
        if not line.startswith(_LISTENING):
            raise RuntimeError(f"the sandbox said {line!r} instead of where it listens")
        return line.removeprefix(_LISTENING)

    def _get(self, page: str, **query: str | float) -> Any:
        # the sandbox itself answers when its own time is over; this one is for a sandbox that is gone
        timeout_s = float(query.get("timeout_s", 0.0)) + START_TIMEOUT_S
        answer = self._session.get(f"{self._view}/{page}", params=query, timeout=timeout_s)
        answer.raise_for_status()
        return answer.json()

    def _post(self, page: str, body: Mapping[str, object] | Sequence[object]) -> Any:
        answer = self._session.post(f"{self._view}/{page}", json=body, timeout=START_TIMEOUT_S)
        if answer.status_code == requests.codes.bad_request:
            raise ValueError(answer.json()["error"])
        answer.raise_for_status()
        return answer.json()


def _reached(shown: Account, name: str, count: int) -> Account:
    if shown[name] < count:
        raise TimeoutError(f"the sandbox has {shown[name]} {name}, not {count}, after the time given")
    return shown
