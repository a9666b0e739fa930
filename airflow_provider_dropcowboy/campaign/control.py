"""How a run is stopped, from any thread: a signal, a time-out, a pause, or answers that go badly enough."""

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Final, Self

from airflow_provider_dropcowboy.api.reading import http_date
from airflow_provider_dropcowboy.api.wire import Answer, Outcome, Reply, SendOutcome
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import (
    AuthenticationError,
    GuardError,
    PausedError,
    RejectRateError,
    UnknownRateError,
    VendorDownError,
)
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.health import MAX_CLOCK_SKEW
from airflow_provider_dropcowboy.ledger.limits import REFUSED

STOPPED: Final = SendOutcome(Outcome.RELEASED, "not written: the run was stopped")
CUT_OFF: Final = SendOutcome(Outcome.UNKNOWN, "no answer: the run was ended before it came")
OUT_OF_STEP: Final = SendOutcome(Outcome.UNKNOWN, "its connection carried an answer to no request")

WINDOW: Final = 500
"""The rates are those of so many of the last requests."""
MIN_REQUESTS: Final = 50
"""Fewer requests have no rate."""
MIN_LOST: Final = 5
"""Fewer refusals, or requests in doubt, stop no run: one lost answer in fifty is bad luck."""
MIN_FAILURES: Final = 20
"""Failures in a row that stop a run, unless it has more connections: each of those may fail once in one outage."""


@dataclass(frozen=True, slots=True)
class Order:
    """An order to stop.

    :param grace_s: how long answers may still come; None: as long as a request may take.
    :param error: what the run fails with; None: somebody stopped it, and it ends as interrupted.
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


class Brakes:
    """Stops a run whose answers say that going on does harm. It watches this run's own requests alone.

    :param max_reject_rate: from 0 to 1; None: refusals do not stop the run.
    :param max_unknown_rate: from 0 to 1; None: requests in doubt do not stop the run.
    :param connections: of the run.
    """

    def __init__(self, max_reject_rate: float | None, max_unknown_rate: float | None, *, connections: int) -> None:
        self._limits = {Outcome.REJECTED: max_reject_rate, Outcome.UNKNOWN: max_unknown_rate}
        self._window: deque[SendOutcome] = deque()
        self._counts: Counter[Outcome] = Counter()
        self._max_failures = max(connections, MIN_FAILURES)
        self._failures = 0

    def pull(self, outcome: SendOutcome) -> Order | None:
        """Count an answer; the order to stop if it was one too many.

        :param outcome: not of a 429, which says that the vendor works.
        """
        if outcome.kind is Outcome.REFUSED:
            return _refused(outcome.reason)
        self._failures = self._failures + 1 if outcome.kind in {Outcome.UNKNOWN, Outcome.RELEASED} else 0
        if self._failures >= self._max_failures:
            return _vendor_down(self._failures, outcome.reason)
        if outcome.kind is Outcome.RELEASED:
            return None
        self._window.append(outcome)
        self._counts[outcome.kind] += 1
        if len(self._window) > WINDOW:
            self._counts[self._window.popleft().kind] -= 1
        limit, lost = self._limits.get(outcome.kind), self._counts[outcome.kind]
        requests = len(self._window)
        if limit is None or requests < MIN_REQUESTS or lost < MIN_LOST or lost <= limit * requests:
            return None
        reason = Counter(item.reason for item in self._window if item.kind is outcome.kind).most_common(1)[0][0]
        rate = f"({lost / requests:.1%}, the task allows {limit:.1%})"
        return _TOO_MANY[outcome.kind](f"{lost} of the last {requests} requests", rate, reason)


def paused(reason: str) -> Order:
    """A person paused the campaign, or all; or a result said that the vendor refuses the account."""
    if reason.startswith(REFUSED):
        return _refused(reason)
    text = f"{reason}. All that was sent is recorded; nothing else was sent. Resume, then clear the task."
    return Order(reason, error=PausedError(text))


def _refused(reason: str) -> Order:
    """An answer that every further message would get as well."""
    text = (
        f"The API refused a request for a cause that holds for every message: {reason}. The run stopped at once; "
        "the refused messages count as released, and the next try sends them. Check team id, secret, host and funds."
    )
    return Order(reason, error=AuthenticationError(text))


def _vendor_down(failures: int, reason: str) -> Order:
    text = (
        f'The last {failures} requests failed one after the other, at the end with "{reason}". The run stopped, '
        "and nothing else was sent. Messages in doubt count as unknown. The next try sends the rest."
    )
    return Order("the vendor is down", error=VendorDownError(text))


def _too_many_rejected(which: str, rate: str, reason: str) -> Order:
    text = (
        f'{which} were refused {rate}, most often with "{reason}". Nothing else was sent. Correct what the reason '
        "names, then clear the task: refused messages are sent again if their request differs, accepted ones "
        "are not."
    )
    return Order("too many were refused", error=RejectRateError(text))


def _too_many_in_doubt(which: str, rate: str, reason: str) -> Order:
    text = (
        f'{which} are in doubt {rate}, most often with "{reason}". Nothing else was sent. When the vendor answers '
        "again, clear the task: it goes on with the rest. `dropcowboy unknown list` names those in doubt."
    )
    return Order("too many are in doubt", error=UnknownRateError(text))


_TOO_MANY: Final = {Outcome.REJECTED: _too_many_rejected, Outcome.UNKNOWN: _too_many_in_doubt}


MIN_ANSWERS: Final = 20
"""So many must differ, and none agree: one proxy with an odd clock stops no run."""

log = logging.getLogger(__name__)


class VendorClock:
    """Looks at answers until one agrees for the first time.

    A difference is warned of. It stops the run only where a wrong clock of this machine would call people outside their
    hours and nothing else vouches for it: the vendor's clock against a ledger's on another machine is outvoted.

    :param may_stop: the run keeps calling hours, and its ledger goes by this machine's clock.
    """

    def __init__(self, *, may_stop: bool) -> None:
        self._may_stop = may_stop
        self._is_settled = False
        self._differing = 0

    @classmethod
    def of(cls, plan: Plan, ledger: Ledger) -> Self:
        """For a run."""
        # SQLite's clock is this machine's; that of a database server has agreed with it before the run (check_campaign)
        return cls(may_stop=plan.hours is not None and ledger.engine.dialect.name == "sqlite")

    def check(self, reply: Reply, *, took_s: float) -> Order | None:
        """Look at one answer; the order to stop if it was one too many.

        :param took_s: since its request began; the vendor's ``Date`` lies between then and now if the clocks agree.
        """
        if self._is_settled or not isinstance(reply, Answer) or reply.date is None:
            return None
        date = http_date(reply.date)
        if date is None:
            return None
        answered_at = utcnow()
        if answered_at - timedelta(seconds=took_s) - MAX_CLOCK_SKEW <= date <= answered_at + MAX_CLOCK_SKEW:
            self._is_settled = True
            return None
        self._differing += 1
        difference = timedelta(seconds=round(abs(date - answered_at).total_seconds()))
        where = "ahead of" if date < answered_at else "behind"
        if self._differing == 1:
            log.warning(
                "this machine's clock is %s %s the Date of the vendor's answers: calling hours may be judged by a "
                "wrong time. Set it by NTP",
                difference,
                where,
            )
        if self._differing < MIN_ANSWERS or not self._may_stop:
            return None
        self._is_settled = True
        text = (
            f"This machine's clock is {difference} {where} the vendor's, by the first {MIN_ANSWERS} answers, and the "
            "ledger has no clock of its own to decide between them. All that was sent is recorded; nothing else was "
            "sent: calling hours need the right time. Set the clock by NTP, then clear the task. If the vendor's is "
            "wrong, a ledger on PostgreSQL, whose clock then counts as well, lets the run go on."
        )
        return Order("clocks differ", error=GuardError(text))
