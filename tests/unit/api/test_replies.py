"""What a reply to anything but a send means."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api import catalog, lists
from airflow_provider_dropcowboy.api.replies import Call, may_ask_again, read_reply
from airflow_provider_dropcowboy.api.wire import Answer, Broken, NotWritten, Reply
from airflow_provider_dropcowboy.errors import (
    AmbiguousError,
    AuthenticationError,
    ConfigurationError,
    NotTakenError,
    RejectedError,
    VendorError,
)

CHANGES = [
    lists.create_list("due"),
    lists.rename_list("l1", "due"),
    lists.delete_list("l1"),
    lists.append_contacts("l1", ["phone"], values=[["+15045550100"]]),
]
QUESTIONS = [catalog.brands(), catalog.recordings(), catalog.media(), catalog.pools(), lists.get_list("l1")]

replies = st.one_of(
    st.builds(NotWritten, st.just("refused")),
    st.builds(Broken, st.just("reset")),
    st.builds(Answer, st.integers(100, 599), st.binary(max_size=40)),
)


def ask(call: Call[object], status: int, body: bytes = b"") -> object:
    return read_reply(call, Answer(status, body))


@given(reply=replies, call=st.sampled_from(CHANGES))
def test_a_change_is_asked_again_only_if_it_was_surely_not_made(reply: Reply, call: Call[object]) -> None:
    if may_ask_again(call.request, reply):
        assert isinstance(reply, NotWritten) or (isinstance(reply, Answer) and reply.status == 429)


@given(reply=replies, call=st.sampled_from(CHANGES + QUESTIONS))
def test_every_reply_is_a_value_or_one_of_the_vendors_errors(reply: Reply, call: Call[object]) -> None:
    try:
        read_reply(call, reply)
    except AmbiguousError:
        assert not call.request.is_safe
    except VendorError:
        pass


@given(reply=replies, call=st.sampled_from(CHANGES))
def test_whatever_may_be_asked_again_by_airflow_was_not_made(reply: Reply, call: Call[object]) -> None:
    try:
        read_reply(call, reply)
    except NotTakenError:
        assert may_ask_again(call.request, reply)
    except (AmbiguousError, RejectedError, AuthenticationError):
        assert not may_ask_again(call.request, reply)


def test_a_list_is_read() -> None:
    body = b'{"list_id": "l1", "list_name": "due", "created_at": 1800000000000, "contact_count": 3, "more": []}'
    made = lists.ContactList("l1", "due", datetime(2027, 1, 15, 8, tzinfo=UTC), 3)
    assert ask(lists.get_list("l1"), 200, body) == made


@pytest.mark.parametrize("body", [b"", b" \n", b"{}", b'{"list_id": "l1"}'])
def test_a_deletion_and_a_renaming_may_answer_with_nothing(body: bytes) -> None:
    assert ask(lists.delete_list("l1"), 200, body) is None
    assert ask(lists.rename_list("l1", "due"), 200, body) is None


def test_rows_that_were_not_taken_come_back_with_their_reason_and_without_their_number() -> None:
    body = b'{"accepted_count": 1, "rejected": [{"index": 1, "reason": "Invalid phone 504-555-0100"}]}'
    call = lists.append_contacts("l1", ["phone"], values=[["+15045550100"], ["504-555-0100"]])
    assert read_reply(call, Answer(200, body)) == lists.AppendResult(
        1, (lists.RejectedRow(1, "Invalid phone [number]"),)
    )


@pytest.mark.parametrize(
    ("call", "body", "first"),
    [
        (
            catalog.brands(),
            b'[{"brand_id": "b1", "company_name": "Acme", "dba_name": null, "registered": true, "api_allowed": false}]',
            catalog.Brand("b1", "Acme", None, True, False),
        ),
        (
            catalog.recordings(),
            b'[{"media_id": "m1", "name": "Hello", "created_at": 1800000000000}]',
            catalog.Recording("m1", "Hello", datetime(2027, 1, 15, 8, tzinfo=UTC)),
        ),
        (catalog.media(), b'[{"media_id": 7}]', catalog.Recording("7")),
        (
            catalog.pools(),
            b'[{"pool_id": "p1", "name": "Main", "brand_id": "b1", "service_type": "sms", "number_count": 4}]',
            catalog.Pool("p1", "Main", "b1", "sms", 4),
        ),
    ],
)
def test_what_an_account_may_send_with_is_read(call: Call[tuple[object, ...]], body: bytes, first: object) -> None:
    assert read_reply(call, Answer(200, body)) == (first,)


@pytest.mark.parametrize("call", QUESTIONS)
@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[1]", b"[{}]", b'{"list_id": true, "list_name": "x"}', b'[{"brand_id": ["b"]}]']
)
def test_an_answer_that_is_not_the_documented_one_points_to_the_host(call: Call[object], body: bytes) -> None:
    with pytest.raises(VendorError, match="check the host"):
        ask(call, 200, body)


@pytest.mark.parametrize("created_at", [b"-1", b"true", b'"soon"', b"1" + b"0" * 30])
def test_an_instant_that_is_none_is_not_guessed(created_at: bytes) -> None:
    with pytest.raises(VendorError, match="created_at"):
        ask(lists.get_list("l1"), 200, b'{"list_id": "l1", "list_name": "x", "created_at": %b}' % created_at)


@pytest.mark.parametrize("call", CHANGES)
def test_a_doubt_says_what_to_look_at(call: Call[object]) -> None:
    with pytest.raises(AmbiguousError, match="Do not repeat it") as caught:
        ask(call, 503)
    assert call.check
    assert str(caught.value).endswith(call.check)


@pytest.mark.parametrize("list_id", ["../brand", "a/b", "a?b=1", "ü"])
def test_an_id_stays_one_part_of_the_path(list_id: str) -> None:
    path = lists.get_list(list_id).request.path
    assert path.count("/") == 2
    assert path.isascii()
    assert "?" not in path


@pytest.mark.parametrize(
    ("fields", "values", "named"),
    [
        (["phone", "mobile"], [["1", "2"]], "mobile"),
        ([], [[]], "none given"),
        (["phone"], [], "not 0"),
        (["phone"], [["1"]] * 10_001, "not 10,001"),
        (["phone"], [["1"], ["1", "Ann"]], "Row 1"),
        (["phone", "custom1"], [["1", float("nan")]], "custom1"),
        (["phone", "custom1"], [["1", object()]], "custom1"),
    ],
)
def test_an_append_that_the_vendor_would_not_take_is_not_made(
    fields: list[str], values: list[list[lists.Cell]], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named) as caught:
        lists.append_contacts("l1", fields, values=values)
    assert "Ann" not in str(caught.value)


@pytest.mark.parametrize("build", [lambda: lists.get_list(""), lambda: lists.create_list("")])
def test_an_empty_name_or_id_is_not_asked_for(build: object) -> None:
    with pytest.raises(ConfigurationError, match="empty"):
        build()  # type: ignore[operator]  # a callable


def test_a_request_shows_no_contact() -> None:
    call = lists.append_contacts("l1", ["phone", "first_name"], values=[["+15045550100", "Ann"]])
    assert "5045550100" not in repr(call)
    assert "Ann" not in repr(call)
