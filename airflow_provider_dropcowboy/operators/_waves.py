"""Waves: a task sends to those whose calling hours are open, and waits without a worker slot for the next opening."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_dropcowboy.campaign.summary import Summary
    from airflow_provider_dropcowboy.operators._send import SendOperator


@dataclass(frozen=True, slots=True)
class Waves:
    """What earlier waves of a task left for the next one; plain values, since Airflow stores them while it waits.

    :param begun_at: of the first wave.
    :param run_ids: of the earlier waves, in the ledger.
    :param asked: messages they asked for.
    :param already: rows that were asked before the first of them.
    """

    begun_at: datetime
    run_ids: tuple[int, ...] = ()
    asked: int = 0
    already: int | None = None
    seconds: float = 0.0

    @classmethod
    def first(cls) -> "Waves":
        """Nothing was sent yet."""
        from airflow_provider_dropcowboy.clock import utcnow

        return cls(utcnow())

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> "Waves":
        """As ``stored`` gave it."""
        begun_at, run_ids = datetime.fromisoformat(stored["begun_at"]), tuple(stored["run_ids"])
        return cls(begun_at, run_ids, stored["asked"], stored["already"], stored["seconds"])

    def stored(self) -> dict[str, Any]:
        """For Airflow's database: no number, no text, no secret."""
        return {
            "begun_at": self.begun_at.isoformat(),
            "run_ids": list(self.run_ids),
            "asked": self.asked,
            "already": self.already,
            "seconds": self.seconds,
        }

    def after(self, summary: "Summary") -> "Waves":
        """One more wave is over."""
        run_ids = self.run_ids if summary.run_id is None else (*self.run_ids, summary.run_id)
        already = summary.already if self.already is None else self.already
        return Waves(self.begun_at, run_ids, self.asked + summary.asked, already, self.seconds + summary.seconds)

    def total(self, summary: "Summary") -> dict[str, object]:
        """The task's result: where the rows stand after this wave, and what all its waves asked."""
        from dataclasses import replace

        done = self.after(summary)
        assert done.already is not None
        return replace(summary, asked=done.asked, already=done.already, seconds=done.seconds).as_dict()


def wait_for_opening(task: "SendOperator", summary: "Summary", waves: Waves, *, deadline_after: timedelta) -> None:
    """Leave the worker until the next opening; returns at once if nobody waits, or the deadline comes first.

    :param deadline_after: how long after its first wave the task may still wait.
    :raises TaskDeferred: Airflow resumes the task at the opening.
    """
    opening = summary.next_opening
    if opening is None:
        return
    if opening > waves.begun_at + deadline_after:
        task.log.warning(
            "calling hours: %d rows are left held: the next opening is at %s, after wave_deadline",
            summary.counts.get("held", 0),
            opening.isoformat(),
        )
        return
    from airflow_provider_dropcowboy.triggers.opening import OpeningTrigger

    task.log.info("calling hours: %d rows are held; waiting until %s", summary.counts["held"], opening.isoformat())
    task.defer(trigger=OpeningTrigger(opening.isoformat(), waves.after(summary).stored()), method_name="execute_wave")
