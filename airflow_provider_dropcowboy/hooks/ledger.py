"""Which ledger a task uses: found in the connection, Airflow's configuration, or the environment."""

import logging
import os
from pathlib import Path
from typing import Final

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.hooks.connection import ConnectionSettings

URL_VARIABLE: Final = "DROPCOWBOY_LEDGER_URL"
EMBEDDED_NAME: Final = "dropcowboy-ledger.db"
SPREADING_EXECUTORS: Final = ("Celery", "Kubernetes", "Edge", "Ecs", "Batch", "Lambda")
"""Executors whose tasks may run on several machines, by a part of their names."""

log = logging.getLogger(__name__)


def ledger_url(settings: ConnectionSettings | None) -> URL:
    """Where the ledger is: one place for everything that sends, receives or reports.

    ``ledger_conn_id`` of the connection, ``[dropcowboy] ledger_conn_id`` of Airflow's configuration, the variable
    ``DROPCOWBOY_LEDGER_URL``; without any, a file under ``AIRFLOW_HOME``.

    :param settings: None: there is no connection, as for somebody who only looks.
    :raises ConfigurationError: two of them name different databases; or none does and tasks run on several machines.
    """
    from airflow.providers.common.compat.sdk import conf

    found: dict[str, URL] = {}
    if settings is not None and settings.ledger_conn_id:
        found["ledger_conn_id of the connection"] = _of_connection(settings.ledger_conn_id)
    if conn_id := conf.get("dropcowboy", "ledger_conn_id", fallback=None):
        found["[dropcowboy] ledger_conn_id"] = _of_connection(conn_id)
    if text := os.environ.get(URL_VARIABLE):
        found[URL_VARIABLE] = _parse(text)
    if len({(url.host, url.port, url.database) for url in found.values()}) > 1:
        raise ConfigurationError(
            f"{' and '.join(found)} name different databases. Nothing was sent: with two ledgers people would be "
            "called twice. Set one of them, or both to the same."
        )
    if found:
        return next(iter(found.values()))
    return _embedded(conf.get("core", "executor", fallback=""))


def _embedded(executor: str) -> URL:
    if any(name in executor for name in SPREADING_EXECUTORS):
        raise ConfigurationError(
            f"The embedded ledger is a file on this machine, but {executor} may run the next try on another one. "
            "Nothing was sent. Set ledger_conn_id in the connection, or DROPCOWBOY_LEDGER_URL, to a PostgreSQL "
            "database: postgresql+psycopg://user:password@host/database."
        )
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser().absolute()
    return URL.create("sqlite", database=str(home / EMBEDDED_NAME))


def _of_connection(conn_id: str) -> URL:
    from airflow.sdk import BaseHook

    connection = BaseHook.get_connection(conn_id)
    if connection.conn_type == "sqlite":
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
    )


def _parse(text: str) -> URL:
    try:
        url = make_url(text)
    except ArgumentError:
        raise ConfigurationError(
            f"{URL_VARIABLE} is no SQLAlchemy URL. Write postgresql+psycopg://… or sqlite:////absolute/path.db."
        ) from None
    if url.drivername in {"postgresql", "postgres"}:
        return url.set(drivername="postgresql+psycopg")
    return url
