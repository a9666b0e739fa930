"""What a task reads of Airflow's context."""

from datetime import datetime
from typing import TYPE_CHECKING, Final

_LEDGER_KEY: Final = "dropcowboy_ledger"

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_dropcowboy.ledger.runs import Who


def who_runs(context: "Context") -> "Who":
    """The task instance, as the ledger's record of runs names it."""
    from airflow_provider_dropcowboy.ledger.runs import Who

    ti = context["ti"]
    return Who(
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        try_number=ti.try_number,
        map_index=ti.map_index,
        due_at=context["dag_run"].run_after,
        earlier_ledger=_earlier_ledger(context),
    )


def remember_ledger(context: "Context", ledger_id: str) -> None:
    """Later tries of the task instance learn with which ledger this one began; Airflow before 3.3 cannot keep it."""
    store = context.get("task_state_store")
    if store is not None:
        from airflow.sdk.execution_time.context import NEVER_EXPIRE

        # for ever: a clear months later must not be taken for the first try
        store.set(_LEDGER_KEY, ledger_id, retention=NEVER_EXPIRE)


def _earlier_ledger(context: "Context") -> str | None:
    store = context.get("task_state_store")
    return None if store is None else str(store.get(_LEDGER_KEY) or "")


def stale_from(context: "Context") -> datetime | None:
    """When the interval ended that the run is for; None for a run that somebody or something asked for just now."""
    run = context["dag_run"]
    if run.run_type not in {"scheduled", "backfill"} or (run.conf or {}).get("dropcowboy_allow_stale") is True:
        return None
    return run.data_interval_end or run.run_after
