"""What a sync's arguments must be, checked when the DAG is parsed and again when every value is known."""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Final

from airflow_provider_dropcowboy.contacts.suppression import check_suppression_arguments
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.lists.fields import Fields


class Later(Enum):
    """A value that is known only when the task starts: a template, an upstream task's result."""

    LATER = "later"


LATER: Final = Later.LATER

Arguments = Mapping[str, object]


def check_list_arguments(arguments: Arguments) -> None:
    """Nothing, if what is known of the arguments can be right.

    :param arguments: by name; None: not given; ``LATER``: not known yet.
    :raises ConfigurationError: names the argument and says what to write; nothing was sent.
    """
    _one_of(arguments, "sql", "contacts", "path")
    _one_of(arguments, "list_name", "list_id")
    _check_queries(arguments)
    mode = arguments.get("mode")
    if mode not in ("append", "mirror", LATER):
        raise _wrong("mode", f"is {mode!r}", 'Write "append" or "mirror".')
    if mode == "mirror" and arguments.get("list_id") is not None:
        raise _wrong(
            "list_id",
            'is given with mode="mirror", where the id changes with each rebuilding',
            "Give list_name; for a list that exists, run `dropcowboy list adopt NAME ID` once.",
        )
    on_change = arguments.get("on_change")
    if on_change not in ("keep", "append", LATER):
        raise _wrong("on_change", f"is {on_change!r}", 'Write "keep" or "append".')
    if mode == "mirror" and on_change == "append":
        raise _wrong("on_change", 'is for mode="append": a mirror always has the new values', "Leave it out.")
    max_shrink = arguments.get("max_shrink")
    is_share = isinstance(max_shrink, int | float) and not isinstance(max_shrink, bool) and 0 <= max_shrink <= 1
    if max_shrink is not LATER and not is_share:
        raise _wrong("max_shrink", f"is {max_shrink!r}", "Write a share from 0 to 1; 1.0 allows any loss.")
    if arguments.get("key_column") == "":
        raise _wrong("key_column", "is empty", "Name the column, or leave the argument out.")
    region = arguments.get("region")
    if isinstance(region, str) and not re.fullmatch(r"[A-Z]{2}", region):
        raise _wrong("region", f"{region!r} is no country", "Write it in two capital letters, like US.")
    if (fields := arguments.get("fields")) is not LATER:
        Fields.parse(fields)  # type: ignore[arg-type]  # which is what it checks


def _check_queries(arguments: Arguments) -> None:
    for query, connection in (("sql", "sql_conn_id"), ("suppression_sql", "suppression_conn_id")):
        if arguments.get(query) is not None and not arguments.get(connection):
            raise _wrong(connection, "is missing", f"Name the Airflow connection that {query} is run on.")
    check_suppression_arguments(arguments.get("suppression_column"), arguments.get("max_unreadable_suppressions", 0))
    if arguments.get("sql") is None:
        for name in ("sql_conn_id", "parameters", "sql_hook_params"):
            if arguments.get(name) is not None:
                raise _wrong(name, "is given without sql", "Leave it out, or give sql.")


def _one_of(arguments: Arguments, *names: str) -> None:
    given = [name for name in names if arguments.get(name) is not None]
    if len(given) != 1:
        among = f"{', '.join(names[:-1])} and {names[-1]}"
        raise ConfigurationError(f"Give exactly one of {among}; given: {', '.join(given) or 'none'}. Nothing was sent.")


def _wrong(name: str, what: str, remedy: str) -> ConfigurationError:
    return ConfigurationError(f"{name} {what}. Nothing was sent. {remedy}")
