"""Stops a run whose requests are refused, or left in doubt, more often than the user allows."""

from collections import Counter, deque
from typing import Final

from airflow_provider_dropcowboy.api.answers import Outcome, SendOutcome
from airflow_provider_dropcowboy.campaign.control import Order
from airflow_provider_dropcowboy.errors import RejectRateError, UnknownRateError

WINDOW: Final = 500
"""Of how many of its last requests the rates are reckoned."""
MIN_REQUESTS: Final = 50
"""Before so many, a few bad numbers would stop every small run."""


class Brakes:
    """Watches this run's own requests: inherited doubt must not fail every retry.

    :param max_reject_rate: from 0 to 1; None: refusals do not stop the run.
    :param max_unknown_rate: from 0 to 1; None: doubt does not stop the run.
    """

    def __init__(self, max_reject_rate: float | None, max_unknown_rate: float | None) -> None:
        self._limits = {Outcome.REJECTED: max_reject_rate, Outcome.UNKNOWN: max_unknown_rate}
        self._window: deque[SendOutcome] = deque()
        self._counts: Counter[Outcome] = Counter()

    def pull(self, outcome: SendOutcome) -> Order | None:
        """Count an answer; the order to stop if it was one too many."""
        if outcome.kind in {Outcome.RELEASED, Outcome.REFUSED}:
            return None
        self._window.append(outcome)
        self._counts[outcome.kind] += 1
        if len(self._window) > WINDOW:
            self._counts[self._window.popleft().kind] -= 1
        limit = self._limits.get(outcome.kind)
        requests = len(self._window)
        if limit is None or requests < MIN_REQUESTS or self._counts[outcome.kind] <= limit * requests:
            return None
        return self._order(outcome.kind, limit)

    def _order(self, kind: Outcome, limit: float) -> Order:
        count, requests = self._counts[kind], len(self._window)
        reason = Counter(item.reason for item in self._window if item.kind is kind).most_common(1)[0][0]
        rate = f"({count / requests:.1%}, the task allows {limit:.1%})"
        if kind is Outcome.REJECTED:
            text = (
                f'{count} of the last {requests} requests were refused {rate}, most often with "{reason}". Nobody else '
                "was asked. Correct what the reason names, then clear the task: refused messages are asked again if "
                "their request is another one, accepted ones are not."
            )
            return Order("too many were refused", error=RejectRateError(text))
        text = (
            f'{count} of the last {requests} requests are in doubt {rate}, most often with "{reason}". Nobody else was '
            "asked. When the vendor answers again, clear the task: it goes on with the rest. `dropcowboy unknown list` "
            "names those in doubt."
        )
        return Order("too many are in doubt", error=UnknownRateError(text))
