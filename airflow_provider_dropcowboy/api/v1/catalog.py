"""What an account may send with: brands, recordings and pools (API v1, GET routes)."""

from collections.abc import Mapping

from airflow_provider_dropcowboy.api import _reading as reading
from airflow_provider_dropcowboy.api.answers import read_json
from airflow_provider_dropcowboy.api.catalog import Brand, Pool, Recording
from airflow_provider_dropcowboy.api.replies import Call
from airflow_provider_dropcowboy.api.wire import Answer, Request


def brands() -> Call[tuple[Brand, ...]]:
    """``GET /brand``."""
    return Call(_get("/brand"), lambda answer: reading.records(Brand, _rows(answer)))


def recordings(api_allowed: bool | None = None) -> Call[tuple[Recording, ...]]:
    """``GET /recording``.

    :param api_allowed: only those that may (not) be sent through the API; None: all.
    """
    query = {} if api_allowed is None else {"api_allowed": "true" if api_allowed else "false"}
    return Call(_get("/recording", query), lambda answer: reading.records(Recording, _rows(answer)))


def media() -> Call[tuple[Recording, ...]]:
    """``GET /media``: rows as of ``GET /recording``."""
    return Call(_get("/media"), lambda answer: reading.records(Recording, _rows(answer)))


def pools() -> Call[tuple[Pool, ...]]:
    """``GET /pool``."""
    return Call(_get("/pool"), lambda answer: reading.records(Pool, _rows(answer)))


def _get(path: str, query: Mapping[str, str] | None = None) -> Request:
    return Request("GET", path, query=query or {}, is_safe=True)


def _rows(answer: Answer) -> list[Mapping[str, object]]:
    return reading.as_objects(read_json(answer.body))
