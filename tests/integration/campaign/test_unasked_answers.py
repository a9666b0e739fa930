"""An answer that nobody asked for frees no message, and accepts none, by the vendor's own books."""

from collections.abc import Mapping, Sequence

import pytest
import sqlalchemy as sa

from airflow_provider_dropcowboy.errors import NotTakenError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.schema import SENDS
from airflow_provider_dropcowboy.states import OPEN, State
from tests.integration.conftest import MakePlan, RunPlan, people
from tests.sandbox_process import SandboxProcess

Faults = Sequence[Mapping[str, object]]

UNASKED: Mapping[str, Faults] = {
    f"{name}, {delay_s * 1000:.0f} ms after another": [{"name": name, "share": 0.15, "delay_s": delay_s}]
    for name in ("unasked_429", "unasked_200")
    for delay_s in (0.0, 0.004, 0.03)
} | {
    f"{name}, as a request arrives": [{"name": f"{name}_next", "share": 0.15}]
    for name in ("unasked_429", "unasked_200")
}
OTHERS: Faults = [
    {"name": name, "share": 0.04} for name in ("429", "invalid_400", "500_before", "500_after", "lose_answer")
]


def states_by_name(ledger: Ledger) -> dict[str, State]:
    with ledger.reading() as connection:
        return {row.foreign_id: State(row.state) for row in connection.execute(sa.select(SENDS)).all()}


@pytest.mark.parametrize(
    ("ledger_url", "others"),
    [("sqlite", ()), ("postgresql", OTHERS)],
    ids=["alone, sqlite", "among other faults, postgresql"],
    indirect=["ledger_url"],
)
@pytest.mark.parametrize("unasked", UNASKED.values(), ids=UNASKED)
def test_nobody_is_called_twice_and_no_acceptance_is_invented(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger, unasked: Faults, others: Faults
) -> None:
    sandbox.settings(latency_ms=20)
    sandbox.faults(*unasked, *others)
    lenient = plan(concurrency=8, max_unknown_rate=None, max_reject_rate=None)
    for _ in range(3):
        try:
            run(lenient, people(120))
        except NotTakenError:
            continue
        break
    stands = states_by_name(ledger)
    takes = {name: send["takes"] for name, send in sandbox.sends().items()}
    assert [name for name in stands if takes.get(name, 0) > 1] == []
    assert [name for name, state in stands.items() if state is State.ACCEPTED and not takes.get(name)] == []
    assert [name for name, state in stands.items() if state in OPEN and takes.get(name)] == []
    assert any(met and name.startswith("unasked") for name, met in sandbox.stats()["faults_met"].items())


def test_nobody_is_called_twice_whose_own_answer_comes_late_or_never(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
) -> None:
    """The stray 429 is written as the request arrives. No wait for another answer would be long enough."""
    sandbox.settings(latency_ms=5)
    sandbox.faults(
        {"name": "unasked_429_next", "share": 0.2},
        {"name": "hang_after", "share": 0.1},
        {"name": "slow", "share": 0.1, "delay_s": 0.4},
    )
    lenient = plan(concurrency=16, timeout_s=3.0, max_unknown_rate=None, max_reject_rate=None)
    run(lenient, people(160))
    takes = [send["takes"] for send in sandbox.sends().values()]
    assert max(takes) == 1
    assert sum(states is State.RELEASED for states in states_by_name(ledger).values()) == 0


def test_a_second_acceptance_leaves_nobody_in_doubt(
    sandbox: SandboxProcess, plan: MakePlan, run: RunPlan, ledger: Ledger
) -> None:
    """Whichever of the two was the message's own, it was accepted."""
    sandbox.settings(latency_ms=20)
    sandbox.fault("unasked_200", share=0.3, delay_s=0.004)
    assert run(plan(concurrency=4), people(60)).counts == {State.ACCEPTED: 60}
