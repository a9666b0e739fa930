"""Opens what a task reads its contacts from; the core reads it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from airflow.sdk.definitions.xcom_arg import XComArg

from airflow_provider_dropcowboy.errors import ConfigurationError

if TYPE_CHECKING:
    from airflow.sdk import Context
    from sqlalchemy import Engine

    from airflow_provider_dropcowboy.contacts.iterable import Contacts
    from airflow_provider_dropcowboy.contacts.sql import Parameters
    from airflow_provider_dropcowboy.contacts.suppression import SuppressionList

Rows = Iterator[Mapping[str, object]]


class ReadingTask(Protocol):
    """A task that reads people, and whom not; its arguments are checked and rendered."""

    sql: str | None
    sql_conn_id: str | None
    parameters: "Parameters | None"
    sql_hook_params: Mapping[str, Any] | None
    path: str | None
    contacts: "Contacts | XComArg | None"
    suppression_sql: str | None
    suppression_conn_id: str | None
    suppression_column: str | Sequence[str] | None
    max_unreadable_suppressions: float
    region: str


def open_rows(task: ReadingTask, context: "Context") -> AbstractContextManager[Rows]:
    """The rows of the task's one source."""
    if task.sql is not None:
        assert task.sql_conn_id is not None
        return open_sql(task.sql, task.sql_conn_id, parameters=task.parameters, hook_params=task.sql_hook_params)
    if task.path is not None:
        return open_path(task.path)
    assert task.contacts is not None
    return open_contacts(task.contacts.resolve(context) if isinstance(task.contacts, XComArg) else task.contacts)


@contextmanager
def open_suppressed(task: ReadingTask) -> "Iterator[SuppressionList | None]":
    """The task's suppression list; None: it names none."""
    if task.suppression_sql is None:
        yield None
        return
    from airflow_provider_dropcowboy.contacts.suppression import SuppressionList

    assert task.suppression_conn_id is not None
    with open_sql(task.suppression_sql, task.suppression_conn_id, parameters=None, hook_params=None) as rows:
        yield SuppressionList(
            rows,
            columns=task.suppression_column,
            max_unreadable=task.max_unreadable_suppressions,
            region=task.region,
        )


def is_known_later(value: object) -> bool:
    """Whether an argument is known only when the task starts: a template, or an upstream task's result."""
    return isinstance(value, XComArg) or (isinstance(value, str) and ("{{" in value or "{%" in value))


@contextmanager
def open_sql(
    sql: str, conn_id: str, *, parameters: "Parameters | None", hook_params: Mapping[str, Any] | None
) -> Iterator[Rows]:
    """The rows of a query on an Airflow connection, streamed."""
    from airflow.sdk import BaseHook

    from airflow_provider_dropcowboy.contacts.sql import stream_cursor, stream_engine

    connection: Any = BaseHook.get_connection(conn_id)
    hook = connection.get_hook(hook_params=dict(hook_params or {}))
    if not hasattr(hook, "get_conn"):
        raise ConfigurationError(f"sql_conn_id={conn_id!r} is no database connection. Nothing was sent.")
    engine = _engine_of(hook)
    if engine is not None:
        try:
            yield stream_engine(engine, sql, parameters=parameters)
        finally:
            engine.dispose()
        return
    with closing(hook.get_conn()) as session, closing(session.cursor()) as cursor:
        yield stream_cursor(cursor, sql, parameters=parameters)


@contextmanager
def open_path(path: str) -> Iterator[Rows]:
    """The rows of a file on Airflow's object storage."""
    from airflow.sdk import ObjectStoragePath

    from airflow_provider_dropcowboy.contacts.files import read_rows

    location: Any = ObjectStoragePath(path)
    try:
        file = location.open("rb")
    except FileNotFoundError:
        raise ConfigurationError(f"path: there is no file {location.name}. Nothing was sent.") from None
    with file:
        yield read_rows(file, location.name)


@contextmanager
def open_contacts(contacts: "Contacts") -> Iterator[Rows]:
    """The rows that the DAG hands over."""
    from airflow_provider_dropcowboy.contacts.iterable import read_iterable

    yield read_iterable(contacts)


def _engine_of(hook: Any) -> "Engine | None":
    """The hook's SQLAlchemy engine; None: it has none, so its DB-API cursor must do."""
    if not hasattr(hook, "get_sqlalchemy_engine"):
        return None
    from airflow.providers.common.compat.sdk import AirflowOptionalProviderFeatureException
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    # how hooks say that SQLAlchemy does not know their database, or that what it takes for it is not installed
    no_engine = (
        ArgumentError,
        NoSuchModuleError,
        ImportError,
        NotImplementedError,
        AirflowOptionalProviderFeatureException,
    )
    try:
        engine: Engine = hook.get_sqlalchemy_engine()
    except no_engine:
        return None
    return engine
