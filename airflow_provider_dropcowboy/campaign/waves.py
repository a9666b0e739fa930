"""Waves: one run for each calling window, until nobody is held any more."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Self

from airflow_provider_dropcowboy.campaign.summary import Summary


@dataclass(frozen=True, slots=True)
class Waves:
    """What the earlier waves of a task left for the next one.

    :param begun_at: when the first wave began; aware.
    :param run_ids: of the earlier waves, in the ledger.
    :param asked: messages that they sent.
    :param already: rows that were contacted before the first of them; None: there was none yet.
    """

    begun_at: datetime
    run_ids: tuple[int, ...] = ()
    asked: int = 0
    already: int | None = None
    seconds: float = 0.0

    @classmethod
    def restored(cls, stored: Mapping[str, Any]) -> Self:
        """As :meth:`stored` gave it."""
        begun_at, run_ids = datetime.fromisoformat(stored["begun_at"]), tuple(stored["run_ids"])
        return cls(begun_at, run_ids, stored["asked"], stored["already"], stored["seconds"])

    def stored(self) -> dict[str, object]:
        """Plain values to keep while the task waits: no number, no text, no secret."""
        return {
            "begun_at": self.begun_at.isoformat(),
            "run_ids": list(self.run_ids),
            "asked": self.asked,
            "already": self.already,
            "seconds": self.seconds,
        }

    def after(self, summary: Summary) -> Self:
        """One more wave is over."""
        run_ids = self.run_ids if summary.run_id is None else (*self.run_ids, summary.run_id)
        already = summary.already if self.already is None else self.already
        return replace(
            self,
            run_ids=run_ids,
            asked=self.asked + summary.asked,
            already=already,
            seconds=self.seconds + summary.seconds,
        )

    def total(self, summary: Summary) -> Summary:
        """The task's result: where the rows stand after this wave, and what all its waves sent."""
        done = self.after(summary)
        assert done.already is not None
        return replace(summary, asked=done.asked, already=done.already, seconds=done.seconds)
