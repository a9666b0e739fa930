"""Secrets and connections may change while the receiver runs."""

from datetime import timedelta
from functools import partial

import pytest
import sqlalchemy as sa
from starlette.requests import Request

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.receiver.wiring import LOOK_AT_MOST_EVERY_S, Wiring
from airflow_provider_dropcowboy.secret import Secret
from tests.clock import BriskClock
from tests.integration.receiver.conftest import Start, kept


class Connection:
    """What a person has stored by now."""

    def __init__(self, ledger: Ledger, *secrets: str) -> None:
        self.secrets = secrets
        self.is_there = True
        self._url = ledger.engine.url

    def find(self) -> Wiring:
        if not self.is_there:
            raise ConfigurationError("There is no connection 'dropcowboy_default'.")
        return Wiring(tuple(map(Secret, self.secrets)), sa.make_url(self._url))


@pytest.fixture
def clock() -> BriskClock:
    return BriskClock()


@pytest.fixture
def start(start: Start, clock: BriskClock) -> Start:
    return partial(start, clock=clock)


def test_a_retired_secret_is_good_for_the_sends_made_under_it(start: Start, ledger: Ledger) -> None:
    receiver = start(find=Connection(ledger, "new-secret", "old-secret").find)
    receiver.wait_for_ledger()
    assert receiver.post("f1", secret="old-secret").status_code == 200
    assert receiver.post("f2", secret="new-secret").status_code == 200
    assert receiver.post("f3", secret="other-secret").status_code == 404
    assert [row.foreign_id for row in kept(ledger)] == ["f1", "f2"]


def test_a_new_secret_is_found_without_a_restart(start: Start, ledger: Ledger, clock: BriskClock) -> None:
    connection = Connection(ledger, "old-secret")
    receiver = start(find=connection.find)
    assert receiver.post("f1", secret="new-secret").status_code == 404
    connection.secrets = ("new-secret", "old-secret")
    clock.suspend(timedelta(seconds=LOOK_AT_MOST_EVERY_S))
    assert receiver.post("f1", secret="new-secret").status_code == 200


def test_what_is_known_stays_known_while_the_connection_cannot_be_read(
    start: Start, ledger: Ledger, clock: BriskClock
) -> None:
    connection = Connection(ledger, "old-secret")
    receiver = start(find=connection.find)
    receiver.wait_for_ledger()
    connection.is_there = False
    clock.suspend(timedelta(seconds=LOOK_AT_MOST_EVERY_S))
    assert receiver.post("f1", secret="other-secret").status_code == 404  # which made it look again
    assert receiver.post("f1", secret="old-secret").status_code == 200
    assert receiver.ready()["problems"] == ["There is no connection 'dropcowboy_default'."]


def test_without_a_connection_it_says_so_and_takes_callbacks_as_soon_as_there_is_one(
    start: Start, ledger: Ledger
) -> None:
    connection = Connection(ledger, "old-secret")
    connection.is_there = False
    receiver = start(find=connection.find)
    assert receiver.post("f1", secret="old-secret").status_code == 503
    assert receiver.ready() == {
        "ready": False,
        "ledger": "not known",
        "spool": "not known",
        "spooled": 0,
        "problems": ["There is no connection 'dropcowboy_default'."],
    }
    assert receiver.session.get(f"{receiver.url}/health", timeout=60).status_code == 200
    connection.is_there = True
    receiver.wait_for_ledger()
    assert receiver.post("f1", secret="old-secret").status_code == 200
    assert [row.foreign_id for row in kept(ledger)] == ["f1"]


def test_a_receiver_that_knows_no_secret_is_not_ready(start: Start, ledger: Ledger) -> None:
    receiver = start(find=Connection(ledger).find)
    receiver.wait_for_ledger()
    assert receiver.ready()["ready"] is False, "it answers every callback 503"
    assert start(find=Connection(ledger).find, takes_unsigned=True).ready()["ready"] is True


def test_who_is_not_logged_in_is_told_yes_or_no(start: Start, ledger: Ledger) -> None:
    connection = Connection(ledger, "secret")

    async def has_cookie(request: Request) -> bool:
        return "session" in request.cookies

    receiver = start(find=connection.find, may_see=has_cookie)
    receiver.session.cookies.set("session", "of a person")
    receiver.wait_for_ledger()
    receiver.session.cookies.clear()
    ready, metrics = (receiver.session.get(f"{receiver.url}/{path}", timeout=60) for path in ("ready", "metrics"))
    assert (ready.status_code, ready.text) == (200, "ready\n")
    assert (metrics.status_code, metrics.text) == (401, "Unauthorized")
