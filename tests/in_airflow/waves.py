"""A task that sends through all zones of a country, in this process or in one that is killed between two waves."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final
from zoneinfo import ZoneInfo

import time_machine
from airflow.sdk import DAG

from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from airflow_provider_dropcowboy.triggers import dropcowboy
from tests.in_airflow.dag_runs import FinishedRun, clear_and_rerun, run_dag
from tests.in_airflow.vendor import VOICEMAIL

ROOT: Final = Path(__file__).parents[2]
BETWEEN: Final = "between two waves of "
DEADLINE_S: Final = 120.0

SIX_IN_NEW_YORK: Final = datetime(2026, 12, 2, 11, 0, tzinfo=UTC)
ZONES: Final = {
    "+12125550100": "America/New_York",
    "+13125550100": "America/Chicago",
    "+13035550100": "America/Denver",
    "+12135550100": "America/Los_Angeles",
    "+18085550100": "Pacific/Honolulu",
}


def sending(**arguments: Any) -> DAG:
    """One task that sends to a person of each zone."""
    people = [{"contact_id": number[-7:] + zone, "phone": number} for number, zone in ZONES.items()]
    with DAG("waves", schedule=None) as dag:
        SendRvmOperator(
            task_id="send",
            # California wants consent to sales by recording
            message_kind=arguments.pop("message_kind", "informational"),
            **{"contacts": lambda: people, "key_column": "contact_id", **VOICEMAIL, **arguments},
        )
    return dag


def claimed_at() -> dict[str, datetime]:
    """When each number was claimed, by the ledger."""
    path = os.environ["DROPCOWBOY_LEDGER_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as ledger:
        rows = ledger.execute("SELECT phone_number, claimed_at FROM dropcowboy_sends").fetchall()
    return {number: datetime.fromisoformat(at).replace(tzinfo=UTC) for number, at in rows}


def outside_hours() -> list[str]:
    """Numbers that were claimed at an hour at which their zone is not called; there must be none."""
    local = {number: at.astimezone(ZoneInfo(ZONES[number])) for number, at in claimed_at().items()}
    return [number for number, at_local in local.items() if not 8 <= at_local.hour < 21]


def move_clock_while_waiting(traveller: time_machine.Traveller, *, between: Callable[[], None]) -> Any:
    """What the trigger is to see as ``asyncio``: whoever waits for an opening moves the clock.

    :param between: is called before.
    """

    async def pass_time(seconds: float) -> None:
        between()
        traveller.shift(timedelta(seconds=seconds))

    return SimpleNamespace(sleep=pass_time)


def run_and_kill_between_waves() -> str:
    """The id of a run whose process began at six in New York, sent a first wave, and was killed before the second."""
    line = [sys.executable, "-m", "tests.in_airflow.waves"]
    with subprocess.Popen(line, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = next(line for line in process.stdout if line.startswith(BETWEEN))
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=DEADLINE_S)
    return said.removeprefix(BETWEEN).strip()


def go_on(run_id: str) -> FinishedRun:
    """The run to its end, its task cleared, in this process."""
    return clear_and_rerun(FinishedRun.known(sending(), run_id))


def main() -> None:
    from airflow.models.dagrun import DagRun
    from airflow.utils.session import create_session

    def say_and_wait() -> None:
        if claimed_at():
            with create_session() as session:
                print(BETWEEN + session.query(DagRun.run_id).scalar(), flush=True)
            sys.stdin.read()

    with time_machine.travel(SIX_IN_NEW_YORK, tick=True) as traveller:
        dropcowboy.asyncio = move_clock_while_waiting(traveller, between=say_and_wait)  # type: ignore[attr-defined]
        run_dag(sending())


if __name__ == "__main__":
    main()
