"""A reason that the vendor gives is readable, and names no person."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.reading import MAX_REASON_CHARACTERS, error_reason, scrub

PAGE = b"<html><body>Please wait</body></html>"


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b'{"error": "Invalid brand_id"}', "Invalid brand_id"),
        (b'{"message": "Spam detected"}', "Spam detected"),
        (b'{"reason": "No"}', "No"),
        (b'{"detail": "No"}', "No"),
        (b'{"errors": ["one", {"reason": "two"}, 3]}', "one; two"),
        (b'{"error": true, "message": "Invalid message"}', "Invalid message"),
        (
            b'{"errors": [{"msg": "Invalid value", "param": "phone_number", "value": "Ann"}]}',
            "phone_number: Invalid value",
        ),
        (b'{"errors": {"phone_number": ["is bad", "is short"]}}', "phone_number: is bad; is short"),
        (b'{"phone_number": ["is bad"]}', "phone_number: is bad"),
        (b'{"statusCode": 400, "message": ["brand_id is empty"], "error": "Bad Request"}', "brand_id is empty"),
        (b'{"error": "Bad Request"}', "Bad Request"),
        (b'{"error": {"code": "E1", "msg": "No brand"}}', "No brand"),
        (b'{"msg": "No"}', "No"),
        (b'{"error_description": "No"}', "No"),
        (b'{"title": "Bad", "detail": "No brand"}', "No brand"),
        (b'[{"message": "No"}]', "No"),
        (b'"No"', "No"),
        (b'{"sms_body": "Hi Ann"}', None),  # the request, sent back
        (b'{"error": ""}', None),
        (b'{"code": 1}', None),
        (b"[]", None),
        (PAGE, None),
        (b"\xff\xfe", None),
        (b"", None),
    ],
)
def test_the_vendors_reason_is_read_from_its_json(body: bytes, reason: str | None) -> None:
    assert error_reason(body) == reason


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Invalid phone_number: +15045550100", "Invalid phone_number: [number]"),
        ("+1 (504) 555-0100 is on the list", "[number] is on the list"),
        ("(504) 555-0100", "([number]"),
        ("504.555.0100 / 504–555–0101", "[number]"),
        ("postal code 70112 unknown", "postal code [number] unknown"),
        ("Invalid value '+15045550100'", "Invalid value '…'"),
        ('sms_body "Hi Ann, you owe us" is spam', 'sms_body "…" is spam'),
        ("the contact's name 'Ann Smith' is odd", "the contact's name '…' is odd"),
        ("the text 'Ann\nSmith' is odd", "the text '…' is odd"),
        ("the name 'O'Brien' is odd", "the name '…' is odd"),
        ("the text “Hi Ann” is odd", "the text “…” is odd"),
        ('the text "Hi Ann', 'the text "…'),
        ("the field 'phone_number' is missing", "the field 'phone_number' is missing"),
        (
            'the field "sms_body" has 161 characters, 160 are taken',
            'the field "sms_body" has 161 characters, 160 are taken',
        ),
        ("tts_body over 1,200 characters", "tts_body over 1,200 characters"),
        ("a\x00b\ud800c\x1b[31m", "a b c [31m"),
    ],
)
def test_a_reason_holds_no_number_and_no_quoted_value(text: str, shown: str) -> None:
    assert scrub(text) == shown


@given(
    before=st.text(st.characters(exclude_categories=["Nd"]), max_size=40),
    phone=st.from_regex(r"\+?1?[ .-]?\(?[2-9][0-9]{2}\)?[ .–-]{0,2}[0-9]{3}[ .–-]?[0-9]{4}", fullmatch=True),
    after=st.text(st.characters(exclude_categories=["Nd"]), max_size=40),
)
def test_no_phone_number_gets_through_in_any_writing(before: str, phone: str, after: str) -> None:
    assert not re.search(r"\d{5}", re.sub(r"\W", "", scrub(f"{before} {phone} {after}").replace("[number]", "x")))


@given(
    quote=st.sampled_from(["''", '""', "``", "“”", "‘’", "«»"]),
    value=st.text(st.characters(categories=["L", "Zs", "Cc"]), min_size=1, max_size=40).map(
        lambda text: f"Zoë{text}Zoë"
    ),
    before=st.sampled_from(["", "the person's name is ", "a “b” c ", "don't: ", 'field "phone_number" of ']),
)
def test_no_quoted_value_gets_through(quote: str, value: str, before: str) -> None:
    assert "Zo" not in scrub(f"{before}{quote[0]}{value}{quote[1]} is refused")


@given(st.text(max_size=2_000))
@example("'" * 2_000)
@example(" 'a" * 700)
def test_a_reason_can_be_stored_and_shown_in_one_line(text: str) -> None:
    reason = scrub(text)
    assert len(reason) <= MAX_REASON_CHARACTERS
    assert reason.isprintable()  # PostgreSQL stores no NUL, and no database half a character
