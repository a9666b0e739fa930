"""Contact lists (API v1, ``/list``). No route lists all lists, reads their contacts or removes one."""

from collections.abc import Sequence
from typing import Final
from urllib.parse import quote

from airflow_provider_dropcowboy.api import reading
from airflow_provider_dropcowboy.api.lists import (
    AppendResult,
    Cell,
    ContactList,
    ListRules,
    RejectedRow,
    check_rows,
)
from airflow_provider_dropcowboy.api.wire import Answer, Call, Request
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.phone import is_region

RULES: Final = ListRules(max_rows=10_000)  # API v1, POST /list/{list_id}/contacts


def create_list(list_name: str) -> Call[ContactList]:
    """``POST /list``. Two lists may have one name."""
    return Call(
        Request("POST", "/list", body={"list_name": _list_name(list_name)}),
        _read_list,
        check="Look for a list of this name in Drop Cowboy; delete it there, or use its id.",
    )


def get_list(list_id: str) -> Call[ContactList]:
    """``GET /list/{list_id}``."""
    return Call(Request("GET", _path(list_id), is_safe=True), _read_list)


def rename_list(list_id: str, list_name: str) -> Call[None]:
    """``POST /list/{list_id}``."""
    return Call(
        Request("POST", _path(list_id), body={"list_name": _list_name(list_name)}),
        _read_nothing,
        check="Read the list's name; renaming it once more to the same name does no harm.",
    )


def delete_list(list_id: str) -> Call[None]:
    """``DELETE /list/{list_id}``, which cannot be undone."""
    return Call(Request("DELETE", _path(list_id)), _read_nothing, check="Read the list: a 404 says that it is gone.")


def append_contacts(
    list_id: str, fields: Sequence[str], *, values: Sequence[Sequence[Cell]], region: str = "US"
) -> Call[AppendResult]:
    """``POST /list/{list_id}/contacts``. What it appends can only be removed with the whole list.

    :param fields: of ``CONTACT_FIELDS``, one for each column.
    :param values: at most ``RULES.max_rows``; each a list or tuple with one value a field.
    :param region: ISO 3166 alpha-2, for numbers that are not in E.164.
    :raises ConfigurationError: not what the route takes; nothing was sent.
    """
    RULES.check(fields)
    if not is_region(region):
        raise ConfigurationError(
            f"region is {region!r}. No contact was sent. "
            "Write the two letters of a country (ISO 3166), such as US or GB."
        )
    check_rows(fields, values, rules=RULES)
    return Call(
        Request(
            "POST",
            f"{_path(list_id)}/contacts",
            body={"fields": list(fields), "values": [list(row) for row in values], "region": region},
        ),
        _read_append,
        check="Compare the list's contact_count with what it should be.",
    )


def _path(list_id: str) -> str:
    _require_text("list_id", list_id, mend="Give the id that Drop Cowboy shows for the list.")
    # a path's "." and ".." lead to other routes, however they are quoted: DELETE /list/.. would be DELETE /
    if not list_id.strip(" .") or not list_id.isprintable():
        raise ConfigurationError(
            f"list_id is {list_id!r}, which no list has. Nothing was sent. "
            "Give the id that Drop Cowboy shows for the list."
        )
    return f"/list/{quote(list_id, safe='')}"


def _list_name(list_name: str) -> str:
    _require_text("list_name", list_name, mend="Give the list a name.")
    return list_name


def _require_text(name: str, value: object, *, mend: str) -> None:
    if not isinstance(value, str) or not value.strip():
        what = f"is {value!r}" if value and not isinstance(value, str) else "is empty"
        raise ConfigurationError(f"The {name} {what}. Nothing was sent. {mend}")


def _read_list(answer: Answer) -> ContactList:
    return reading.record(ContactList, reading.as_object(reading.read_json(answer.body)))


def _read_append(answer: Answer) -> AppendResult:
    content = reading.as_object(reading.read_json(answer.body))
    rejected = reading.as_objects(content.get("rejected") or [])
    return AppendResult(
        accepted_count=reading.count(content, "accepted_count"),
        rejected=tuple(
            RejectedRow(reading.count(row, "index"), reading.scrub(reading.optional_text(row, "reason") or ""))
            for row in rejected
        ),
    )


def _read_nothing(answer: Answer) -> None:
    """Nothing, JSON that names no refusal (the vendor's own tests expect ``{"list_id": …}``), or a bare ``OK``.

    :raises ValueError: the body is a refusal, or a proxy's page.
    """
    if (words := reading.refusal(answer.body)) is not None:
        raise ValueError(f"it says: {words}")
    if reading.read_json(answer.body) is None and answer.body.strip().lower() not in _DONE:
        raise ValueError("neither empty nor JSON")


_DONE: Final = (b"", b"ok", b"null")
"""Bodies without JSON of a change that was made; Express' ``sendStatus(200)`` writes OK."""
