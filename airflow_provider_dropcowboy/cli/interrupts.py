"""Ctrl-C, SIGTERM, and a terminal that closes: a run stops in order, with what was in flight recorded."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread
from types import FrameType
from typing import Final

from airflow_provider_dropcowboy.campaign.control import Control, Order
from airflow_provider_dropcowboy.campaign.plan import GRACE_S

_SIGNALS: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def catch_signals(handler: Callable[[int, FrameType | None], None]) -> Callable[[], None]:
    """Call ``handler`` for each signal that asks a command to end. SIGHUP stays ignored under ``nohup``.

    :returns: what puts the former handlers back.
    """
    wanted = [
        number for number in _SIGNALS if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN
    ]
    before = {number: signal.signal(number, handler) for number in wanted}

    def put_back() -> None:
        for number, former in before.items():
            signal.signal(number, former)

    return put_back


@contextmanager
def stopping_on_signals(control: Control) -> Iterator[None]:
    """Within the block, each of these signals stops the run; a second one changes nothing: the run ends in seconds."""
    # A handler runs in the main thread, in the middle of anything: also while that holds a lock which stopping needs.
    # Putting into a SimpleQueue is safe there; a thread of its own does the rest.
    came: SimpleQueue[int | None] = SimpleQueue()

    def obey() -> None:
        while (number := came.get()) is not None:
            control.stop(Order(f"{signal.Signals(number).name} came", grace_s=GRACE_S))

    def take(number: int, _frame: FrameType | None) -> None:
        came.put(number)

    obeying = Thread(target=obey, name="dropcowboy-signals", daemon=True)
    obeying.start()
    put_back = catch_signals(take)
    try:
        yield
    finally:
        put_back()
        came.put(None)
        obeying.join()
