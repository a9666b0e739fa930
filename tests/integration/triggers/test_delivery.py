"""The trigger and a ledger."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from airflow.triggers.base import TriggerEvent

from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from airflow_provider_dropcowboy.triggers.dropcowboy import DropCowboyDeliveryTrigger
from tests.integration.sent import Sent

CONNECTION: Final = {
    "conn_type": "dropcowboy",
    "login": "team",
    "password": "the-secret",
    "host": "http://127.0.0.1/v1",
    "extra": {"callback_url": "https://hooks.example.com", "callback_secret": "another-callback-secret"},
}


@pytest.fixture
def ledger_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the ledger of ``dropcowboy_default`` is; it is not there yet."""
    monkeypatch.setenv("AIRFLOW_CONN_DROPCOWBOY_DEFAULT", json.dumps(CONNECTION))
    monkeypatch.setenv("DROPCOWBOY_LEDGER_URL", f"sqlite:///{tmp_path / 'ledger.db'}")
    return tmp_path / "ledger.db"


@pytest.fixture
def ledger(ledger_file: Path) -> Iterator[Ledger]:
    opened = open_ledger(f"sqlite:///{ledger_file}", may_create=True)
    yield opened
    opened.engine.dispose()


def trigger(*, poke_interval_s: float = 0.01) -> DropCowboyDeliveryTrigger:
    return DropCowboyDeliveryTrigger(
        dropcowboy_conn_id="dropcowboy_default",
        campaign="spring",
        min_final_share=1.0,
        expire_after_s=3600.0,
        poke_interval_s=poke_interval_s,
    )


async def first_event(waiting: DropCowboyDeliveryTrigger) -> TriggerEvent:
    return await anext(aiter(waiting.run()))


async def until_logged(text: str, event: "asyncio.Task[TriggerEvent]", caplog: pytest.LogCaptureFixture) -> None:
    """The trigger said so, and goes on waiting."""
    while text not in caplog.text:
        await asyncio.wait([event], timeout=0.02)
        assert not event.done()


def test_it_fires_once_the_last_result_is_there(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", logger="airflow_provider_dropcowboy.triggers.dropcowboy")
    sent = Sent(ledger)
    sent.ask([1, 2])
    sent.tell(1)
    sent.end()

    async def wait() -> TriggerEvent:
        event = asyncio.create_task(first_event(trigger()))
        await until_logged("1 of 2 accepted sends are final", event, caplog)
        await asyncio.to_thread(sent.tell, 2)
        return await asyncio.wait_for(event, 60)

    assert asyncio.run(wait()).payload == {"error": None}


def test_it_waits_while_the_ledgers_database_is_away(
    ledger: Ledger, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = "postgresql+psycopg://nobody@127.0.0.1:1/nothing"
    here = str(ledger.engine.url)
    Sent(ledger).end()

    async def wait() -> TriggerEvent:
        monkeypatch.setenv("DROPCOWBOY_LEDGER_URL", away)
        event = asyncio.create_task(first_event(trigger()))
        await until_logged("The look failed", event, caplog)
        monkeypatch.setenv("DROPCOWBOY_LEDGER_URL", here)
        return await asyncio.wait_for(event, 60)

    assert asyncio.run(wait()).payload == {"error": None}


def test_without_a_ledger_it_says_so_and_makes_none(ledger_file: Path) -> None:
    event = asyncio.run(asyncio.wait_for(first_event(trigger()), 60))
    assert "There is no ledger" in str(event.payload["error"])
    assert not ledger_file.exists()


def test_what_airflow_stores_of_it_is_json_and_makes_it_again() -> None:
    path, arguments = trigger().serialize()
    assert path == "airflow_provider_dropcowboy.triggers.dropcowboy.DropCowboyDeliveryTrigger"
    again = DropCowboyDeliveryTrigger(**json.loads(json.dumps(arguments)))
    assert again.serialize() == (path, arguments)
