"""A task that starts at six in the morning in New York sends through all zones, in waves, never outside a window."""

import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import time_machine
from airflow.sdk import DAG
from pytest_mock import MockerFixture

from airflow_provider_dropcowboy.operators.rvm import SendRvmOperator
from tests.in_airflow.dag_runs import clear_and_rerun, run_dag
from tests.in_airflow.vendor import VOICEMAIL
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata_database", "vendor_connection")]

SIX_IN_NEW_YORK = datetime(2026, 12, 2, 11, 0, tzinfo=UTC)
ZONES = {
    "+12125550100": "America/New_York",
    "+13125550100": "America/Chicago",
    "+13035550100": "America/Denver",
    "+12135550100": "America/Los_Angeles",
    "+18085550100": "Pacific/Honolulu",
}


@pytest.fixture
def clock(mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch) -> Iterator[time_machine.Traveller]:
    """The process's clock, at six in New York; whoever waits in a trigger moves it. The rules are those shipped."""
    monkeypatch.delenv("AIRFLOW__DROPCOWBOY__CALLING_HOURS_RULES")
    with time_machine.travel(SIX_IN_NEW_YORK, tick=True) as traveller:

        async def pass_time(seconds: float) -> None:
            traveller.shift(timedelta(seconds=seconds))

        # the trigger's own view of asyncio alone: the engine must go on sleeping
        mocker.patch("airflow_provider_dropcowboy.triggers.opening.asyncio", SimpleNamespace(sleep=pass_time))
        yield traveller


def sending(**arguments: Any) -> DAG:
    people = [{"contact_id": number[-7:] + zone, "phone": number} for number, zone in ZONES.items()]
    with DAG("waves", schedule=None) as dag:
        SendRvmOperator(
            task_id="send", **{"contacts": lambda: people, "key_column": "contact_id", **VOICEMAIL, **arguments}
        )
    return dag


def claimed_at() -> dict[str, datetime]:
    """When each number was claimed, by the ledger."""
    path = os.environ["DROPCOWBOY_LEDGER_URL"].removeprefix("sqlite:///")
    with closing(sqlite3.connect(path)) as ledger:
        rows = ledger.execute("SELECT phone_number, claimed_at FROM dropcowboy_sends").fetchall()
    return {number: datetime.fromisoformat(at).replace(tzinfo=UTC) for number, at in rows}


def test_a_task_sends_through_all_zones_and_never_outside_a_window(
    sandbox: SandboxProcess, clock: time_machine.Traveller
) -> None:
    send = run_dag(sending()).task("send")
    assert send.error is None
    assert sandbox.takes_by_phone() == dict.fromkeys(ZONES, 1)
    assert (send.returned["read"], send.returned["accepted"], send.returned["asked"]) == (5, 5, 5)
    for number, at in claimed_at().items():
        assert 8 <= at.astimezone(ZoneInfo(ZONES[number])).hour < 21
    assert len({at.replace(minute=0, second=0, microsecond=0) for at in claimed_at().values()}) >= 3


def test_a_dry_run_foresees_the_waves_in_which_the_task_then_sends(
    sandbox: SandboxProcess, clock: time_machine.Traveller
) -> None:
    forecast: Any = run_dag(sending(dry_run=True)).task("send").returned["forecast"]
    assert sandbox.asks() == {}
    foreseen = [(datetime.fromisoformat(wave["begins_at"]), wave["sends"]) for wave in forecast["waves"]]
    run_dag(sending())
    waves = Counter(at.replace(minute=0, second=0, microsecond=0) for at in claimed_at().values())
    assert foreseen == sorted(waves.items())


def test_rows_left_held_are_sent_by_a_rerun_of_the_campaign(
    sandbox: SandboxProcess, clock: time_machine.Traveller
) -> None:
    run = run_dag(sending(on_held="leave"))
    assert (run.task("send").returned["held"], run.task("send").returned["asked"]) == (5, 0)
    clock.move_to(SIX_IN_NEW_YORK + timedelta(hours=8))
    again = clear_and_rerun(run).task("send")
    assert again.returned["asked"] == 5
    assert sandbox.takes_by_phone() == dict.fromkeys(ZONES, 1)


def test_a_task_waits_no_longer_than_its_deadline(sandbox: SandboxProcess, clock: time_machine.Traveller) -> None:
    send = run_dag(sending(wave_deadline=timedelta(hours=6, minutes=30))).task("send")
    assert (send.returned["held"], send.returned["asked"]) == (1, 4)
    assert "+18085550100" not in sandbox.takes_by_phone()


def test_who_is_no_longer_read_when_the_hours_open_is_withdrawn(
    sandbox: SandboxProcess, clock: time_machine.Traveller
) -> None:
    people = [{"contact_id": number, "phone": number} for number in ZONES]
    readings: list[int] = []

    def shrinking() -> list[dict[str, str]]:
        readings.append(len(people))
        return people if len(readings) == 1 else people[:-1]

    send = run_dag(sending(contacts=shrinking)).task("send")
    assert (send.returned["withdrawn"], send.returned["accepted"], send.returned["read"]) == (1, 4, 5)
    assert "+18085550100" not in sandbox.takes_by_phone()


def test_a_banned_state_is_suppressed_and_an_informational_message_is_not(
    sandbox: SandboxProcess, clock: time_machine.Traveller
) -> None:
    clock.move_to(SIX_IN_NEW_YORK + timedelta(hours=8))
    people = [{"contact_id": 1, "phone": "+12065550100"}]  # Seattle
    sold = run_dag(sending(contacts=lambda: people)).task("send")
    assert sold.returned["suppressed"] == 1
    told = run_dag(sending(contacts=lambda: people, message_kind="informational")).task("send")
    assert told.returned["accepted"] == 1
