"""A receiver over a ledger with sends, for every test of it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, Protocol

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.api.wire import Outcome
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.digest import number_digest
from airflow_provider_dropcowboy.ledger.schema import CALLBACKS
from airflow_provider_dropcowboy.screening.screen import Message
from tests.integration.ledger.conftest import Desk, begin, messages
from tests.integration.receiver.running import RunningReceiver


class Start(Protocol):
    def __call__(self, **options: Any) -> RunningReceiver: ...


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger, begin(ledger))


@pytest.fixture
def accepted(desk: Desk) -> Callable[[int], list[Message]]:
    """Messages that the vendor accepted: ``accepted(3)``."""

    def make(count: int) -> list[Message]:
        asked = [
            replace(item, number_digest=number_digest(desk.ledger.key, item.phone)) for item in messages(range(count))
        ]
        desk.record(*desk.claim(*asked).claimed, kind=Outcome.ACCEPTED)
        return asked

    return make


@pytest.fixture
def start(ledger: Ledger, tmp_path: Path) -> Iterator[Start]:
    """Starts receivers of the ledger; they have ended after the test."""
    with ExitStack() as running:

        def start_one(**options: Any) -> RunningReceiver:
            url = ledger.engine.url.render_as_string(hide_password=False)
            return running.enter_context(RunningReceiver(tmp_path / "spool", **{"ledger_url": url, **options}))

        yield start_one


@pytest.fixture
def receiver(start: Start) -> RunningReceiver:
    """One whose ledger is open."""
    running = start()
    running.wait_for_ledger()
    return running


def kept(ledger: Ledger) -> list[Any]:
    """The callbacks in the ledger, in their order."""
    with ledger.reading() as connection:
        return list(connection.execute(sa.select(CALLBACKS).order_by(CALLBACKS.c.id)))
