"""What answers of API v2 mean, read as its reference writes them: documented shapes, and what may be missing."""

import json

import pytest

from airflow_provider_dropcowboy.api.account import Readiness, Upload
from airflow_provider_dropcowboy.api.content import Rvm
from airflow_provider_dropcowboy.api.lists import AppendResult, RejectedRow
from airflow_provider_dropcowboy.api.v2 import account, contacts
from airflow_provider_dropcowboy.api.v2.vendor import V2
from airflow_provider_dropcowboy.api.wire import Answer, Call, read_reply
from airflow_provider_dropcowboy.errors import AmbiguousError, ConfigurationError, RejectedError


def told(call: Call[object], data: object, status: int = 200) -> object:
    """The value that an answer with this ``data`` is read as."""
    return read_reply(call, Answer(status, json.dumps({"data": data, "meta": {"request_id": "r"}}).encode()))


def test_a_contact_that_is_null_is_not_there() -> None:
    with pytest.raises(RejectedError, match="no contact of this ID"):
        told(contacts.get_contact("c1"), {"contact": None})


@pytest.mark.parametrize(
    "data",
    [
        {"inserted": [{"index": 0, "contact_id": "c1"}], "rejected": [{"index": 1, "reasons": ["missing_identifier"]}]},
        {
            "inserted": [],
            "updated": [{"index": 0, "contact_id": "c1"}],
            "rejected": [{"index": 1, "reasons": ["missing_identifier"]}],
        },
    ],
)
def test_an_append_is_read_whichever_of_its_arrays_are_there(data: object) -> None:
    call = contacts.append_contacts("l1", ["phone"], values=[["+15045550100"], [None]])
    assert told(call, data, 201) == AppendResult(1, (RejectedRow(1, "missing_identifier"),), {0: "c1"})


def test_an_append_that_tells_of_no_row_is_in_doubt() -> None:
    with pytest.raises(AmbiguousError, match="not the documented answer"):
        told(contacts.append_contacts("l1", ["phone"], values=[["+15045550100"]]), {"ok": True})


def test_an_upload_is_read_beside_fields_that_are_no_target() -> None:
    upload = {"mp3": {"url": "https://u.example/1", "content_type": "audio/mpeg"}, "expires_at": 1_800_000_000_000}
    data = {"media_id": "m1", "name": "Hi", "media_exists": False, "upload": upload}
    assert told(account.begin_upload("Hi"), data, 201) == Upload("m1", {"mp3": ("https://u.example/1", "audio/mpeg")})


def test_a_webhook_is_not_gone_if_the_answer_says_so() -> None:
    assert told(account.delete_webhook("w1"), {"result": True}) is None
    with pytest.raises(AmbiguousError):
        told(account.delete_webhook("w1"), {"result": False})


@pytest.mark.parametrize(
    ("data", "is_voice", "is_ready"),
    [
        ({"numbers": {"count": 2}}, True, True),
        ({"numbers": {"count": 0}}, True, False),
        ({"numbers": {"count": 0}, "byoc": {"connected": True}}, True, True),  # its calls name a caller_id
        ({}, True, True),  # it does not say
        ({"numbers": {"count": 2}, "funds": {"funds_ok": False}}, False, False),
        ({"numbers": {"count": 2}, "test_numbers_only": True}, True, False),
        ({"numbers": {"count": 2}, "test_numbers_only": True}, False, True),  # section 14: voice sends alone
    ],
)
def test_an_account_is_ready_unless_the_answer_says_that_it_is_not(
    data: object, is_voice: bool, is_ready: bool
) -> None:
    readiness = told(account.readiness(), data)
    assert isinstance(readiness, Readiness)
    assert readiness.access(is_voice=is_voice).is_ready is is_ready


def test_a_spoken_text_is_counted_as_the_vendor_counts_it() -> None:
    V2().rules.check(Rvm(voice_id="v", tts_body="😀" * 600))
    with pytest.raises(ConfigurationError, match="1202 characters"):
        V2().rules.check(Rvm(voice_id="v", tts_body="😀" * 601))
