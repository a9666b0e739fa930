"""What a send asks for: the same content in the words of either version, and the same bytes every time."""

import json
from typing import Any

import pytest

from airflow_provider_dropcowboy.api.account import Account
from airflow_provider_dropcowboy.api.content import Content, Rvm, Sms
from airflow_provider_dropcowboy.api.versions import VENDORS
from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.secret import Secret

ACCOUNT = Account("team", Secret("secret"), "https://localhost")
PHONE = "+15045550100"


def body(version: str, content: Content) -> dict[str, Any]:
    """The fields of a request that the content decides."""
    request = VENDORS[version].send(ACCOUNT, content, phone=Phone(PHONE), foreign_id="f", callback_url=None)
    assert request.body is not None
    others = {"team_id", "secret", "foreign_id", "opt_in"}
    read = json.loads(json.dumps(request.body))
    return {name: value for name, value in read.items() if name not in others}


@pytest.mark.parametrize(
    ("content", "v1", "v2"),
    [
        (
            Rvm(recording_id="m", pool_id="l", brand_id="b"),
            {"phone_number": PHONE, "recording_id": "m", "pool_id": "l", "brand_id": "b"},
            {"to": PHONE, "media_id": "m", "phone_line_id": "l", "brand_id": "b"},
        ),
        (
            Sms(sms_body="Hi", pool_id="l"),
            {"phone_number": PHONE, "caller_id": None, "pool_id": "l", "sms_body": "Hi"},
            {"to": PHONE, "phone_line_id": "l", "body": "Hi"},
        ),
    ],
)
def test_the_same_content_goes_out_in_the_words_of_either_version(
    content: Content, v1: dict[str, object], v2: dict[str, object]
) -> None:
    assert (body("v1", content), body("v2", content)) == (v1, v2)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (Rvm(recording_id="m", contact_id="c"), {"contact_id": "c", "media_id": "m"}),
        (Sms(sms_body="Hi", contact_id="c"), {"contact_id": "c", "body": "Hi"}),
        (
            Sms(sms_body="Hi", media_urls=("https://a.example/a.png",), media_ids=("m",)),
            {"to": PHONE, "body": "Hi", "media_urls": ["https://a.example/a.png"], "media_ids": ["m"]},
        ),
        (
            Rvm(recording_id="m", byoc={"key": "k"}, caller_id=PHONE, sti_orig_id="s", sti_attestation="A"),
            {
                "to": PHONE,
                "media_id": "m",
                "caller_id": PHONE,
                "byoc": {"sti_orig_id": "s", "sti_attestation": "A"},
            },
        ),
        (
            Rvm(recording_id="m", byoc={"sti_orig_id": "s"}),
            {"to": PHONE, "media_id": "m", "byoc": {"sti_orig_id": "s"}},
        ),
    ],
)
def test_what_only_v2_knows_goes_out_in_its_words(content: Content, expected: dict[str, object]) -> None:
    VENDORS["v2"].rules.check(content)
    assert body("v2", content) == expected
