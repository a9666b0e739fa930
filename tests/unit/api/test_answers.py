"""What an answer to one send means."""

import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.reading import MAX_REASON_CHARACTERS, error_reason, http_date, read_json
from airflow_provider_dropcowboy.api.wire import (
    MAX_RETRY_AFTER_S,
    Answer,
    Broken,
    NotWritten,
    Outcome,
    Reply,
    SendOutcome,
    read_send_answer,
    retry_after_s,
)

QUEUED = b'{"status": "queued"}'
ERROR = b'{"error": "Invalid brand_id"}'
PAGE = b"<html><body>Please wait</body></html>"
OTHER_WORDS = [
    b"{}",
    b'{"success": true}',
    b'{"status": "QUEUED"}',
    b'{"status": "ok", "error": null, "errors": []}',
    b'{"data": {"status": "queued", "created_at": "2026-11-24T00:00:00Z"}}',
    b'{"code": 0, "message": "Message queued"}',
    b'{"ok": 1, "data": []}',
]
REFUSALS = [
    b'{"success": false}',
    b'{"ok": 0}',
    b'{"error": "No funds"}',
    b'{"errors": ["No funds"]}',
    b'{"status": "failed", "message": "No funds"}',
    b'{"status": 400}',
    b'{"status": false}',
    b'{"message": "Not allowed"}',
    b'{"result": {"state": "Rejected"}}',
    b'[{"status": "queued"}]',
]
AGAIN = {Outcome.RELEASED, Outcome.REFUSED, Outcome.REJECTED}
NOW = "Tue, 24 Nov 2026 12:00:00 GMT"


def kind(reply: Reply) -> Outcome:
    return read_send_answer(reply).kind


@pytest.mark.parametrize(
    ("reply", "outcome"),
    [
        (NotWritten("time-out"), Outcome.RELEASED),
        (Answer(429), Outcome.RELEASED),
        (Answer(429, PAGE), Outcome.RELEASED),
        (Answer(401, ERROR), Outcome.REFUSED),
        (Answer(402, ERROR), Outcome.REFUSED),
        (Answer(403, PAGE), Outcome.REFUSED),
        (Answer(404, PAGE), Outcome.REFUSED),
        (Answer(405), Outcome.REFUSED),
        (Answer(200, QUEUED), Outcome.ACCEPTED),
        (Answer(201, QUEUED), Outcome.ACCEPTED),
        (Answer(202, b'{"status": "queued", "message_id": "m1"}'), Outcome.ACCEPTED),
        (Answer(200, b'{"accepted_count": 1, "rejected": []}'), Outcome.ACCEPTED),
        (
            Answer(200, b'{"accepted_count": 0, "rejected": [{"index": 0, "reason": "Invalid phone"}]}'),
            Outcome.REJECTED,
        ),
        (Answer(400, ERROR), Outcome.REJECTED),
        (Answer(413, ERROR), Outcome.REJECTED),
        (Answer(422, b'{"errors": [{"message": "sms_body is too long"}]}'), Outcome.REJECTED),
        (Answer(400, b'{"error": {"message": "Invalid message"}}'), Outcome.REJECTED),
        (Broken("the connection was reset"), Outcome.UNKNOWN),
        *((Answer(status, ERROR), Outcome.UNKNOWN) for status in (408, 409, 410, 418, 425, 451, 499)),
        *((Answer(status, ERROR), Outcome.UNKNOWN) for status in (500, 502, 503, 504, 520, 599)),
        *((Answer(status, PAGE), Outcome.UNKNOWN) for status in (100, 300, 301, 302, 303, 307, 308)),
        (Answer(503, PAGE, retry_after="1"), Outcome.UNKNOWN),
        (Answer(400, PAGE), Outcome.UNKNOWN),
        *((Answer(status, ERROR), Outcome.REJECTED) for status in (413, 415, 422)),
        (Answer(400, b'{"code": 12}'), Outcome.REJECTED),
        (Answer(400, b"{}"), Outcome.REJECTED),
        (Answer(400, b'[{"message": "x"}]'), Outcome.REJECTED),
        (Answer(400, b'"Invalid brand_id"'), Outcome.REJECTED),
        (Answer(400, b"Invalid brand_id"), Outcome.UNKNOWN),
        (Answer(400, b"null"), Outcome.UNKNOWN),
        (Answer(400, b"12"), Outcome.UNKNOWN),
        (Answer(422), Outcome.UNKNOWN),
        (Answer(413, b'{"error": "Req'), Outcome.UNKNOWN),
        (Answer(200), Outcome.UNKNOWN),
        (Answer(204), Outcome.UNKNOWN),
        (Answer(200, PAGE), Outcome.UNKNOWN),
        (Answer(200, b'{"status": "que'), Outcome.UNKNOWN),
        (Answer(202), Outcome.UNKNOWN),  # filters on the way answer so too
        (Answer(200, b"OK"), Outcome.UNKNOWN),
        *((Answer(200, body), Outcome.ACCEPTED) for body in OTHER_WORDS),
        *((Answer(200, body), Outcome.UNKNOWN) for body in REFUSALS),
        (Answer(200, b'{"accepted_count": "1", "rejected": null}'), Outcome.ACCEPTED),
        (Answer(200, b'{"status": "queued", "message": "no errors"}'), Outcome.ACCEPTED),
        (Answer(200, b'{"accepted_count": "0", "rejected": ["Invalid phone"]}'), Outcome.REJECTED),
        (Answer(200, b'{"rejected": [{"reason": "x"}]}'), Outcome.UNKNOWN),
        (Answer(200, b'{"status": "failed"}'), Outcome.UNKNOWN),
        (Answer(200, b'["queued"]'), Outcome.UNKNOWN),
        (Answer(200, b'"queued"'), Outcome.UNKNOWN),
        (Answer(200, b'{"accepted_count": 0}'), Outcome.UNKNOWN),
        (Answer(200, b'{"accepted_count": 2, "rejected": []}'), Outcome.UNKNOWN),
        (Answer(200, b'{"accepted_count": 1, "rejected": [{"reason": "x"}]}'), Outcome.UNKNOWN),
        (Answer(200, b'{"status": "queued", "accepted_count": 0, "rejected": [{"reason": "x"}]}'), Outcome.UNKNOWN),
        (Answer(200, b'{"status": "queued", "accepted_count": 0}'), Outcome.UNKNOWN),
        (Answer(200, b'{"status": "queued", "rejected": [{"reason": "x"}]}'), Outcome.UNKNOWN),
    ],
)
def test_an_answer_means_what_the_table_says(reply: Reply, outcome: Outcome) -> None:
    assert kind(reply) is outcome


BODIES = st.one_of(
    st.binary(max_size=200),
    st.sampled_from([QUEUED, ERROR, PAGE, b"", b"[" * 30_000, b"[" * 900 + b"]" * 900]),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=30),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from(["status", "error", "message", "errors", "rejected", "accepted_count", "reason"]), inner
            )
        ),
        max_leaves=6,
    ).map(lambda value: json.dumps(value).encode()),
)
REPLIES = st.one_of(
    st.builds(NotWritten, st.text(max_size=10)),
    st.builds(Broken, st.text(max_size=10)),
    st.builds(
        Answer,
        st.integers(100, 599),
        BODIES,
        retry_after=st.none() | st.text(max_size=40),
        date=st.none() | st.text(max_size=40),
    ),
)


def _proves_that_nothing_was_taken(reply: Reply) -> bool:
    match reply:
        case NotWritten() | Answer(status=429 | 401 | 402 | 403 | 404 | 405):
            return True
        case Answer(status=400 | 413 | 415 | 422):
            return isinstance(read_json(reply.body), dict | list | str)
        case Answer(status=status) if 200 <= status < 300:
            content = read_json(reply.body)
            return (
                isinstance(content, dict)
                and content.get("accepted_count") in (0, "0")
                and bool(content.get("rejected"))
            )
        case _:
            return False


@given(REPLIES)
def test_only_what_was_surely_not_taken_can_be_asked_again(reply: Reply) -> None:
    if kind(reply) in AGAIN:
        assert _proves_that_nothing_was_taken(reply)


@given(REPLIES)
def test_every_reply_has_one_meaning_and_a_short_reason(reply: Reply) -> None:
    outcome = read_send_answer(reply)
    assert outcome.kind in Outcome
    if isinstance(reply, Answer):
        assert len(outcome.reason) <= MAX_REASON_CHARACTERS + len("HTTP 404: ")
    if outcome.retry_after_s is not None:
        assert 0 <= outcome.retry_after_s <= MAX_RETRY_AFTER_S


@pytest.mark.parametrize("depth", [500, 5_000, 50_000])
def test_a_deeply_nested_body_is_not_readable_and_ends_nothing(depth: int) -> None:
    body = b'{"errors": ' + b"[" * depth + b"]" * depth + b"}"
    assert kind(Answer(400, body)) in {Outcome.REJECTED, Outcome.UNKNOWN}
    assert error_reason(body) is None
    assert kind(Answer(200, body)) is Outcome.UNKNOWN


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (QUEUED, None),
        (b'{"success": true, "sms_body": "Hi Ann"}', "HTTP 200 {success, sms_body}"),
        (b'{"+15045550100": "ok"}', "HTTP 200 {[number]}"),
    ],
)
def test_an_acceptance_in_other_words_shows_its_keys_and_no_value(body: bytes, shape: str | None) -> None:
    assert read_send_answer(Answer(200, body)) == SendOutcome(Outcome.ACCEPTED, odd_shape=shape)


@pytest.mark.parametrize(
    ("retry_after", "date", "seconds"),
    [
        (None, None, None),
        ("", None, None),
        ("0", None, 0.0),
        ("7", None, 7.0),
        (" 7 ", None, 7.0),
        ("9" * 400, None, MAX_RETRY_AFTER_S),
        ("3600", None, MAX_RETRY_AFTER_S),
        ("-5", None, None),
        ("1.5", None, None),
        ("soon", None, None),
        ("٣", None, None),
        ("Tue, 24 Nov 2026 12:00:30 GMT", NOW, 30.0),
        ("Tue, 24 Nov 2026 11:00:00 GMT", NOW, 0.0),
        ("Tue, 24 Nov 2026 18:00:00 GMT", NOW, MAX_RETRY_AFTER_S),
        ("Fri, 31 Dec 9999 23:59:59 -2359", NOW, None),
        ("Tue, 24 Nov 2026 12:00:30", NOW, 30.0),
    ],
)
def test_retry_after_is_read_as_seconds_or_as_a_date(
    retry_after: str | None, date: str | None, seconds: float | None
) -> None:
    assert retry_after_s(Answer(429, retry_after=retry_after, date=date)) == seconds


def test_a_date_of_retry_after_counts_from_the_vendors_own_clock() -> None:
    ours_is_wrong = Answer(429, retry_after="Mon, 01 Jan 2001 00:00:10 GMT", date="Mon, 01 Jan 2001 00:00:00 GMT")
    assert read_send_answer(ours_is_wrong) == SendOutcome(Outcome.RELEASED, "HTTP 429: too many requests", 10.0)


@given(st.text(max_size=60) | st.from_regex(r"(Mon, )?[0-9]{1,2} (Jan|Dec) [0-9]{1,5} [0-9:]{0,9} ?[+-]?[0-9]{0,6}"))
def test_no_text_makes_the_reading_of_a_date_fail(text: str) -> None:
    instant = http_date(text)
    assert instant is None or instant.tzinfo is UTC


@given(st.integers(0, 2**33).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)))
def test_an_http_date_is_read_back(whole: datetime) -> None:
    assert http_date(whole.strftime("%a, %d %b %Y %H:%M:%S GMT")) == whole
