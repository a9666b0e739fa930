"""What an account may send with: brands, recordings and pools (API v1, GET routes)."""

from collections.abc import Mapping

from airflow_provider_dropcowboy.api import _reading as reading
from airflow_provider_dropcowboy.api.answers import read_json
from airflow_provider_dropcowboy.api.catalog import Brand, Pool, Recording, read_recording
from airflow_provider_dropcowboy.api.replies import Call
from airflow_provider_dropcowboy.api.wire import Answer, Request


def brands() -> Call[tuple[Brand, ...]]:
    """``GET /brand``."""
    return Call(_get("/brand"), lambda answer: tuple(map(_brand, _rows(answer))))


def recordings(api_allowed: bool | None = None) -> Call[tuple[Recording, ...]]:
    """``GET /recording``.

    :param api_allowed: only those that may (not) be sent through the API; None: all.
    """
    query = {} if api_allowed is None else {"api_allowed": "true" if api_allowed else "false"}
    return Call(_get("/recording", query), _recordings)


def media() -> Call[tuple[Recording, ...]]:
    """``GET /media``: rows as of ``GET /recording``."""
    return Call(_get("/media"), _recordings)


def pools() -> Call[tuple[Pool, ...]]:
    """``GET /pool``."""
    return Call(_get("/pool"), lambda answer: tuple(map(_pool, _rows(answer))))


def _get(path: str, query: Mapping[str, str] | None = None) -> Request:
    return Request("GET", path, query=query or {}, is_safe=True)


def _rows(answer: Answer) -> list[Mapping[str, object]]:
    return reading.as_objects(read_json(answer.body))


def _recordings(answer: Answer) -> tuple[Recording, ...]:
    return tuple(read_recording(row, allowed="api_allowed") for row in _rows(answer))


def _brand(row: Mapping[str, object]) -> Brand:
    return Brand(
        brand_id=reading.text(row, "brand_id"),
        company_name=reading.optional_text(row, "company_name"),
        dba_name=reading.optional_text(row, "dba_name"),
        registered=reading.optional_flag(row, "registered"),
        api_allowed=reading.optional_flag(row, "api_allowed"),
    )


def _pool(row: Mapping[str, object]) -> Pool:
    return Pool(
        pool_id=reading.text(row, "pool_id"),
        name=reading.optional_text(row, "name"),
        brand_id=reading.optional_text(row, "brand_id"),
        service_type=reading.optional_text(row, "service_type"),
        number_count=reading.optional_count(row, "number_count"),
    )
