"""While the ledger is down, callbacks are on this machine's disk; when it is back, they are in it."""

import asyncio
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from pytest_mock import MockerFixture

from airflow_provider_dropcowboy.api.callbacks import Ticket
from airflow_provider_dropcowboy.ledger.database import Ledger, open_ledger
from airflow_provider_dropcowboy.ledger.reconcile import Match, Received, reconcile
from airflow_provider_dropcowboy.receiver import store
from airflow_provider_dropcowboy.receiver.app import spool_name
from airflow_provider_dropcowboy.receiver.arrival import Arrival, Metrics
from airflow_provider_dropcowboy.receiver.spool import Spool
from airflow_provider_dropcowboy.receiver.store import Store
from airflow_provider_dropcowboy.screening.screen import Message
from airflow_provider_dropcowboy.states import State
from tests.clock import BriskClock
from tests.integration.ledger.conftest import Desk
from tests.integration.receiver.conftest import Start, kept
from tests.integration.receiver.running import body
from tests.postgres_server import PostgresServer

Accepted = Callable[[int], list[Message]]


class TestSqlite:
    @pytest.fixture
    def ledger_url(self, tmp_path: Path) -> str:
        return f"sqlite:///{tmp_path / 'ledger.db'}"

    def test_while_the_ledger_is_locked_callbacks_are_answered_and_wait_on_disk(
        self, start: Start, desk: Desk, accepted: Accepted
    ) -> None:
        asked = accepted(20)
        receiver = start(clock=BriskClock())
        receiver.wait_for_ledger()
        with desk.ledger.writing():
            assert {receiver.post(item.foreign_id).status_code for item in asked} == {200}
            assert {desk.row(item).state for item in asked} == {State.ACCEPTED}
            assert receiver.ready()["ready"] is True
            assert receiver.ready()["spooled"] == 20
            assert receiver.metric("dropcowboy_callbacks_spooled_total") == 20
            assert receiver.metric("dropcowboy_spool_callbacks") == 20
            assert receiver.metric("dropcowboy_spool_bytes") > 20 * 50
        receiver.wait_for_ledger()
        assert {desk.row(item).state for item in asked} == {State.DELIVERED}
        assert receiver.metric("dropcowboy_spool_callbacks") == 0

    def test_before_the_first_sender_has_made_the_ledger_callbacks_wait(self, start: Start, tmp_path: Path) -> None:
        url = f"sqlite:///{tmp_path / 'later.db'}"
        receiver = start(ledger_url=url)
        assert receiver.post("f1").status_code == 200
        assert "There is no ledger at" in receiver.ready()["ledger"]
        made = open_ledger(url, may_create=True)
        receiver.wait_for_ledger()
        assert [row.foreign_id for row in kept(made)] == ["f1"]
        made.engine.dispose()

    def test_when_the_file_is_replaced_callbacks_go_into_the_new_one(
        self, start: Start, desk: Desk, accepted: Accepted, tmp_path: Path
    ) -> None:
        asked = accepted(30)
        receiver = start()
        receiver.wait_for_ledger()
        path, copy = tmp_path / "ledger.db", tmp_path / "copy.db"
        with closing(sqlite3.connect(path)) as ledger, closing(sqlite3.connect(copy)) as target:
            ledger.backup(target)
        assert receiver.post(asked[0].foreign_id).status_code == 200  # its connection is open
        for suffix in ("-wal", "-shm"):  # as docs/operations.md says
            path.with_name(f"ledger.db{suffix}").unlink()
        copy.replace(path)
        assert {receiver.post(item.foreign_id).status_code for item in asked[1:]} == {200}
        receiver.wait_for_ledger()
        now = open_ledger(f"sqlite:///{path}")
        assert {row.foreign_id for row in kept(now)} == {item.foreign_id for item in asked[1:]}
        now.engine.dispose()


class PausingServer(PostgresServer):
    """One that stops and comes back at the same address."""

    def pause(self) -> None:
        """Nobody reaches it; whoever was connected is cut off."""
        self._pg_ctl("stop", "--mode=immediate")

    def resume(self) -> None:
        """It is back, with what was committed."""
        self._pg_ctl("start", f"--log={self._installation.log}")


class TestPostgresql:
    @pytest.fixture
    def server(self) -> Iterator[PausingServer]:
        with PausingServer() as server:
            yield server

    @pytest.fixture
    def ledger_url(self, server: PausingServer) -> str:
        return server.url(server.create_database())

    def test_while_the_server_is_gone_callbacks_are_answered_and_wait_on_disk(
        self, server: PausingServer, start: Start, desk: Desk, accepted: Accepted
    ) -> None:
        before, meanwhile, after = (list(part) for part in (accepted(30)[n::3] for n in range(3)))
        receiver = start()
        receiver.wait_for_ledger()
        assert {receiver.post(item.foreign_id).status_code for item in before} == {200}
        server.pause()
        desk.ledger.engine.dispose()  # this test's own connections, which were cut off too
        assert {receiver.post(item.foreign_id).status_code for item in meanwhile} == {200}
        assert receiver.ready() == {
            "ready": True,
            "ledger": receiver.ready()["ledger"],
            "spool": "takes callbacks",
            "spooled": len(meanwhile),
            "problems": [],
        }
        server.resume()
        receiver.wait_for_ledger()
        assert {receiver.post(item.foreign_id).status_code for item in after} == {200}
        assert {desk.row(item).state for item in (*before, *meanwhile, *after)} == {State.DELIVERED}


def arrivals(*foreign_ids: str) -> list[Arrival]:
    return [Arrival(Ticket(foreign_id, 1), body()) for foreign_id in foreign_ids]


def nowhere(folder: Path) -> sa.URL:
    return sa.make_url(f"sqlite:///{folder / 'none.db'}")


def test_what_a_process_left_that_is_no_more_is_taken_over(
    start: Start, desk: Desk, accepted: Accepted, tmp_path: Path
) -> None:
    asked = accepted(3)
    first = start(ledger_url=str(nowhere(tmp_path)))
    assert {first.post(item.foreign_id).status_code for item in asked} == {200}
    first.stop()
    second = start()
    second.wait_for_ledger()
    assert {desk.row(item).state for item in asked} == {State.ACCEPTED}, "another ledger's callbacks are left alone"
    second.stop()

    folder = tmp_path / "spool"
    ours = folder / spool_name(desk.ledger.engine.url)
    (folder / spool_name(nowhere(tmp_path))).rename(ours)
    third = start()
    third.wait_for_ledger()
    assert {desk.row(item).state for item in asked} == {State.DELIVERED}
    assert list(ours.iterdir()) == []


def test_a_callback_for_which_there_is_no_room_anywhere_is_refused(tmp_path: Path) -> None:
    async def keep() -> list[bool]:
        full = Store(nowhere(tmp_path), Spool(tmp_path / "spool", max_bytes=5 * 4096), metrics=Metrics())
        answers = [await full.keep(arrivals("f1")), await full.keep(arrivals(*(f"f{number}" for number in range(500))))]
        await full.close()
        return answers

    assert asyncio.run(keep()) == [True, False]


def test_where_a_result_could_not_be_kept_it_is_not_ready(start: Start, tmp_path: Path) -> None:
    (tmp_path / "spool").touch()  # no folder: nothing can be spooled
    receiver = start(ledger_url=str(nowhere(tmp_path)))
    receiver.wait_for(ready=False)
    assert "There is no ledger at" in receiver.ready()["ledger"]
    assert "callbacks could not be spooled in" in receiver.ready()["spool"]
    assert receiver.post("f1").status_code == 503
    (tmp_path / "spool").unlink()
    receiver.wait_for(ready=True)
    assert receiver.post("f1").status_code == 200


def test_whatever_keeps_the_ledger_from_being_opened_it_is_tried_again(
    start: Start, ledger: Ledger, mocker: MockerFixture, caplog: pytest.LogCaptureFixture
) -> None:
    faults = [ModuleNotFoundError("No module named 'psycopg'"), RuntimeError(), SystemError(), OSError()]
    mocker.patch.object(store, "open_ledger", side_effect=[*faults, ledger])
    receiver = start()
    receiver.wait_for_ledger()
    for fault in faults:
        assert f"callbacks wait on disk: {type(fault).__name__}" in caplog.messages


def test_a_ledger_that_hangs_while_it_is_opened_is_opened_anew(
    start: Start, ledger: Ledger, mocker: MockerFixture
) -> None:
    ended = threading.Event()
    attempts: list[sa.URL] = []

    def open_the_second_time(url: sa.URL) -> Ledger:
        attempts.append(url)
        if len(attempts) == 1:
            ended.wait()
        return ledger

    mocker.patch.object(store, "open_ledger", side_effect=open_the_second_time)
    receiver = start(clock=BriskClock())
    receiver.wait_for_ledger()
    assert receiver.post("f1").status_code == 200
    assert [row.foreign_id for row in kept(ledger)] == ["f1"]
    ended.set()


def test_a_spool_entry_that_cannot_be_opened_keeps_no_callback_from_the_ledger(
    start: Start, ledger: Ledger, tmp_path: Path
) -> None:
    for name in ("1-a.spool", "1-a.db"):
        (tmp_path / "spool" / spool_name(ledger.engine.url) / name).mkdir(parents=True)
    receiver = start()
    receiver.wait_for_ledger()
    assert receiver.post("f1").status_code == 200
    assert [row.foreign_id for row in kept(ledger)] == ["f1"]


def test_one_callback_that_the_database_refuses_does_not_hold_up_the_others(
    ledger: Ledger, tmp_path: Path, mocker: MockerFixture
) -> None:
    def refuse_one(ledger: Ledger, received: Sequence[Received]) -> Counter[Match]:
        if any(item.foreign_id == "f7" and item.callback for item in received):
            raise ValueError("no database takes this")
        return reconcile(ledger, received)

    mocker.patch.object(store, "reconcile", side_effect=refuse_one)

    async def keep_all() -> None:
        keeping = Store(ledger.engine.url, Spool(tmp_path / "spool"), metrics=Metrics(), clock=BriskClock())
        assert await keeping.keep(arrivals(*(f"f{number}" for number in range(40))))
        running = asyncio.create_task(keeping.run())
        while keeping.spooled:  # noqa: ASYNC110  # the store tells nobody when it is done
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await keeping.close()

    asyncio.run(keep_all())
    assert {row.foreign_id: row.match for row in kept(ledger)} == {
        f"f{number}": "unreadable" if number == 7 else "unmatched" for number in range(40)
    }
