"""What the operators share: how a task opens its source, what it leaves for later tries, and how it fails."""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from airflow_provider_dropcowboy import errors

if TYPE_CHECKING:
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk import BaseOperator, Context
    from pydantic import JsonValue

    from airflow_provider_dropcowboy.contacts.source import SourceArguments
    from airflow_provider_dropcowboy.contacts.sql import Parameters
    from airflow_provider_dropcowboy.contacts.suppression import SuppressionList
    from airflow_provider_dropcowboy.ledger.runs import Who

LEDGER_KEY: Final = "dropcowboy_ledger"
"""Of the XCom, and of the entry in the task's state store, that name the ledger a task used."""

Rows = Iterator[Mapping[str, object]]


def open_rows(arguments: "SourceArguments", *, columns: Collection[str]) -> AbstractContextManager[Rows]:
    """The rows of the source.

    :param columns: those that are used; of a Parquet file, the others are not read.
    """
    if arguments.sql is not None:
        conn_id, hook_params = str(arguments.sql_conn_id), arguments.sql_hook_params
        return open_sql(arguments.sql, conn_id, parameters=arguments.parameters, hook_params=hook_params)
    if arguments.path is not None:
        return open_path(arguments.path, columns=columns)
    from airflow_provider_dropcowboy.contacts.source import read_iterable

    assert arguments.contacts is not None
    return nullcontext(read_iterable(arguments.contacts))


@contextmanager
def open_suppressed(arguments: "SourceArguments") -> "Iterator[SuppressionList | None]":
    """The suppression list; None: there is none."""
    if arguments.suppression_sql is None:
        yield None
        return
    from airflow_provider_dropcowboy.contacts.suppression import SuppressionList

    conn_id = str(arguments.suppression_conn_id)
    with open_sql(arguments.suppression_sql, conn_id, argument="suppression_conn_id") as rows:
        yield SuppressionList(
            rows,
            columns=arguments.suppression_column,
            max_unreadable=arguments.max_unreadable_suppressions,
            region=arguments.region,
        )


@contextmanager
def open_sql(
    sql: str,
    conn_id: str,
    *,
    argument: str = "sql_conn_id",
    parameters: "Parameters | None" = None,
    hook_params: Mapping[str, object] | None = None,
) -> Iterator[Rows]:
    """The rows of a query on an Airflow connection, streamed.

    :param argument: the task's, which names the connection.
    """
    from airflow_provider_dropcowboy.contacts.sql import stream_rows

    hook = database_hook(conn_id, argument=argument, hook_params=hook_params)
    name = f"The database of {argument}={conn_id!r}"
    with closing(stream_rows(hook.get_conn, sql, parameters=parameters, name=name)) as rows:
        yield rows


def database_hook(conn_id: str, *, argument: str, hook_params: Mapping[str, object] | None = None) -> "DbApiHook":
    """The hook of a connection to a database, as every other task gets it.

    :param argument: the task's, which names the connection.
    :raises ConfigurationError: the connection is no database, or its provider is not installed.
    """
    from airflow.providers.common.compat.sdk import AirflowException, AirflowNotFoundException
    from airflow.providers.common.sql.hooks.sql import DbApiHook
    from airflow.sdk import BaseHook

    try:
        connection: Any = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise errors.ConfigurationError(
            f"{argument}={conn_id!r}: Airflow has no such connection. Nothing was sent. Create it, or correct the name."
        ) from None
    kind = connection.conn_type
    params: dict[str, Any] = dict(hook_params or {})
    try:
        if kind == "databricks":  # the type's own hook speaks to the jobs API
            from airflow.providers.databricks.hooks.databricks_sql import DatabricksSqlHook

            hook: Any = DatabricksSqlHook(conn_id, **params)
        else:
            hook = connection.get_hook(hook_params=params)
    except (AirflowException, ImportError, TypeError) as error:
        raise errors.ConfigurationError(
            f"{argument}={conn_id!r} of type {kind!r} has no hook: {error}. Nothing was sent. {_install(kind)}"
        ) from None
    if not isinstance(hook, DbApiHook):
        raise errors.ConfigurationError(
            f"{argument}={conn_id!r} is not a database: connections of type {kind!r} have the hook "
            f"{type(hook).__name__}. {_DATABASES.get(kind, '')}Nothing was sent."
        )
    return hook


@dataclass
class PartitionSql:
    """``{{ partition_sql }}`` in a query: the condition by which the warehouse itself leaves out the other parts.

    ``{{ partition_sql }}`` is for the task's ``key_column``, ``{{ partition_sql("p.id") }}`` for that column. All rows
    where there is one part, or where the warehouse cannot tell; then rows are left out after they are read.

    :param partition: rendered; None: there is one part.
    :param key_column: None: the column has to be named.
    :ivar is_used: whether the query leaves the other parts out.
    """

    partition: str | None
    conn_id: str
    key_column: str | None
    is_used: bool = False

    def __call__(self, column: str) -> str:
        from airflow.sdk import BaseHook

        from airflow_provider_dropcowboy.contacts.partition import Partition

        if not self.partition:
            return _ALL_ROWS
        kind = str(BaseHook.get_connection(self.conn_id).conn_type)
        condition = Partition.parse(self.partition).condition(column, kind)
        self.is_used = condition is not None
        return condition or _ALL_ROWS

    def __str__(self) -> str:
        if self.key_column is None:
            raise errors.ConfigurationError('partition_sql needs key_column, or a column: {{ partition_sql("id") }}.')
        return self(self.key_column)


_ALL_ROWS: Final = "(1 = 1)"
_DATABASES: Final = {
    "google_cloud_platform": "Give BigQuery a connection of type 'gcpbigquery'. ",
    "aws": "Give Redshift a connection of type 'redshift'. ",
}


@contextmanager
def open_path(path: str, *, columns: Collection[str]) -> Iterator[Rows]:
    """The rows of a file on Airflow's object storage."""
    from airflow_provider_dropcowboy.contacts.files import read_rows

    location = storage_path(path)
    try:
        file = location.open("rb")
    except FileNotFoundError:
        raise errors.ConfigurationError(f"path: there is no file {location.name}. Nothing was sent.") from None
    except (PermissionError, IsADirectoryError) as error:
        why = type(error).__name__
        raise errors.ConfigurationError(f"path: {location.name} cannot be read ({why}). Nothing was sent.") from None
    # the rows are closed before their file: a Parquet reader that is left suspended may end the process with an abort
    with file, closing(read_rows(file, location.name, columns=columns)) as rows:
        yield rows


def storage_path(path: str) -> Any:
    """A place on Airflow's object storage.

    :raises ConfigurationError: no installed provider reaches it.
    """
    from airflow.sdk import ObjectStoragePath

    try:
        location: Any = ObjectStoragePath(path)
        location.fs  # noqa: B018  # only now its provider is looked for
    except (ImportError, ValueError) as error:
        scheme = path.partition("://")[0]
        raise errors.ConfigurationError(f"path={path!r}: {error}. Nothing was sent. {_install(scheme)}") from None
    return location


def _install(kind: str) -> str:
    """What to install for a type of connection, or for a scheme of object storage."""
    name = _PROVIDERS.get(kind)
    if name is None:
        return f"Install the Airflow provider that has {kind!r}, or correct the type."
    return f"Run: pip install 'apache-airflow-providers-{name}'"


_PROVIDERS: Final = {
    **dict.fromkeys(("redshift", "athena", "aws"), "amazon"),
    **dict.fromkeys(("s3", "s3a"), "amazon[s3fs]"),
    **dict.fromkeys(("gcpbigquery", "google_cloud_platform", "gcpcloudsql", "gs", "gcs"), "google"),
    **dict.fromkeys(("abfs", "abfss", "adl"), "microsoft-azure"),
    **dict.fromkeys(("hive_cli", "hiveserver2"), "apache-hive"),
    "clickhouse": "clickhousedb",
    "mssql": "microsoft-mssql",
    **{name: f"apache-{name}" for name in ("drill", "druid", "impala", "pinot")},
    **{name: name for name in (
        "databricks", "duckdb", "elasticsearch", "exasol", "jdbc", "mysql", "odbc", "oracle", "postgres", "presto",
        "snowflake", "sqlite", "teradata", "trino", "vertica", "ydb",
    )},
}  # fmt: skip
"""Airflow's provider packages by type of connection and by scheme, without what all their names begin with."""


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
    store = context.get("task_state_store")
    own: Any = None if store is None else store.get(LEDGER_KEY) or {}  # empty: no earlier try left anything
    if own is not None and not isinstance(own, dict):
        own = {"ledger": str(own)}
    same = [memory for memory in _memories(task, context, kind) if about.items() <= memory.items()]

    def remember(ledger_id: str) -> None:
        memory: dict[str, JsonValue] = {"ledger": ledger_id, **about}
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
