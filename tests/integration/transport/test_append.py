"""Many contacts into a list, over real sockets."""

import json

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.lists import AppendResult, RejectedRow
from airflow_provider_dropcowboy.errors import AmbiguousError, ConfigurationError, NotTakenError, RejectedError
from airflow_provider_dropcowboy.secret import Secret
from airflow_provider_dropcowboy.transport.client import TRIES, Client, append_all
from tests.integration.transport.scripted_server import ScriptedServer, answer, close_without_a_word

ROWS = [[f"c{index}"] for index in range(20_001)]
ALL_TAKEN = answer(body=b'{"accepted_count": 10000, "rejected": []}')
ONE_REJECTED = answer(body=b'{"accepted_count": 9999, "rejected": [{"index": 7, "reason": "Invalid phone"}]}')
THE_LAST = answer(body=b'{"accepted_count": 1}')


def append(server: ScriptedServer, rows: list[list[str]]) -> AppendResult:
    account = Account("team", Secret("s3cret-of-the-team"), server.base_url())
    with Client(account, sleep=lambda _: None) as client:
        return append_all(client, "l1", fields=["record_id"], values=rows)


def test_rows_go_in_requests_of_at_most_10_000() -> None:
    with ScriptedServer(ALL_TAKEN, ONE_REJECTED, THE_LAST) as server:
        result = append(server, ROWS)
    assert result == AppendResult(20_000, (RejectedRow(10_007, "Invalid phone"),))
    sent = [json.loads(request.partition(b"\r\n\r\n")[2])["values"] for request in server.requests]
    assert [len(rows) for rows in sent] == [10_000, 10_000, 1]
    assert [row for rows in sent for row in rows] == ROWS


def test_no_rows_are_no_request() -> None:
    with ScriptedServer(THE_LAST) as server:
        assert append(server, []) == AppendResult(0)
    assert server.requests == []


def test_a_doubt_says_which_rows_are_in_which_may_be_and_which_are_not() -> None:
    steps = (ONE_REJECTED, close_without_a_word, THE_LAST)
    with ScriptedServer(*steps) as server, pytest.raises(AmbiguousError) as caught:
        append(server, ROWS)
    said = str(caught.value)
    assert "rows 0 to 9999 were appended (9999 accepted), rows 10000 to 19999 may have been appended" in said
    assert "rows 20000 to 20000 were not sent" in said
    assert len(server.requests) == 2


def test_a_refusal_half_way_is_no_plain_refusal() -> None:
    refused = answer(413, b'{"error": "List is full"}')
    with ScriptedServer(ALL_TAKEN, refused) as server, pytest.raises(AmbiguousError) as caught:
        append(server, ROWS[:10_001])
    said = str(caught.value)
    assert "rows 0 to 9999 were appended (10000 accepted), rows 10000 to 10000 were not appended." in said
    assert "List is full" in said


def test_a_refusal_of_the_first_rows_leaves_no_doubt() -> None:
    refused = answer(422, b'{"error": "No such list"}')
    with ScriptedServer(refused) as server, pytest.raises(RejectedError, match="No such list"):
        append(server, ROWS)
    assert len(server.requests) == 1


def test_a_list_that_met_the_limit_at_once_may_be_appended_to_later() -> None:
    with ScriptedServer(*[answer(429)] * TRIES) as server, pytest.raises(NotTakenError):
        append(server, ROWS)


def test_a_wrong_row_at_the_end_keeps_the_first_from_being_sent() -> None:
    with ScriptedServer(ALL_TAKEN) as server, pytest.raises(ConfigurationError, match="No contact was sent"):
        append(server, [*ROWS, ["one", "too many"]])
    assert server.requests == []


@pytest.mark.parametrize(
    "body",
    [
        b'{"accepted_count": 1}',
        b'{"accepted_count": 3}',
        b'{"accepted_count": 1, "rejected": [{"index": 7, "reason": "Invalid phone"}]}',
        b'{"success": true}',
    ],
)
def test_an_answer_that_does_not_account_for_each_row_is_a_doubt(body: bytes) -> None:
    with ScriptedServer(answer(body=body)) as server, pytest.raises(AmbiguousError, match="rows 0 to 1 may have been"):
        append(server, ROWS[:2])
