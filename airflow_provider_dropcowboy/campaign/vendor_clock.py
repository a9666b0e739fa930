"""Whether this machine's clock agrees with the vendor's, by the ``Date`` of a run's first answers."""

import logging
from datetime import datetime, timedelta
from typing import Final, Self

from airflow_provider_dropcowboy.api.answers import http_date
from airflow_provider_dropcowboy.api.wire import Answer, Reply
from airflow_provider_dropcowboy.campaign.control import Order
from airflow_provider_dropcowboy.campaign.plan import Plan
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import GuardError
from airflow_provider_dropcowboy.ledger.database import Ledger
from airflow_provider_dropcowboy.ledger.health import MAX_CLOCK_SKEW

MIN_ANSWERS: Final = 20
"""So many must differ, and none agree: one proxy with an odd clock stops no run."""

log = logging.getLogger(__name__)


class VendorClock:
    """Looks at answers until the first one that agrees.

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

    def check(self, reply: Reply, *, asked_at: datetime) -> Order | None:
        """Look at one answer; the order to stop if it was one too many.

        :param asked_at: by this machine's clock; the vendor's ``Date`` lies between it and now if the clocks agree.
        """
        if self._is_settled or not isinstance(reply, Answer):
            return None
        date = http_date(reply.date or "")
        if date is None:
            return None
        answered_at = utcnow()
        if asked_at - MAX_CLOCK_SKEW <= date <= answered_at + MAX_CLOCK_SKEW:
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
