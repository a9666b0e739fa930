"""A list's sync that the connection's version of the API cannot do ends before anything is opened."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_provider_dropcowboy.operators.contact_list import SyncContactListOperator


def never_read() -> Iterator[dict[str, object]]:
    raise AssertionError("the source was read")


@pytest.mark.parametrize(
    ("extra", "arguments", "named"),
    [
        (
            {"site_id": "s"},
            {"list_name": "leads", "mode": "mirror"},
            'mode="mirror": API v2 has no route .* Make the list',
        ),
        ({"site_id": "s"}, {"list_id": "l", "on_change": "append"}, "on_change is append: API v2 has one contact"),
        ({}, {"list_id": "l"}, "Set site_id in the connection's extra"),
    ],
)
def test_what_v2_cannot_do_fails_without_a_retry_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, extra: dict[str, object], arguments: dict[str, Any], named: str
) -> None:
    connection = {"conn_type": "dropcowboy", "login": "key", "password": "a-secret", "host": "http://127.0.0.1:9"}
    connection_v2 = {**connection, "extra": {"api_version": "v2", **extra}}
    monkeypatch.setenv("AIRFLOW_CONN_DROPCOWBOY_DEFAULT", json.dumps(connection_v2))
    syncing = SyncContactListOperator(task_id="sync", contacts=never_read, fields={"phone": "phone"}, **arguments)
    context: Any = {}
    with pytest.raises(AirflowFailException, match=named):
        syncing.execute(context)
