"""Opens what a task reads its contacts from; the core reads it."""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from airflow_provider_dropcowboy.errors import ConfigurationError

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from airflow_provider_dropcowboy.contacts.iterable import Contacts
    from airflow_provider_dropcowboy.contacts.sql import Parameters

Rows = Iterator[Mapping[str, object]]


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
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    try:
        engine: Engine = hook.get_sqlalchemy_engine()
    except (ArgumentError, NoSuchModuleError, ImportError, NotImplementedError):
        return None
    return engine
