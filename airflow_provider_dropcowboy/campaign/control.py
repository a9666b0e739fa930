"""How a run is told to stop, from any thread: a signal, a time-out, a pause, an answer that refuses everything."""

import threading
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Order:
    """An order to stop.

    :param grace_s: how long answers may still come; None: as long as a request may take.
    :param error: what the run fails with; None: it was asked to stop and ends as interrupted.
    """

    reason: str
    grace_s: float | None = None
    error: Exception | None = None


Listener = Callable[[Order], object]


class Control:
    """The first order wins, but one with a shorter grace shortens it; the listener hears each that counts."""

    def __init__(self) -> None:
        # its lock is reentrant: a signal's handler may come while its own thread holds it, and an Event would hang then
        self._changed = threading.Condition()
        self._order: Order | None = None
        self._listener: Listener | None = None

    @property
    def order(self) -> Order | None:
        """The order in force; None: go on."""
        return self._order

    def stop(self, order: Order) -> None:
        """Nothing more is claimed, claims not yet written are released, answers are awaited for ``order.grace_s``."""
        with self._changed:
            first = self._order
            if first is not None:
                if order.grace_s is None or (first.grace_s is not None and order.grace_s >= first.grace_s):
                    return
                order = Order(first.reason, order.grace_s, first.error)
            self._order = order
            self._changed.notify_all()
            if self._listener is not None:
                self._listener(order)

    def wait(self, timeout_s: float) -> bool:
        """Wait so long for an order; whether there is one."""
        with self._changed:
            return self._changed.wait_for(lambda: self._order is not None, timeout_s)

    def listen(self, listener: Listener | None) -> None:
        """Call ``listener``, which must be quick, with the order, now if there is one already; None: call nobody."""
        with self._changed:
            self._listener = listener
            if listener is not None and self._order is not None:
                listener(self._order)
