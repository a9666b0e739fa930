"""Calls of API v2 and the envelope of their answers."""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar
from urllib.parse import quote

from airflow_provider_dropcowboy.api import _reading as reading
from airflow_provider_dropcowboy.api.answers import read_json
from airflow_provider_dropcowboy.api.replies import Call
from airflow_provider_dropcowboy.api.wire import Answer, Method, Request
from airflow_provider_dropcowboy.argument_kinds import is_id
from airflow_provider_dropcowboy.errors import ConfigurationError

T = TypeVar("T")

CONTACTS_SCOPE: Final = "contacts"  # API v2, section 8


def call(
    method: Method,
    path: str,
    read: Callable[[object], T],
    *,
    query: Mapping[str, str] | None = None,
    body: Mapping[str, object] | None = None,
    check: str = "",
    site_scope: str = "",
) -> Call[T]:
    """A call whose answer holds its value in ``data``.

    :param read: from ``data``; raises ValueError if it is not the documented one.
    """
    request = Request(method, path, query=query or {}, body=body, is_safe=method == "GET", site_scope=site_scope)
    return Call(request, lambda answer: read(_data(answer)), check=check)


def below(path: str, item_id: str, *rest: str) -> str:
    """The path of one thing; its id cannot lead to another route.

    :raises ConfigurationError: nothing has such an id.
    """
    if not is_id(item_id):
        raise ConfigurationError(f"{item_id!r} is not an ID. Nothing was sent. Copy it from Drop Cowboy.")
    return "/".join((path, quote(item_id, safe=""), *rest))


def rows_of(data: object, name: str) -> list[Mapping[str, object]]:
    """The objects of an array that ``data`` names."""
    return reading.as_objects(reading.as_object(data).get(name))


def _data(answer: Answer) -> object:
    content = reading.as_object(read_json(answer.body))
    if "data" not in content:
        raise ValueError("no data in it")
    return content["data"]
