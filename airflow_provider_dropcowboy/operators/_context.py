"""What a task reads of Airflow's context."""

from datetime import datetime
from typing import TYPE_CHECKING

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
    )


def stale_from(context: "Context") -> datetime | None:
    """When the interval ended that the run is for; None for a run that somebody or something asked for just now."""
    run = context["dag_run"]
    if run.run_type not in {"scheduled", "backfill"} or (run.conf or {}).get("dropcowboy_allow_stale") is True:
        return None
    return run.data_interval_end or run.run_after
