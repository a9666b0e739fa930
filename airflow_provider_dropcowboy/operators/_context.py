"""What a task reads from Airflow's context and leaves there for later tries, and how a task fails."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_dropcowboy import errors

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator, Context
    from pydantic import JsonValue

    from airflow_provider_dropcowboy.ledger.runs import Who

LEDGER_KEY: Final = "dropcowboy_ledger"
"""Of the XCom, and of the entry in the task's state store, that name the ledger a task used."""


def who_runs(task: "BaseOperator", context: "Context", *, kind: "type[BaseOperator]", account: str, name: str) -> "Who":
    """The task instance, as the ledger's record of runs names it, and the ledgers that earlier tries used.

    Airflow 3.3 keeps a task's state over retries and clears. An XCom of the task itself lives until its next try, which
    covers the waves of one try on every version; those of its mapped siblings, and of the DAG run's other tasks, live
    until these run again.

    :param kind: of the tasks in the DAG run that may have used a ledger for the same.
    :param name: of the campaign or contact list.
    """
    from airflow_provider_dropcowboy.ledger.runs import Who

    ti = context["ti"]
    about = {"account": account, "name": name}
    own = _own_memory(context)
    same = [memory for memory in _memories(task, context, kind) if about.items() <= memory.items()]

    def remember(ledger_id: str) -> None:
        memory: dict[str, JsonValue] = {"ledger": ledger_id, **about}
        store = context.get("task_state_store")
        if store is not None:
            from airflow.sdk.execution_time.context import NEVER_EXPIRE

            # for ever: a clear months later must not look like the first try
            store.set(LEDGER_KEY, memory, retention=NEVER_EXPIRE)
        ti.xcom_push(LEDGER_KEY, memory)

    if own:  # the XCom of the try before is gone, and siblings look for it
        ti.xcom_push(LEDGER_KEY, own)
    return Who(
        dag_id=ti.dag_id,
        task_id=ti.task_id,
        run_id=ti.run_id,
        try_number=ti.try_number,
        map_index=ti.map_index,
        due_at=context["dag_run"].run_after,
        earlier_ledger=None if own is None else own.get("ledger", ""),
        sibling_ledgers=frozenset(memory["ledger"] for memory in same),
        has_begun=bool(same) or (own is not None and about.items() <= own.items()),
        remember=remember,
    )


def stale_from(context: "Context") -> datetime | None:
    """When a scheduled or backfilled run was due; None for a run that was triggered just now.

    A run of ``@once`` is due when its DAG is switched on, whatever its start date says.
    """
    run = context["dag_run"]
    if run.run_type not in {"scheduled", "backfill"} or (run.conf or {}).get("dropcowboy_allow_stale") is True:
        return None
    timetable = context["dag"].timetable
    is_once = type(getattr(timetable, "timetable", timetable)).__name__ == "OnceTimetable"
    return None if is_once else run.run_after


def _own_memory(context: "Context") -> Mapping[str, str] | None:
    """What an earlier try of this task instance left; empty: nothing. None: this Airflow keeps no task state."""
    store = context.get("task_state_store")
    if store is None:
        return None
    memory: Any = store.get(LEDGER_KEY) or {}
    return memory if isinstance(memory, dict) else {"ledger": str(memory)}


def _memories(task: "BaseOperator", context: "Context", kind: "type[BaseOperator]") -> "Iterator[Mapping[str, str]]":
    """What the tasks of this kind in the DAG run left: this one, its mapped siblings, and others."""
    dag = task.get_dag()
    for each in dag.tasks if dag is not None else [task]:
        if issubclass(getattr(each, "operator_class", type(each)), kind):
            values: Any = context["ti"].xcom_pull(task_ids=[each.task_id], key=LEDGER_KEY)
            yield from (value for value in values or () if isinstance(value, dict) and "ledger" in value)


@contextmanager
def airflow_failures(keep: Callable[[str, str], object] | None = None) -> Iterator[None]:
    """Fail the task without a retry where a retry would fail again, and with a retry after our other errors.

    A run that is too old is skipped, unless it was begun when it was not: then what is left fails for a person to see.

    :param keep: gets ``skipped`` or ``failed`` and the reason, unless the ledger is what failed.
    """
    from airflow.providers.common.compat.sdk import AirflowException, AirflowFailException, AirflowSkipException

    try:
        yield
    except errors.DropCowboyError as error:
        failure: type[Exception]
        match error:
            case errors.StaleRunError(is_begun=False):
                failure = AirflowSkipException
            case errors.SchemaVersionError() | errors.LedgerReplacedError():
                failure = AirflowFailException
            case errors.LedgerError() | errors.SourceError() | errors.InterruptedRunError():
                failure = AirflowException
            case errors.NotTakenError() | errors.VendorDownError():
                failure = AirflowException
            case _:
                failure = AirflowFailException
        if keep is not None and not isinstance(error, errors.LedgerError):
            keep("skipped" if failure is AirflowSkipException else "failed", str(error))
        raise failure(str(error)) from error
