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
    """The first order wins, but one with a shorter grace replaces it; listeners hear each that counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._order: Order | None = None
        self._listener: Listener | None = None
        self._stopped = threading.Event()

    @property
    def order(self) -> Order | None:
        """The order in force; None: go on."""
        return self._order

    def stop(self, order: Order) -> None:
        """Nothing more is claimed, claims not yet written are released, answers are awaited for ``order.grace_s``."""
        with self._lock:
            if self._order is not None and (order.grace_s is None or self._order.grace_s is not None):
                return
            if self._order is not None:
                order = Order(self._order.reason, order.grace_s, self._order.error)
            self._order = order
            self._stopped.set()
            listener = self._listener
        if listener is not None:
            listener(order)

    def wait(self, timeout_s: float) -> bool:
        """Wait so long for an order; whether there is one."""
        return self._stopped.wait(timeout_s)

    def listen(self, listener: Listener | None) -> None:
        """Call ``listener`` with the order, now if there is one already."""
        with self._lock:
            self._listener = listener
            order = self._order
        if listener is not None and order is not None:
            listener(order)
