"""How a run is told to stop, from any thread and from a signal's handler."""

import signal
import threading

import pytest

from airflow_provider_dropcowboy.campaign.control import Control, Order

ERROR = ValueError("the source failed")


def test_the_first_order_wins() -> None:
    control = Control()
    assert control.order is None
    control.stop(Order("first", error=ERROR))
    control.stop(Order("second"))
    assert control.order == Order("first", error=ERROR)


@pytest.mark.parametrize(("first_s", "second_s", "in_force_s"), [(None, 4, 4), (4, 1, 1), (1, 4, 1), (4, None, 4)])
def test_a_shorter_grace_shortens_the_order_in_force(
    first_s: float | None, second_s: float | None, in_force_s: float
) -> None:
    heard: list[Order] = []
    control = Control()
    control.listen(heard.append)
    control.stop(Order("first", grace_s=first_s, error=ERROR))
    control.stop(Order("second", grace_s=second_s))
    assert control.order == Order("first", grace_s=in_force_s, error=ERROR)
    assert heard[-1] == control.order
    assert len(heard) == (2 if in_force_s != first_s else 1)


def test_a_listener_that_comes_late_hears_the_order_in_force() -> None:
    heard: list[Order] = []
    control = Control()
    control.stop(Order("first"))
    control.listen(heard.append)
    assert heard == [Order("first")]


def test_nobody_is_called_after_the_listener_left() -> None:
    heard: list[Order] = []
    control = Control()
    control.listen(heard.append)
    control.listen(None)
    control.stop(Order("first"))
    assert heard == []


def test_who_waits_is_woken_by_an_order_of_another_thread() -> None:
    control = Control()
    thread = threading.Thread(target=control.stop, args=(Order("first"),))
    thread.start()
    assert control.wait(60)
    thread.join()


def test_who_waits_in_vain_goes_on() -> None:
    assert not Control().wait(0)


def test_a_signal_that_comes_while_its_own_thread_gives_an_order_does_not_hang() -> None:
    control = Control()

    def on_signal(*_: object) -> None:
        control.stop(Order("told to end", grace_s=4))
        control.wait(0)

    before = signal.signal(signal.SIGUSR1, on_signal)
    try:
        control.listen(lambda order: signal.raise_signal(signal.SIGUSR1) if order.grace_s is None else None)
        control.stop(Order("first"))  # the handler runs while this holds the lock
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert control.order == Order("first", grace_s=4)
