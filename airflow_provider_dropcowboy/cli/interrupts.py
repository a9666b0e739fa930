"""Ctrl-C and SIGTERM: a run stops in order, with what was in flight recorded."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from threading import Thread
from types import FrameType
from typing import Final

from airflow_provider_dropcowboy.campaign.control import Control, Order
from airflow_provider_dropcowboy.campaign.plan import GRACE_S

SIGNALS: Final = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def stopping_on_signals(control: Control) -> Iterator[None]:
    """Within the block, either signal stops the run; a second one changes nothing, since it ends in seconds."""
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
    before = {number: signal.signal(number, take) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        came.put(None)
        obeying.join()
