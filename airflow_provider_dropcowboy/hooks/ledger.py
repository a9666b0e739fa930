"""Which ledger a task uses: found in the connection, Airflow's configuration, or the environment."""

import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.hooks.config import home, setting
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings

URL_VARIABLE: Final = "DROPCOWBOY_LEDGER_URL"
EMBEDDED_NAME: Final = "dropcowboy-ledger.db"
SPREADING_EXECUTORS: Final = ("Celery", "Kubernetes", "Edge", "Ecs", "Batch", "Lambda")
"""Executors whose tasks may run on several machines, by a part of their names."""

READ_BY_AIRFLOW_ONLY: Final = frozenset({"cursor", "enable_log_db_messages", "sqlalchemy_scheme"})
"""Keys of a Postgres connection's extra that say how Airflow's own hook reads rows: no other database, no other way."""

log = logging.getLogger(__name__)


def ledger_url(settings: ConnectionSettings | None) -> URL:
    """Where the ledger is: one place for everything that sends, receives or reports.

    ``ledger_conn_id`` of the connection, ``[dropcowboy] ledger_conn_id`` of Airflow's configuration, the variable
    ``DROPCOWBOY_LEDGER_URL``; without any, a file under ``AIRFLOW_HOME``.

    :param settings: None: there is no connection, as for somebody who only looks.
    :raises ConfigurationError: two of them name different databases; or none does and tasks run on several machines.
    """
    found: dict[str, URL] = {}
    if settings is not None and settings.ledger_conn_id:
        found["ledger_conn_id of the connection"] = _of_connection(settings.ledger_conn_id)
    if conn_id := setting("dropcowboy", "ledger_conn_id"):
        found["[dropcowboy] ledger_conn_id"] = _of_connection(conn_id)
    if text := os.environ.get(URL_VARIABLE):
        found[URL_VARIABLE] = _parse(text)
    if len({_database(url) for url in found.values()}) > 1:
        raise ConfigurationError(
            f"{' and '.join(found)} name different databases. Nothing was sent: with two ledgers people would be "
            "called twice. Set one of them, or both to the same."
        )
    if found:
        return next(iter(found.values()))
    return _embedded(setting("core", "executor") or "")


def _embedded(executor: str) -> URL:
    if any(name in executor for name in SPREADING_EXECUTORS):
        raise ConfigurationError(
            f"The embedded ledger is a file on this machine, but {executor} may run the next try on another one. "
            "Nothing was sent. Set ledger_conn_id in the connection, or DROPCOWBOY_LEDGER_URL, to a PostgreSQL "
            "database: postgresql+psycopg://user:password@host/database."
        )
    return URL.create("sqlite", database=str(home() / EMBEDDED_NAME))


def _of_connection(conn_id: str) -> URL:
    from airflow.sdk import BaseHook

    connection = BaseHook.get_connection(conn_id)
    extra = connection.extra_dejson
    if connection.conn_type == "sqlite":
        _refuse(conn_id, sorted(extra), "is not understood for a ledger on SQLite")
        return URL.create("sqlite", database=connection.host or connection.schema)
    if connection.conn_type not in {"postgres", "postgresql"}:
        raise ConfigurationError(
            f"ledger_conn_id={conn_id!r} is of type {connection.conn_type!r}; the ledger lives on postgres or sqlite."
        )
    return URL.create(
        "postgresql+psycopg",
        username=connection.login,
        password=connection.password,
        host=connection.host,
        port=connection.port,
        database=connection.schema,
        query=_libpq_options(conn_id, extra),
    )


def _libpq_options(conn_id: str, extra: Mapping[str, object]) -> dict[str, str]:
    """What a Postgres connection's extra says to libpq, as Airflow's own hook passes it on.

    :raises ConfigurationError: libpq does not know a key; it would be dropped, and with it the safety it stands for.
    """
    from airflow_provider_dropcowboy.ledger.postgres import check_driver

    check_driver(URL.create("postgresql+psycopg"))
    from psycopg import pq

    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    given = {
        name: value for name, value in extra.items() if name not in READ_BY_AIRFLOW_ONLY and value not in (None, "")
    }
    # Airflow's switches for other ways to log in say nothing while they are off
    wrong = [name for name, value in given.items() if name not in known and value is not False]
    _refuse(conn_id, wrong, "is not a connection parameter of libpq")
    wrong = [name for name, value in given.items() if name in known and not isinstance(value, str | int)]
    _refuse(conn_id, wrong, "is neither text nor a number")
    # libpq writes a switch as 1 or 0
    return {
        name: str(int(value) if isinstance(value, bool) else value) for name, value in given.items() if name in known
    }


def _refuse(conn_id: str, names: list[str], why: str) -> None:
    if names:
        raise ConfigurationError(
            f"Connection {conn_id!r} of the ledger: {', '.join(names)} in its extra {why}. Nothing was sent. Correct "
            "it, or take it out."
        )


def _database(url: URL) -> tuple[str, ...]:
    """What makes a place another ledger's: the server, the database, and the schema where the path names one."""
    if url.get_backend_name() == "sqlite":
        return "sqlite", str(Path(url.database or "").resolve())
    query = {name: value if isinstance(value, str) else ",".join(value) for name, value in url.query.items()}
    host = query.get("host", url.host or "").lower()
    port = query.get("port", str(url.port or 5432))
    path = re.search(r"(?:-c\s*|--)search_path\s*=\s*((?:\\.|\S)+)", query.get("options", ""))
    return host, port, query.get("dbname", url.database or url.username or ""), path[1] if path else ""


def _parse(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigurationError(
            f"{URL_VARIABLE} is not a SQLAlchemy URL. Write postgresql+psycopg://… or sqlite:////absolute/path.db."
        ) from None
    if url.drivername in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg")
    return url
