"""What Airflow calls a notifier for: read from the contexts of its four kinds of callers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened in one run. Reported again, after a clear or a crash, it is the same event.

    :param task_id: None: it happened to the whole run. A mapped task is one task, however many of it fail.
    :param kind: ``failed``, ``up_for_retry``, ``success``, ``skipped``, or which deadline was missed.
    :param due_at: when the DAG run was due, as far as the caller says.
    """

    dag_id: str
    run_id: str
    task_id: str | None
    kind: str
    due_at: datetime | None

    def describe(self, *, at: datetime) -> str:
        """A text that says what happened, and to whom; it needs no template.

        :param at: aware; when it is said.
        """
        name = self.dag_id if self.task_id is None else f"{self.dag_id}.{self.task_id}"
        what = _WORDS.get(self.kind, "missed a deadline" if self.kind.startswith("deadline") else self.kind)
        return f"{name} {what} at {at.astimezone(UTC):%Y-%m-%d %H:%M} UTC. Run {self.run_id}."


def read_event(context: Mapping[str, Any]) -> Event:
    """The event of a callback's context: of a task, of a DAG run, or of a deadline.

    :raises KeyError: it is none of these.
    """
    run = context.get("dag_run")
    due_at = _instant(_of(run, "run_after"))
    if "deadline" in context:
        return Event(_of(run, "dag_id"), _of(run, "dag_run_id"), None, f"deadline {context['deadline']['id']}", due_at)
    if "reason" in context:
        # of a whole run; the task instance beside it is only the last that ended, and may be another next time
        kind = "success" if context["reason"] == "success" else "failed"
        return Event(context["dag"].dag_id, context["run_id"], None, kind, due_at)
    ti = context["ti"]
    return Event(ti.dag_id, ti.run_id, ti.task_id, _kind(ti), due_at)


def _kind(ti: Any) -> str:
    state = str(getattr(ti.state, "value", ti.state))
    if state not in {"None", "running", "queued"}:
        return state
    # of a task whose process died: the DAG processor calls, and says no state
    return "up_for_retry" if ti.try_number <= ti.max_tries else "failed"


def _of(run: Any, name: str) -> Any:
    return run.get(name) if isinstance(run, Mapping) else getattr(run, name, None)


def _instant(value: Any) -> datetime | None:
    return datetime.fromisoformat(value) if isinstance(value, str) else value


_WORDS: Final = {"up_for_retry": "failed and will be retried", "success": "succeeded", "skipped": "was skipped"}
