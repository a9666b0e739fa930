"""A task that starts at six in the morning in New York sends through all zones, in waves, never outside a window."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import time_machine
from airflow.providers.common.compat.sdk import AirflowFailException
from pytest_mock import MockerFixture

from airflow_provider_dropcowboy.ledger.database import open_ledger
from tests.in_airflow.dag_runs import clear_and_rerun, run_dag
from tests.in_airflow.waves import (
    SIX_IN_NEW_YORK,
    ZONES,
    claimed_at,
    go_on,
    move_clock_while_waiting,
    outside_hours,
    run_and_kill_between_waves,
    sending,
)
from tests.sandbox_process import SandboxProcess

pytestmark = [pytest.mark.airflow, pytest.mark.usefixtures("metadata_database", "vendor_connection")]


@pytest.fixture
def shipped_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """The calling hours are those that this package ships."""
    monkeypatch.delenv("AIRFLOW__DROPCOWBOY__CALLING_HOURS_RULES")


@pytest.fixture
def clock(mocker: MockerFixture, shipped_rules: None) -> Iterator[time_machine.Traveller]:
    """The process's clock, at six in New York; whoever waits in a trigger moves it."""
    with time_machine.travel(SIX_IN_NEW_YORK, tick=True) as traveller:
        # the trigger's own view of asyncio alone: the engine must go on sleeping
        waiting = move_clock_while_waiting(traveller, between=lambda: None)
        mocker.patch("airflow_provider_dropcowboy.triggers.dropcowboy.asyncio", waiting)
        yield traveller


def test_a_task_sends_through_all_zones_and_never_outside_a_window(
    sandbox: SandboxProcess, clock: time_machine.Traveller
) -> None:
    send = run_dag(sending()).task("send")
    assert send.error is None
    assert sandbox.takes_by_phone() == dict.fromkeys(ZONES, 1)
    assert (send.returned["read"], send.returned["accepted"], send.returned["asked"]) == (5, 5, 5)
    assert outside_hours() == []
    assert len({at.replace(minute=0, second=0, microsecond=0) for at in claimed_at().values()}) >= 3


def test_a_process_killed_between_two_waves_leaves_the_rest_to_a_later_one(
    sandbox: SandboxProcess, shipped_rules: None, mocker: MockerFixture
) -> None:
    run_id = run_and_kill_between_waves()
    assert sandbox.takes_by_phone() == {"+12125550100": 1}
    with time_machine.travel(SIX_IN_NEW_YORK + timedelta(hours=4, minutes=30), tick=True) as traveller:
        waiting = move_clock_while_waiting(traveller, between=lambda: None)
        mocker.patch("airflow_provider_dropcowboy.triggers.dropcowboy.asyncio", waiting)
        send = go_on(run_id).task("send")
    assert send.error is None
    assert send.try_number == 2
    assert (send.returned["read"], send.returned["accepted"]) == (5, 5)
    assert (send.returned["asked"], send.returned["already"]) == (4, 1)
    assert sandbox.takes_by_phone() == dict.fromkeys(ZONES, 1)
    assert outside_hours() == []


def test_a_wave_that_finds_another_ledger_sends_nothing_more(
    sandbox: SandboxProcess, clock: time_machine.Traveller, mocker: MockerFixture, monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:  # fmt: skip
    open_ledger(f"sqlite:///{tmp_path / 'other.db'}", may_create=True).engine.dispose()

    def swap() -> None:
        if sandbox.asks():
            monkeypatch.setenv("DROPCOWBOY_LEDGER_URL", f"sqlite:///{tmp_path / 'other.db'}")

    waiting = move_clock_while_waiting(clock, between=swap)
    mocker.patch("airflow_provider_dropcowboy.triggers.dropcowboy.asyncio", waiting)
    error = run_dag(sending()).task("send").error
    assert isinstance(error, AirflowFailException)
    assert "used ledger" in str(error)
    assert sandbox.takes_by_phone() == {"+12125550100": 1}


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
    sold = run_dag(sending(contacts=lambda: people, message_kind="marketing")).task("send")
    assert sold.returned["suppressed"] == 1
    told = run_dag(sending(contacts=lambda: people)).task("send")
    assert told.returned["accepted"] == 1
