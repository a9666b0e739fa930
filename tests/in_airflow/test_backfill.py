"""Backfills made by Airflow's own command, in a whole Airflow."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import pytest

from tests.in_airflow.processes import AirflowProcesses
from tests.in_airflow.vendor import VOICEMAIL, connection_to
from tests.in_airflow.warehouse import numbers, rows
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.airflow, pytest.mark.timeout(900)]  # a dozen tasks, each in a process of its own

DAYS: Final = 4
A_DAY: Final = 2
"""People who are due on each day, others every day."""
LAST_DAY: Final = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=20)
FIRST_DAY: Final = LAST_DAY - timedelta(days=DAYS - 1)

# The schedule is over, so that Airflow starts no run by itself.
SOURCE: Final = """
import pendulum
from airflow.sdk import DAG, get_current_context
from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator

FIRST_DAY = pendulum.parse("{first_day}")

def due_on_the_day():
    day = (get_current_context()["logical_date"] - FIRST_DAY).days
    return {people!r}[day * {a_day} : (day + 1) * {a_day}]

with DAG("{dag_id}", schedule="@daily", start_date=FIRST_DAY, end_date=pendulum.parse("{last_day}"), catchup=False):
    SendRvmOperator(
        task_id="send",
        contacts=due_on_the_day,
        key_column="contact_id",
        dropcowboy_conn_id="{dag_id}",
        **{voicemail!r},
    )
"""


@pytest.fixture
def airflow(postgres_url: str, tmp_path: Path) -> Iterator[AirflowProcesses]:
    """A running Airflow."""
    airflow = AirflowProcesses(tmp_path / "home", postgres_url)
    yield airflow
    airflow.stop()


class Backfilled:
    """A DAG whose last run is long ago, and its backfills."""

    def __init__(self, airflow: AirflowProcesses, sandbox: SandboxProcess, dag_id: str) -> None:
        self._airflow = airflow
        self._dag_id = dag_id
        fields = connection_to(sandbox)
        airflow.add_connection(dag_id, **fields | {"extra": json.dumps(fields["extra"])})
        airflow.add_dag(
            dag_id,
            SOURCE.format(
                dag_id=dag_id,
                first_day=FIRST_DAY.isoformat(),
                last_day=LAST_DAY.isoformat(),
                people=rows(DAYS * A_DAY),
                a_day=A_DAY,
                voicemail=VOICEMAIL,
            ),
        )

    def backfill(self, *words: str) -> None:
        """All days are run again, and each task has ended another try."""
        before = self._tries()
        self._airflow.backfill(
            self._dag_id,
            *("--from-date", FIRST_DAY.isoformat(), "--to-date", LAST_DAY.isoformat()),
            *("--reprocess-behavior", "completed", *words),
        )
        self._airflow.wait_until(lambda: self._have_ended(before), until=f"{DAYS} days have run again")

    def run_ids(self) -> list[str]:
        """Of all days."""
        return sorted(self._airflow.runs(self._dag_id))

    def states(self) -> list[str]:
        """Of each day's task."""
        return [str(self._airflow.task(self._dag_id, run_id, task_id="send")["state"]) for run_id in self.run_ids()]

    def returned(self, run_id: str) -> dict[str, object]:
        """A day's counts."""
        value = self._airflow.return_value(self._dag_id, run_id, task_id="send")
        assert isinstance(value, dict)
        return value

    def log_text(self, run_id: str) -> str:
        """Of a day's first try."""
        return self._airflow.log_text(self._dag_id, run_id, task_id="send")

    def _have_ended(self, before: Mapping[str, int]) -> bool:
        states = self._airflow.runs(self._dag_id)
        return (
            len(states) == DAYS
            and set(states.values()) == {"success"}
            and all(tries > before.get(run_id, 0) for run_id, tries in self._tries().items())
        )

    def _tries(self) -> dict[str, int]:
        return {
            run_id: int(self._airflow.task(self._dag_id, run_id, task_id="send")["try_number"])
            for run_id in self._airflow.runs(self._dag_id)
        }


def test_a_backfill_sends_nothing_unless_it_is_allowed_and_then_everything_once(
    airflow: AirflowProcesses, sandbox: SandboxProcess
) -> None:
    days = Backfilled(airflow, sandbox, "backfilled")
    days.backfill()
    assert days.states() == ["skipped"] * DAYS
    assert sandbox.asks() == {}
    assert all("Nothing was sent" in days.log_text(run_id) for run_id in days.run_ids())
    assert all("dropcowboy_allow_stale" in days.log_text(run_id) for run_id in days.run_ids())

    days.backfill("--dag-run-conf", '{"dropcowboy_allow_stale": true}')
    assert days.states() == ["success"] * DAYS
    assert sandbox.takes_by_phone() == numbers(*range(DAYS * A_DAY))
    assert {days.returned(run_id)["asked"] for run_id in days.run_ids()} == {A_DAY}

    days.backfill()
    assert sandbox.takes_by_phone() == numbers(*range(DAYS * A_DAY))
    assert set(sandbox.asks().values()) == {1}
    assert {(days.returned(run_id)["asked"], days.returned(run_id)["already"]) for run_id in days.run_ids()} == {
        (0, A_DAY)
    }
