"""A mirror is exact under faults of every route, and after a death at any step."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from threading import Event
from typing import Any

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.v1.vendor import V1
from airflow_provider_dropcowboy.api.wire import NotWritten
from airflow_provider_dropcowboy.errors import (
    ConfigurationError,
    DropCowboyError,
    InterruptedRunError,
    NotTakenError,
    SourceError,
    VendorDownError,
)
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings
from airflow_provider_dropcowboy.ledger import list_contacts
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.runs import Who
from airflow_provider_dropcowboy.ledger.syncs import LEASE, Hold, begin_sync, last_syncs
from airflow_provider_dropcowboy.ledger.syncs import Sync as SyncRow
from airflow_provider_dropcowboy.lists import appending
from airflow_provider_dropcowboy.lists.vendor import Vendor
from airflow_provider_dropcowboy.secret import Secret
from tests.clock import MovableClock
from tests.integration.lists.between import Between, Body
from tests.integration.lists.conftest import NoWait, Row, Sync, ids, inside, let_holds_lapse, person, persons
from tests.sandbox_process import SandboxProcess

FAULTS = ("lose_answer", "drop_request", "429", "500_after", "500_before", "html_200_before", "not_found_html")

MAX_STEPS = 60
"""More than a sync has; so that a test of each step ends."""


class Death(BaseException):
    """The process is gone: nothing after this happens in it."""


class At(NoWait):
    """Does something at the n-th moment at which the sync looks whether it is to stop."""

    def __init__(self, moment: int) -> None:
        self._left = moment
        self.is_reached = False

    @property
    def reason(self) -> str | None:  # type: ignore[override]
        self._left -= 1
        if self._left == 0:
            self.is_reached = True
            self.happen()
        return None

    def order(self, reason: str) -> None:
        """A heartbeat's word is not heard: the steps must notice by themselves."""

    def happen(self) -> None:
        raise Death


def failure_of(act: Callable[[], object]) -> DropCowboyError | None:
    """What an act failed with."""
    try:
        act()
    except DropCowboyError as error:
        return error
    return None


ROUTES = ("create", "show", "rename", "delete", "append")
MEETINGS = [
    (("sqlite", "postgresql")[(row + column) % 2], route, fault)
    for row, route in enumerate(ROUTES)
    for column, fault in enumerate(FAULTS)
]
"""Each fault on each route, on one of the databases: what they hold is tested on both."""


@pytest.mark.parametrize(("ledger_url", "route", "fault"), MEETINGS, indirect=["ledger_url"])
def test_a_mirror_is_exact_though_every_second_request_fails(
    route: str, fault: str, sync: Sync, sandbox: SandboxProcess
) -> None:
    sync(persons(4))
    sandbox.fault(fault, route=route, share=0.5)
    summary = sync([person(0), person(1, first="Ann"), *persons(3, first=3)])
    held = inside(sandbox)
    assert ids(held.pop("leads")) == [0, 1, 3, 4, 5]
    assert held == {name: [] for name in summary.left_over}
    assert fault in {"lose_answer", "500_after"} or route != "create" or not held


def test_a_list_whose_creating_answer_was_lost_is_named(
    sync: Sync, sandbox: SandboxProcess, caplog: pytest.LogCaptureFixture
) -> None:
    sandbox.fault("lose_answer", route="create", times=2)
    summary = sync(persons(2))
    held = inside(sandbox)
    assert ids(held.pop("leads")) == [0, 1]
    assert sorted(held) == sorted(summary.left_over)
    assert len(held) == 2
    assert all(f"creating contact list {name!r} was lost" in caplog.text for name in held)


def test_a_list_is_built_anew_when_a_part_of_an_append_may_be_in_it(sync: Sync, sandbox: SandboxProcess) -> None:
    appends: list[str] = []

    def spoil_one(_method: str, path: str, body: Body) -> Body:
        if path.endswith("/contacts"):
            appends.append(path)
            if len(appends) == 1:
                body["values"][0][1] = "n/a"
        return body

    def lose_first(_method: str, path: str, answer: Any) -> Any:
        return [] if path.endswith("/contacts") and len(appends) == 1 else answer

    with Between(sandbox.base_url) as vendor:
        vendor.asking, vendor.answering = spoil_one, lose_first
        summary = sync(persons(3), account=Account(sandbox.team_id, Secret(sandbox.secret), vendor.base_url))
    assert {name: ids(contacts) for name, contacts in inside(sandbox).items()} == {"leads": [0, 1, 2]}
    assert summary.appends == 2


def test_a_list_that_counts_otherwise_than_it_answers_is_never_put_in_place(
    sync: Sync, sandbox: SandboxProcess
) -> None:
    def one_less(method: str, _path: str, answer: Any) -> Any:
        return {**answer, "contact_count": answer["contact_count"] - 1} if method == "GET" else answer

    with Between(sandbox.base_url) as vendor:
        vendor.answering = one_less
        with pytest.raises(VendorDownError, match="was built 4 times"):
            sync(persons(3), account=Account(sandbox.team_id, Secret(sandbox.secret), vendor.base_url))
    assert inside(sandbox) == {}


@pytest.mark.parametrize("mode", ["append", "mirror"])
def test_a_sync_that_died_at_any_step_is_continued(
    mode: str, sync: Sync, sandbox: SandboxProcess, ledger: Ledger
) -> None:
    wanted = [person(0), person(1, first="Ann"), *persons(3, first=3)] if mode == "mirror" else persons(6)
    for moment in range(1, MAX_STEPS):
        name = f"list {moment}"
        sync(persons(4), mode=mode, list_name=name)
        stop = At(moment)
        try:
            sync(wanted, mode=mode, list_name=name, stop=stop)
        except Death:
            let_holds_lapse(ledger)
        sync(wanted, mode=mode, list_name=name)
        held = inside(sandbox)
        assert ids(held[name]) == ids({"record_id": row["id"]} for row in wanted)
        sandbox.reset()
        if not stop.is_reached:
            break
    else:
        pytest.fail("it never came to its end")
    assert moment > 4


def test_a_first_mirror_that_died_at_any_step_leaves_nothing_behind(
    sync: Sync, sandbox: SandboxProcess, ledger: Ledger
) -> None:
    for moment in range(1, MAX_STEPS):
        stop = At(moment)
        try:
            sync(persons(3), list_name=f"list {moment}", stop=stop)
        except Death:
            let_holds_lapse(ledger)
        summary = sync(persons(5), list_name=f"list {moment}")
        held = inside(sandbox)
        assert ids(held.pop(f"list {moment}")) == [0, 1, 2, 3, 4]
        assert set(held) <= set(summary.left_over)
        sandbox.reset()
        if not stop.is_reached:
            break
    else:
        pytest.fail("it never came to its end")


def test_a_sync_that_was_taken_over_does_nothing_more(sync: Sync, sandbox: SandboxProcess, ledger: Ledger) -> None:
    class TakenOver(At):
        name = ""

        def happen(self) -> None:
            let_holds_lapse(ledger)
            sync(persons(3, first=1), list_name=self.name)

    for moment in range(1, MAX_STEPS):
        stop = TakenOver(moment)
        stop.name = f"list {moment}"
        sync(persons(4), list_name=stop.name)
        ended = failure_of(partial(sync, persons(2), list_name=stop.name, stop=stop))
        if stop.is_reached:
            assert "another sync's" in str(ended)
            assert {name: ids(contacts) for name, contacts in inside(sandbox).items()} == {stop.name: [1, 2, 3]}
        sandbox.reset()
        if not stop.is_reached:
            break
    else:
        pytest.fail("it never came to its end")
    assert moment > 4


def test_a_second_sync_beside_one_that_lives_fails_clearly(sync: Sync, ledger: Ledger, sandbox: SandboxProcess) -> None:
    account = Account(sandbox.team_id, Secret(sandbox.secret), sandbox.base_url).name
    who = Who(dag_id="contacts", task_id="mirror")
    first = begin_sync(ledger, account, name="leads", mode="mirror", who=who, timeout_s=5.0)
    assert isinstance(first, SyncRow)
    hold = Hold(ledger, first)

    class Living(NoWait):
        def wait(self, seconds: float) -> None:
            hold.beat()

    with pytest.raises(NotTakenError, match=r"is being changed by contacts\.mirror on .*, which lives"):
        sync(persons(3), stop=Living())
    assert sandbox.lists() == {}


def test_a_sync_waits_until_a_dead_ones_lease_and_calls_are_over(
    sync: Sync, ledger: Ledger, sandbox: SandboxProcess
) -> None:
    account = Account(sandbox.team_id, Secret(sandbox.secret), sandbox.base_url).name
    begin_sync(ledger, account, name="leads", mode="mirror", who=Who(), timeout_s=5.0)
    waits: list[float] = []

    class Waiting(NoWait):
        def wait(self, seconds: float) -> None:
            waits.append(seconds)
            if len(waits) == 3:
                let_holds_lapse(ledger)

    sync(persons(3), stop=Waiting())
    assert ids(inside(sandbox)["leads"]) == [0, 1, 2]
    assert len(waits) == 3
    assert [past.end_reason for past in last_syncs(ledger, account, name="leads")] == [None, "replaced by another sync"]


def test_a_sync_that_is_told_to_stop_records_what_was_under_way(sync: Sync, sandbox: SandboxProcess) -> None:
    stop = NoWait()

    def order(_method: str, path: str, body: Body) -> Body:
        if path.endswith("/contacts"):
            stop.order("the task is to end")
        return body

    with Between(sandbox.base_url) as vendor:
        account = Account(sandbox.team_id, Secret(sandbox.secret), vendor.base_url)
        vendor.asking = order
        with pytest.raises(InterruptedRunError, match="the task is to end"):
            sync(persons(3), account=account, stop=stop)
        summary = sync(persons(3), account=account)
    assert ids(inside(sandbox)["leads"]) == [0, 1, 2]
    assert summary.appends == 0


def test_a_new_list_is_gone_on_with_where_its_source_failed(sync: Sync, sandbox: SandboxProcess) -> None:
    def failing() -> Iterator[Row]:
        yield from persons(22_000)
        raise SourceError("the database failed")

    with pytest.raises(SourceError):
        sync(failing())
    assert "leads" not in inside(sandbox)
    summary = sync(persons(25_000))
    assert {name: ids(contacts) for name, contacts in inside(sandbox).items()} == {"leads": list(range(25_000))}
    assert (summary.added, summary.appends) == (25_000, 1)


def test_an_append_that_a_dead_sync_only_prepared_is_begun_by_the_next(
    sync: Sync, ledger: Ledger, sandbox: SandboxProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_prepared = Event()
    monkeypatch.setattr(V1, "list_rules", replace(V1.list_rules, max_rows=10))

    def wait_for_it(_method: str, path: str, body: Body) -> Body:
        if path.endswith("/contacts"):
            assert is_prepared.wait(60)
        return body

    def claim(*given: Any, **named: Any) -> int:
        append_id = list_contacts.claim_append(*given, **named)
        if named["is_prepared"]:
            is_prepared.set()
        return append_id

    def die(*_: object, **__: object) -> None:
        raise Death

    with Between(sandbox.base_url) as vendor:
        account = Account(sandbox.team_id, Secret(sandbox.secret), vendor.base_url)
        vendor.asking = wait_for_it
        with monkeypatch.context() as patched:
            patched.setattr(appending, "claim_append", claim)
            patched.setattr(appending, "begin_append", die)
            with pytest.raises(Death):  # four appends are under way, and nobody records three of them
                sync(persons(50), account=account)
        assert [len(contacts) for contacts in inside(sandbox).values()] == [40]
        vendor.pass_unchanged()
        let_holds_lapse(ledger)
        summary = sync(persons(50), account=account)
    assert {name: ids(contacts) for name, contacts in inside(sandbox).items()} == {"leads": list(range(50))}
    assert (summary.added, summary.appends) == (50, 1)


def test_a_source_that_cannot_be_read_at_all_creates_nothing(sync: Sync, sandbox: SandboxProcess) -> None:
    with pytest.raises(ConfigurationError, match="no column 'mobile'"):
        sync([{"id": 1}])
    assert sandbox.lists() == {}


def test_a_list_is_not_changed_by_a_machine_that_slept_past_its_lease(
    sync: Sync, ledger: Ledger, sandbox: SandboxProcess
) -> None:
    account = Account(sandbox.team_id, Secret(sandbox.secret), sandbox.base_url)
    first = begin_sync(ledger, account.name, name="leads", mode="mirror", who=Who(), timeout_s=5.0)
    assert isinstance(first, SyncRow)
    clock = MovableClock()
    hold = Hold(ledger, first, clock=clock)
    vendor = Vendor(ConnectionSettings(account=account), hold, stop=NoWait())
    with hold.writing("create"):
        pass
    clock.suspend(LEASE)
    assert vendor.write_once(V1().create_list("leads").request, lease_ends=hold.lease_ends) == NotWritten(
        "the claim's lease was over"
    )
    assert sandbox.lists() == {}
