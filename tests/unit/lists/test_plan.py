"""A plan that could not be carried out is refused when it is made."""

from typing import Any

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.errors import ConfigurationError
from airflow_provider_dropcowboy.lists.fields import Fields
from airflow_provider_dropcowboy.lists.plan import ListPlan, Mode, OnChange
from airflow_provider_dropcowboy.secret import Secret


def plan(**changes: Any) -> ListPlan:
    account = Account("team", Secret("secret"), "http://127.0.0.1:1/v1")
    return ListPlan(account=account, fields=Fields.parse({"phone": "mobile"}), **changes)


def test_a_name_is_kept_without_the_blanks_of_a_template() -> None:
    assert plan(list_name=" leads\n").list_name == "leads"


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({}, "exactly one"),
        ({"list_name": "leads", "list_id": "1"}, "exactly one"),
        ({"list_name": " "}, "names no list"),
        ({"list_name": "None"}, "names no list"),
        ({"list_id": "1", "mode": Mode.MIRROR}, "list adopt"),
        ({"list_name": "leads", "mode": Mode.MIRROR, "on_change": OnChange.APPEND}, "on_change is for"),
        ({"list_name": "leads", "max_shrink": 1.5}, "no share between 0 and 1"),
    ],
)
def test_what_cannot_be_done_is_refused(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ConfigurationError, match=complaint):
        plan(**changes)
