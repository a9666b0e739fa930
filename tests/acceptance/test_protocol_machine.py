"""Promises P1 and P2 under any interleaving of runs, zombies, persons, callbacks and a vendor that loses answers."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from airflow_provider_dropcowboy.api.v2.vendor import KEY_LASTS
from airflow_provider_dropcowboy.ledger.database import open_ledger
from airflow_provider_dropcowboy.states import DOUBT_LASTS, State
from tests.acceptance._protocol_broken import (
    BrokenMachine,
    KeysOutliveTheMemory,
    NextRunRewritesClaims,
    NoLease,
    ReleasedIsNotTheLastAct,
    RetryAfterIsProof,
    SettledAtAnyTime,
)
from tests.acceptance._protocol_clocks import NOON, MachineClock, PostgresClock
from tests.acceptance._protocol_keyed import REFUSED, REJECTED, SENT, KeyedFate, KeyedMachine
from tests.acceptance._protocol_machine import ProtocolMachine
from tests.acceptance._protocol_sender import Sender, World
from tests.acceptance._protocol_vendor import Fate, Witness

pytestmark = pytest.mark.timeout(900)  # a thousand commits, on a machine that may be busy

A, B, A_CORRECTED = ("a", "+15045550101"), ("b", "+15045550101"), ("a", "+15045550102")

NewWorld = Callable[[], World]


@pytest.fixture
def new_world(tmp_path: Path) -> Iterator[NewWorld]:
    """A world on one SQLite ledger; each has a campaign of its own."""
    with time_machine.travel(NOON, tick=False) as traveller:
        ledger = open_ledger(f"sqlite:///{tmp_path / 'ledger.db'}", may_create=True)
        yield lambda: World(ledger, MachineClock(traveller), Witness())
        ledger.engine.dispose()


@pytest.fixture
def new_world_on_postgresql(postgres_url: str) -> Iterator[NewWorld]:
    """The same on PostgreSQL, whose clock the test moves."""
    with PostgresClock(postgres_url) as clock:
        ledger = open_ledger(clock.ledger_url, may_create=True)
        yield lambda: World(ledger, clock, Witness())
        ledger.engine.dispose()


@pytest.fixture
def machine(new_world: NewWorld) -> ProtocolMachine:
    """Played by hand: one interleaving that broke a promise once."""
    return ProtocolMachine(new_world())


def test_no_interleaving_calls_anybody_twice_or_loses_a_row(new_world: NewWorld) -> None:
    _search(ProtocolMachine, new_world, settings(max_examples=25, stateful_step_count=40))


@pytest.mark.parametrize(("machine", "examples"), [(ProtocolMachine, 12), (KeyedMachine, 25)], ids=["v1", "v2"])
def test_no_interleaving_on_postgresql_does_either(
    new_world_on_postgresql: NewWorld, machine: type[ProtocolMachine], examples: int
) -> None:
    _search(machine, new_world_on_postgresql, settings(max_examples=examples, stateful_step_count=40))


@pytest.mark.parametrize(
    "broken",
    [
        ReleasedIsNotTheLastAct,
        NextRunRewritesClaims,
        SettledAtAnyTime,
        NoLease,
        RetryAfterIsProof,
        KeysOutliveTheMemory,
    ],
)
def test_the_search_finds_what_breaks_without_a_rule(new_world: NewWorld, broken: type[BrokenMachine]) -> None:
    # the first find is enough, and it is the same each time
    limits = settings(max_examples=1_000, stateful_step_count=30, derandomize=True, database=None)
    with pytest.raises(AssertionError, match=broken.failure):
        _search(broken, new_world, settings(limits, phases=[Phase.generate]))


def test_a_number_in_doubt_stays_taken_when_its_contact_has_another_number_now(machine: ProtocolMachine) -> None:
    first = _begin(machine)
    machine.do("claim", (first, [A]), False)
    machine.do("write", (first, "a"), Fate.LOST_AFTER_TAKING)
    machine.do("time_passes", DOUBT_LASTS)
    second = _begin(machine, resend_after=DOUBT_LASTS)
    machine.do("claim", (second, [A_CORRECTED]), False)
    machine.do("claim", (second, [B]), False)
    assert not second.to_write


@pytest.mark.parametrize("fate", [Fate.LIMITED, Fate.REJECTED, Fate.UNAUTHORIZED, Fate.NOT_CONNECTED])
def test_a_resend_that_was_not_taken_leaves_the_first_request_in_doubt(machine: ProtocolMachine, fate: Fate) -> None:
    first = _begin(machine)
    machine.do("claim", (first, [A]), False)
    machine.do("write", (first, "a"), Fate.LOST_AFTER_TAKING)
    machine.do("time_passes", DOUBT_LASTS)
    second = _begin(machine, resend_after=DOUBT_LASTS)
    machine.do("claim", (second, [A]), False)
    machine.do("write", (second, "a"), fate)
    machine.do("stop", second, False)
    machine.do("record", (second, ["a"]))
    machine.do("claim", (second, [B]), False)
    assert [row.state for row in machine.rows.values()] == [State.UNKNOWN]
    assert not second.to_write


def test_a_result_that_rejects_a_resend_leaves_the_first_request_in_doubt(new_world: NewWorld) -> None:
    machine = KeyedMachine(new_world())
    first = _begin(machine)
    machine.do("claim", (first, [A]), False)
    machine.do("write", (first, "a"), KeyedFate(Fate.LOST_AFTER_TAKING, SENT))
    machine.do("time_passes", KEY_LASTS)
    second = _begin(machine, resend_after=DOUBT_LASTS)
    machine.do("claim", (second, [A]), False)
    machine.do("write", (second, "a"), KeyedFate(Fate.ACCEPTED, REJECTED))
    machine.do("record", (second, ["a"]))
    machine.do("a_callback_comes", machine.results()[-1], False)
    machine.do("claim", (second, [B]), False)
    assert [row.state for row in machine.rows.values()] == [State.UNKNOWN]
    assert not second.to_write


def test_a_result_before_a_stopping_run_looks_up_its_next_attempt_is_no_contradiction(new_world: NewWorld) -> None:
    machine = KeyedMachine(new_world())
    run = _begin(machine)
    other = ("c", "+15045550103")
    machine.do("claim", (run, [A, other]), False)
    machine.do("write", (run, "a"), KeyedFate(Fate.LOST_AFTER_TAKING, SENT))
    machine.do("write", (run, "c"), KeyedFate(Fate.LOST_AFTER_TAKING, REFUSED))
    machine.do("ask_again", (run, ["a"]), True)
    delivered, refused = machine.results()
    machine.do("a_callback_comes", delivered, True)
    machine.do("a_callback_comes", refused, True)  # it stops the runs of the account
    machine.do("look_up_a_claim_whose_commit_got_no_answer", run)
    machine.do("record", (run, ["a", "c"]))
    machine.do("end", run)
    assert {row.state for row in machine.rows.values()} == {State.DELIVERED, State.RELEASED}


def test_a_callback_that_overtakes_a_resend_is_no_contradiction(machine: ProtocolMachine) -> None:
    first = _begin(machine)
    machine.do("claim", (first, [A]), False)
    machine.do("write", (first, "a"), Fate.LOST_AFTER_TAKING)
    machine.do("time_passes", DOUBT_LASTS)
    second = _begin(machine, resend_after=DOUBT_LASTS)
    machine.do("claim", (second, [A]), False)
    machine.do("write", (second, "a"), Fate.LIMITED)
    machine.do("a_callback_comes", machine.world.witness.takes[0], True)
    machine.do("ask_again", (second, ["a"]), False)
    machine.do("end", second)


def _search(machine_class: type[ProtocolMachine], new_world: NewWorld, limits: settings) -> None:
    run_state_machine_as_test(
        lambda: machine_class(new_world()),  # type: ignore[arg-type]  # whatever makes a machine will do
        settings=settings(limits, suppress_health_check=[HealthCheck.too_slow]),  # a commit takes as long as the disk
    )


def _begin(machine: ProtocolMachine, resend_after: timedelta | None = None) -> Sender:
    machine.do("begin", "first", resend_after)
    return machine.senders[-1]
