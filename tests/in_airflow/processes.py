"""A whole Airflow in processes of its own: API server, scheduler with LocalExecutor, DAG processor, triggerer."""

import base64
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import psutil
import requests

from tests.ports import free_ports

COMPONENTS: Final = ("api-server", "scheduler", "dag-processor", "triggerer")

FINISHED: Final = ("success", "failed")

DEADLINE_S: Final = 120.0
"""For anything that Airflow is waited for; far above what it takes, so that it only ends a wait in vain."""


class AirflowProcesses:
    """An Airflow that is up; its DAG folder, its REST API, its logs. Ended by :meth:`stop`.

    :param home: a new folder, for everything it writes to files.
    :param database_url: an empty one on PostgreSQL, for its tables; on SQLite its processes get in each other's way.
    :param environment: more variables for all of its processes, and so for its tasks.
    :param login: ``username`` and ``password`` of an admin, who must log in; None: everybody is one.
    """

    components: Mapping[str, Sequence[str]] = {name: (name,) for name in COMPONENTS}
    """The command of Airflow that each of its processes is, by name."""

    def __init__(
        self,
        home: Path,
        database_url: str,
        *,
        environment: Mapping[str, str] | None = None,
        login: Mapping[str, str] | None = None,
    ) -> None:
        self.home = home
        self.database_url = database_url
        self.dags_folder = home / "dags"
        self.dags_folder.mkdir(parents=True)
        port, worker_log_port, trigger_log_port = free_ports(3)
        self.url = f"http://127.0.0.1:{port}"
        self._session = requests.Session()
        settings = os.environ | {
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(port),
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(),
            "AIRFLOW__API__WORKERS": "1",
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(64),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags_folder),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__CORE__PARALLELISM": "4",
            "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": str(login is None),
            "AIRFLOW__DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3600",  # a new file is parsed at once all the same
            "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "1",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database_url,
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(trigger_log_port),
            "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(worker_log_port),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        }
        if login:
            passwords = home / "passwords.json"
            passwords.write_text(json.dumps({login["username"]: login["password"]}))
            settings["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"] = str(passwords)
            settings["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS"] = f"{login['username']}:admin"
        self._settings = {**settings, **(environment or {})}
        subprocess.run(
            [sys.executable, "-m", "airflow", "db", "migrate"],
            env=self._settings,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        self._processes = {name: self._start(name) for name in self.components}
        try:
            self.wait_until(self._is_up, until="Airflow is up")
        except AssertionError:
            self.stop()
            raise
        answer = self._session.request(
            "POST" if login else "GET", f"{self.url}/auth/token", json=login, timeout=DEADLINE_S
        )
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"

    def stop(self) -> None:
        """Every process of it has ended, its tasks too."""
        # By session, since each task leads a process group of its own and may have lost its parent. No SIGTERM first:
        # LocalExecutor's idle children outlive it, and nothing here is worth a clean end.
        killed: set[int] = set()
        while members := self._members() - killed:
            for pid in members:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            killed |= members
        for process in self._processes.values():
            process.wait()
        self._session.close()

    def backfill(self, dag_id: str, *words: str) -> None:
        """Days of the DAG are run again, as ``airflow backfill create`` does it; they are queued.

        :param words: more options of that command.
        """
        self._end_backfills(dag_id)
        subprocess.run(
            [sys.executable, "-m", "airflow", "backfill", "create", "--dag-id", dag_id, *words],
            env=self._settings,
            stdout=subprocess.PIPE,
            check=True,
        )

    def add_dag(self, dag_id: str, source: str) -> None:
        """The DAG with this Python source is known and can run."""
        (self.dags_folder / f"{dag_id}.py").write_text(source)
        self.wait_until(lambda: self._ask("GET", f"dags/{dag_id}").ok, until=f"the DAG {dag_id} is known")

    def add_connection(self, conn_id: str, **fields: object) -> None:
        """The connection is stored.

        :param fields: as the REST API names them: ``conn_type``, ``host``, ``login``, ``password``, ``extra`` (JSON).
        """
        self._tell("POST", "connections", connection_id=conn_id, **fields)

    def trigger(
        self, dag_id: str, *, logical_date: datetime | None = None, conf: Mapping[str, object] | None = None
    ) -> str:
        """A manual run is queued; its run id."""
        answer = self._tell(
            "POST",
            f"dags/{dag_id}/dagRuns",
            logical_date=logical_date.isoformat() if logical_date else None,
            conf=dict(conf or {}),
        )
        return str(answer["dag_run_id"])

    def wait_for_run(self, dag_id: str, run_id: str, *, states: Collection[str] = FINISHED) -> str:
        """The run's state, once it is one of ``states``."""
        return self._wait_for_state(f"dags/{dag_id}/dagRuns/{run_id}", states=states)

    def runs(self, dag_id: str) -> dict[str, str]:
        """The state of each of the DAG's runs, by run id."""
        answer = self._ask("GET", f"dags/{dag_id}/dagRuns")
        answer.raise_for_status()
        return {run["dag_run_id"]: run["state"] for run in answer.json()["dag_runs"]}

    def task(self, dag_id: str, run_id: str, *, task_id: str, map_index: int = -1) -> dict[str, Any]:
        """The task instance, as the REST API shows it."""
        answer = self._ask("GET", _task_path(dag_id, run_id, task_id=task_id, map_index=map_index))
        answer.raise_for_status()
        shown: dict[str, Any] = answer.json()
        return shown

    def wait_for_task(
        self, dag_id: str, run_id: str, *, task_id: str, map_index: int = -1, states: Collection[str] = FINISHED
    ) -> str:
        """The task's state, once it is one of ``states``."""
        return self._wait_for_state(_task_path(dag_id, run_id, task_id=task_id, map_index=map_index), states=states)

    def clear(self, dag_id: str, run_id: str, *, task_ids: Sequence[str]) -> None:
        """The tasks run again in the same run, as after *Clear* in the user interface; no others do."""
        self._tell(
            "POST",
            f"dags/{dag_id}/clearTaskInstances",
            dag_run_id=run_id,
            task_ids=list(task_ids),
            dry_run=False,
            only_failed=False,
            reset_dag_runs=True,
        )

    def mark_failed(self, dag_id: str, run_id: str, *, task_id: str, map_index: int = -1) -> None:
        """The task is failed, as after *Mark failed* in the user interface; Airflow then ends its process."""
        self._tell("PATCH", _task_path(dag_id, run_id, task_id=task_id, map_index=map_index), new_state="failed")

    def choose(self, dag_id: str, run_id: str, *, task_id: str, option: str) -> None:
        """A person has answered the task that asked for one, as under *Required Actions* in the user interface."""
        # no person answers before the scheduler has seen the asking process end; who does, makes it fail the task
        parked = f"state success for task instance TaskInstanceKey({dag_id=}, {task_id=}, {run_id=}"
        log = self.home / "scheduler.log"
        self.wait_until(lambda: parked in log.read_text(), until=f"{task_id} has given up its process")
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/-1/hitlDetails"
        self._tell("PATCH", path, chosen_options=[option])

    def wait_until(self, is_there: Callable[[], bool], *, until: str) -> None:
        """Something is there.

        :param until: says what, where it did not come in time.
        """
        give_up_at = time.monotonic() + DEADLINE_S
        while not is_there():
            assert time.monotonic() < give_up_at, f"not within {DEADLINE_S:.0f} s: {until}"
            time.sleep(0.1)

    def return_value(self, dag_id: str, run_id: str, *, task_id: str, map_index: int = -1) -> object:
        """What the task's ``execute`` returned."""
        path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/return_value"
        answer = self._ask("GET", path, params={"map_index": str(map_index), "deserialize": "true"})
        answer.raise_for_status()
        value: object = answer.json()["value"]
        return value

    def log_text(self, dag_id: str, run_id: str, *, task_id: str, map_index: int = -1, try_number: int = 1) -> str:
        """What Airflow wrote down of one try: JSON, one line a message."""
        folder = self.home / "logs" / f"dag_id={dag_id}" / f"run_id={run_id}" / f"task_id={task_id}"
        if map_index >= 0:
            folder /= f"map_index={map_index}"
        return (folder / f"attempt={try_number}.log").read_text()

    def _end_backfills(self, dag_id: str) -> None:
        """Airflow has one a DAG at a time, and notices only every half minute that it is over."""
        answer = self._ask("GET", "backfills", params={"dag_id": dag_id})
        answer.raise_for_status()
        for backfill in answer.json()["backfills"]:
            if backfill["completed_at"] is None:
                self._tell("PUT", f"backfills/{backfill['id']}/cancel")

    def _start(self, component: str) -> subprocess.Popen[bytes]:
        with (self.home / f"{component}.log").open("ab") as log:
            # A session of its own, by which its children are found in the end.
            return subprocess.Popen(
                [sys.executable, "-m", "airflow", *self.components[component]],
                env=self._settings,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _members(self) -> set[int]:
        sessions = {process.pid for process in self._processes.values()}
        members = set()
        for pid in psutil.pids():
            with suppress(ProcessLookupError):
                if os.getsid(pid) in sessions:
                    members.add(pid)
        return members

    def _is_up(self) -> bool:
        for name, process in self._processes.items():
            assert process.poll() is None, f"{name} ended:\n{(self.home / f'{name}.log').read_text()[-4000:]}"
        try:
            health = self._session.get(f"{self.url}/api/v2/monitor/health", timeout=DEADLINE_S).json()
        except requests.ConnectionError:
            return False
        return all(health[part]["status"] == "healthy" for part in ("scheduler", "dag_processor", "triggerer"))

    def _wait_for_state(self, path: str, *, states: Collection[str]) -> str:
        seen = ""

        def is_there() -> bool:
            nonlocal seen
            answer = self._ask("GET", path)
            seen = str(answer.json()["state"]) if answer.ok else ""  # a mapped task is not there before it is expanded
            return seen in states

        self.wait_until(is_there, until=f"{path} is one of {states}")
        return seen

    def _ask(
        self, method: str, path: str, *, params: Mapping[str, str] | None = None, body: object = None
    ) -> requests.Response:
        url = f"{self.url}/api/v2/{path}"
        return self._session.request(method, url, params=params, json=body, timeout=DEADLINE_S)

    def _tell(self, method: str, path: str, **body: object) -> dict[str, object]:
        answer = self._ask(method, path, body=body)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        told: dict[str, object] = answer.json()
        return told


def _task_path(dag_id: str, run_id: str, *, task_id: str, map_index: int) -> str:
    path = f"dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
    return path if map_index < 0 else f"{path}/{map_index}"
