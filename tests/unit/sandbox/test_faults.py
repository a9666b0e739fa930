"""Which request meets which fault."""

import pytest

from airflow_provider_dropcowboy.sandbox.faults import FAULT_KINDS
from airflow_provider_dropcowboy.sandbox.settings import ROUTES, V2_ROUTES, Fault, Faults, SettingsError
from airflow_provider_dropcowboy.sandbox.vendor import Vendor


def _in_force(*faults: Fault, seed: int = 0) -> Faults:
    in_force = Faults(seed=seed)
    in_force.add(faults)
    return in_force


def test_a_fault_meets_only_whom_it_is_aimed_at() -> None:
    faults = _in_force(Fault(name="lose_answer", to="+15045550100"))
    assert faults.meet("rvm", ("one", "+15045550101")) is None
    assert faults.meet("rvm", ("two", "+15045550100")) is not None


def test_a_fault_is_over_after_its_times() -> None:
    faults = _in_force(Fault(name="500_after", times=2))
    assert [faults.meet("rvm", ()) is not None for _ in range(4)] == [True, True, False, False]


def test_a_fault_without_a_route_is_one_of_the_sends() -> None:
    faults = _in_force(Fault(name="500_after"))
    assert [route for route in ROUTES if faults.meet(route, ())] == ["rvm", "sms"]


def test_a_route_may_have_a_leading_slash() -> None:
    faults = _in_force(Fault(name="500_after", route="/rvm"))
    assert [route for route in ROUTES if faults.meet(route, ())] == ["rvm"]


def test_any_route_can_be_hit(vendor: Vendor) -> None:
    faults = _in_force(Fault(name="500_after", route="any"))
    routes = {route.handler.keywords["route"] for route in vendor.routes()}  # type: ignore[union-attr]  # a partial
    assert [route for route in sorted(routes) if not faults.meet(route, ())] == []
    assert routes == {*ROUTES, *V2_ROUTES}


def test_the_same_seed_draws_the_same_requests() -> None:
    def drawn(seed: int) -> list[bool]:
        faults = _in_force(Fault(name="lose_answer", share=0.5), seed=seed)
        return [faults.meet("rvm", ()) is not None for _ in range(200)]

    assert drawn(1) == drawn(1) != drawn(2)


def test_the_first_fault_that_fits_is_met() -> None:
    faults = _in_force(Fault(name="429", times=1), Fault(name="500_after"))
    met = [faults.meet("rvm", ()) for _ in range(2)]
    assert [fault.name for fault in met if fault] == ["429", "500_after"]


def test_cleared_faults_are_not_met() -> None:
    faults = _in_force(Fault(name="500_after"))
    faults.clear()
    assert faults.meet("rvm", ()) is None


@pytest.mark.parametrize(
    "wrong",
    [
        "lose_answer",
        {},
        {"name": "loose_answer"},
        {"name": ["lose_answer"]},
        {"name": "lose_answer", "share": 2},
        {"name": "lose_answer", "share": "half"},
        {"name": "lose_answer", "to": 5045550100},
        {"name": "lose_answer", "times": -1},
        {"name": "lose_answer", "route": "/lists/x"},
        {"name": "lose_answer", "route": 5},
        {"name": "lose_answer", "delay_s": -1},
        {"name": "lose_answer", "forever": True},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(wrong: object) -> None:
    with pytest.raises(SettingsError):
        Fault.parse(wrong)


def test_the_name_of_a_fault_says_whether_the_request_is_taken() -> None:
    assert all(kind.is_taken for name, kind in FAULT_KINDS.items() if name.endswith("_after"))
    assert not any(kind.is_taken for name, kind in FAULT_KINDS.items() if name.endswith("_before"))
    own = [kind for name, kind in FAULT_KINDS.items() if not name.startswith("unasked_")]
    assert not any(kind.is_taken for kind in own if 400 <= kind.answer.status < 500)
