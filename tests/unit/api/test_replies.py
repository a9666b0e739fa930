"""What a reply to anything but a send means."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.account import Brand, Pool, Recording
from airflow_provider_dropcowboy.api.lists import AppendResult, Cell, ContactList, RejectedRow
from airflow_provider_dropcowboy.api.v1.vendor import V1
from airflow_provider_dropcowboy.api.wire import Answer, Broken, Call, NotWritten, Reply, may_ask_again, read_reply
from airflow_provider_dropcowboy.errors import (
    AmbiguousError,
    AuthenticationError,
    ConfigurationError,
    NotTakenError,
    RejectedError,
    VendorError,
)

CHANGES = [
    V1().create_list("due"),
    V1().rename_list("l1", "due"),
    V1().delete_list("l1"),
    V1().append_contacts("l1", ["phone"], values=[["+15045550100"]]),
]
QUESTIONS = [V1().brands(), V1().recordings(), V1().media(), V1().pools(), V1().get_list("l1")]

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
    made = ContactList("l1", "due", datetime(2027, 1, 15, 8, tzinfo=UTC), 3)
    assert ask(V1().get_list("l1"), 200, body) == made


@pytest.mark.parametrize("body", [b"", b" \n", b"{}", b'{"list_id": "l1"}', b"OK", b"null"])
def test_a_deletion_and_a_renaming_may_answer_with_nothing(body: bytes) -> None:
    assert ask(V1().delete_list("l1"), 200, body) is None
    assert ask(V1().rename_list("l1", "due"), 200, body) is None


def test_rows_that_were_not_taken_come_back_with_their_reason_and_without_their_number() -> None:
    body = b'{"accepted_count": 1, "rejected": [{"index": 1, "reason": "Invalid phone 504-555-0100"}]}'
    call = V1().append_contacts("l1", ["phone"], values=[["+15045550100"], ["504-555-0100"]])
    assert read_reply(call, Answer(200, body)) == AppendResult(1, (RejectedRow(1, "Invalid phone [number]"),))


@pytest.mark.parametrize(
    ("call", "body", "first"),
    [
        (
            V1().brands(),
            b'[{"brand_id": "b1", "company_name": "Acme", "dba_name": null, "registered": true, "api_allowed": false}]',
            Brand("b1", "Acme", None, True, False),
        ),
        (
            V1().recordings(),
            b'[{"media_id": "m1", "name": "Hello", "created_at": 1800000000000}]',
            Recording("m1", "Hello", datetime(2027, 1, 15, 8, tzinfo=UTC)),
        ),
        (V1().media(), b'[{"media_id": 7}]', Recording("7")),
        (
            V1().pools(),
            b'[{"pool_id": "p1", "name": "Main", "brand_id": "b1", "service_type": "sms", "number_count": 4}]',
            Pool("p1", "Main", "b1", "sms", 4),
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


@pytest.mark.parametrize(
    ("field", "read"),
    [
        (b'"created_at": "2027-01-15T08:00:00Z"', datetime(2027, 1, 15, 8, tzinfo=UTC)),
        (b'"created_at": "1800000000000"', datetime(2027, 1, 15, 8, tzinfo=UTC)),
        (b'"created_at": 1800000000000.0', datetime(2027, 1, 15, 8, tzinfo=UTC)),
        *((b'"created_at": %b' % value, None) for value in (b"-1", b"true", b'"soon"', b"1" + b"0" * 30, b"[]")),
        (b'"contact_count": "5"', 5),
        (b'"contact_count": 5.0', 5),
        *((b'"contact_count": %b' % value, None) for value in (b"5.5", b"true", b"NaN", b'"many"', b"-1")),
        (b'"list_name": "due"', "due"),
        (b'"list_name": 1.5', None),
    ],
)
def test_a_field_that_is_not_needed_decides_nothing(field: bytes, read: object) -> None:
    found = ask(V1().get_list("l1"), 200, b'{"list_id": "l1", %b}' % field)
    assert getattr(found, field.split(b'"')[1].decode()) == read
    assert ask(V1().create_list("due"), 201, b'{"list_id": "l1", %b}' % field) == found


def test_an_odd_field_of_one_row_hides_no_row() -> None:
    body = b'[{"brand_id": "b1", "registered": "yes", "api_allowed": 1, "company_name": 1.5}, {"brand_id": "b2"}]'
    assert ask(V1().brands(), 200, body) == (Brand("b1", api_allowed=True), Brand("b2"))
    pools = b'[{"pool_id": "p1", "number_count": "3"}, {"pool_id": "p2", "number_count": "some"}]'
    assert ask(V1().pools(), 200, pools) == (Pool("p1", number_count=3), Pool("p2"))
    recordings = b'[{"media_id": "m1", "created_at": "yesterday"}]'
    assert ask(V1().recordings(), 200, recordings) == (Recording("m1"),)


@pytest.mark.parametrize("body", [b'{"error": "nope"}', b'{"success": false}', b"<html>", b"maybe"])
def test_a_change_is_not_made_if_its_200_says_an_error_or_is_a_page(body: bytes) -> None:
    for call in (V1().delete_list("l1"), V1().rename_list("l1", "due")):
        with pytest.raises(AmbiguousError, match="HTTP 200 came back, but not the documented answer"):
            ask(call, 200, body)


@pytest.mark.parametrize("call", CHANGES)
def test_a_doubt_says_what_to_look_at(call: Call[object]) -> None:
    with pytest.raises(AmbiguousError, match="Do not repeat it") as caught:
        ask(call, 503)
    assert call.check
    assert str(caught.value).endswith(call.check)


@pytest.mark.parametrize("list_id", ["../brand", "a/b", "a?b=1", "ü"])
def test_an_id_stays_one_part_of_the_path(list_id: str) -> None:
    path = V1().get_list(list_id).request.path
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
        ("phone", [["1"]], r"fields is the text 'phone'.*Write a list"),
        (["phone"], [{"phone": "1"}], r"Row 0 is a dict.*order of fields"),
        (["phone", "custom1"], [["1", "2"], "no"], "Row 1 is a str"),
        (["phone", "custom1"], [["1", float("nan")]], "custom1"),
        (["phone", "custom1"], [["1", object()]], "custom1"),
    ],
)
def test_an_append_that_the_vendor_would_not_take_is_not_made(
    fields: list[str], values: list[list[Cell]], named: str
) -> None:
    with pytest.raises(ConfigurationError, match=named) as caught:
        V1().append_contacts("l1", fields, values=values)
    assert "Ann" not in str(caught.value)


@pytest.mark.parametrize("region", ["XX", "usa", "us", "", None])
def test_an_append_for_an_unknown_region_is_not_made(region: str) -> None:
    with pytest.raises(ConfigurationError, match=r"region is .*No contact was sent"):
        V1().append_contacts("l1", ["phone"], values=[["1"]], region=region)


@pytest.mark.parametrize("list_id", [".", "..", " . ", "", " ", "a\nb", None])
def test_an_id_that_would_lead_to_another_route_is_refused(list_id: str) -> None:
    for build in (V1().get_list, V1().delete_list, lambda wrong: V1().rename_list(wrong, "x")):
        with pytest.raises(ConfigurationError, match=r"list_id is .+Nothing was sent"):
            build(list_id)
    with pytest.raises(ConfigurationError, match=r"list_id is .+Nothing was sent"):
        V1().append_contacts(list_id, ["phone"], values=[["1"]])


@pytest.mark.parametrize("build", [lambda: V1().rename_list("l1", " "), lambda: V1().create_list("")])
def test_an_empty_name_or_id_is_not_asked_for(build: object) -> None:
    with pytest.raises(ConfigurationError, match="empty"):
        build()  # type: ignore[operator]  # a callable


def test_a_request_shows_no_contact() -> None:
    call = V1().append_contacts("l1", ["phone", "first_name"], values=[["+15045550100", "Ann"]])
    assert "5045550100" not in repr(call)
    assert "Ann" not in repr(call)
