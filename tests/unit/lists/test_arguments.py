"""Arguments of a sync that could not be carried out are refused when they are read."""

from typing import Any

import pytest

from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.lists.arguments import ListArguments


def read(**changes: Any) -> ListArguments:
    return ListArguments.read({"contacts": (), "fields": {"phone": "mobile"}, **changes})


def test_a_name_is_kept_without_the_blanks_of_a_template() -> None:
    assert read(list_name=" leads\n").list_name == "leads"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({}, "exactly one"),
        ({"list_name": "leads", "list_id": "1"}, "exactly one"),
        ({"list_name": " "}, "names no list"),
        ({"list_name": "None"}, "names no list"),
        ({"list_id": ".."}, "names no list"),
        ({"list_id": "1", "mode": "mirror"}, "list adopt"),
        ({"list_name": "leads", "mode": "mirror", "on_change": "append"}, "on_change is for"),
        ({"list_name": "leads", "max_shrink": 1.5}, "a share from 0 to 1"),
    ],
)
def test_what_cannot_be_done_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        read(**changes)
