"""Opens what a task reads its contacts from; the core reads it."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import AbstractContextManager, closing, contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_dropcowboy.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from airflow_provider_dropcowboy.contacts.iterable import Contacts
    from airflow_provider_dropcowboy.contacts.source import SourceArguments
    from airflow_provider_dropcowboy.contacts.sql import Parameters
    from airflow_provider_dropcowboy.contacts.suppression import SuppressionList

Rows = Iterator[Mapping[str, object]]


def open_rows(arguments: "SourceArguments", *, columns: Collection[str]) -> AbstractContextManager[Rows]:
    """The rows of the one source.

    :param columns: those that are used; a Parquet file's others are not read.
    """
    if arguments.sql is not None:
        assert arguments.sql_conn_id is not None
        return open_sql(
            arguments.sql,
            arguments.sql_conn_id,
            parameters=arguments.parameters,
            hook_params=arguments.sql_hook_params,
        )
    if arguments.path is not None:
        return open_path(arguments.path, columns=columns)
    assert arguments.contacts is not None
    return open_contacts(arguments.contacts)


@contextmanager
def open_suppressed(arguments: "SourceArguments") -> "Iterator[SuppressionList | None]":
    """The suppression list; None: there is none."""
    if arguments.suppression_sql is None:
        yield None
        return
    from airflow_provider_dropcowboy.contacts.suppression import SuppressionList

    assert arguments.suppression_conn_id is not None
    query = open_sql(arguments.suppression_sql, arguments.suppression_conn_id, parameters=None, hook_params=None)
    with query as rows:
        yield SuppressionList(
            rows,
            columns=arguments.suppression_column,
            max_unreadable=arguments.max_unreadable_suppressions,
            region=arguments.region,
        )


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
def open_path(path: str, *, columns: Collection[str]) -> Iterator[Rows]:
    """The rows of a file on Airflow's object storage."""
    from airflow.sdk import ObjectStoragePath

    from airflow_provider_dropcowboy.contacts.files import read_rows

    location: Any = ObjectStoragePath(path)
    try:
        file = location.open("rb")
    except FileNotFoundError:
        raise ConfigurationError(f"path: there is no file {location.name}. Nothing was sent.") from None
    # the rows are closed before their file: a Parquet reader that is left suspended may end the process with an abort
    with file, closing(read_rows(file, location.name, columns=columns)) as rows:
        yield rows


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
