"""Sends of API v2, their verdicts, and the memory of idempotency keys, without a socket."""

from collections.abc import Mapping
from types import MappingProxyType

import pytest

from airflow_provider_dropcowboy.sandbox import catalog
from airflow_provider_dropcowboy.sandbox.protocol import Ask, RefusedError
from airflow_provider_dropcowboy.sandbox.results import SIMULATED
from airflow_provider_dropcowboy.sandbox.sends import MEMORY_S
from airflow_provider_dropcowboy.sandbox.vendor import Vendor

KEY = {"x-key": "sandbox-key", "x-secret": "sandbox-secret"}
GOOD = {
    "rvm": {"to": "+15045550100", "media_id": catalog.RECORDING_ID, "foreign_id": "one"},
    "sms": {"to": "+15045550100", "body": "Your order is ready.", "foreign_id": "one"},
}


def send(
    vendor: Vendor,
    route: str = "rvm",
    changes: Mapping[str, object] = MappingProxyType({}),
    *,
    key: str = "",
    headers: Mapping[str, str] = MappingProxyType(KEY),
) -> str:
    """Its reason code, or ``repeated``."""
    body = {name: value for name, value in {**GOOD[route], **changes}.items() if value is not None}
    before = vendor.v2_sends.by_code.copy()
    answer = vendor.v2_sends.send(Ask(route, {**headers, "Idempotency-Key": key}, body=body, is_v2=True))
    assert answer.status == 202
    told = list((vendor.v2_sends.by_code - before).elements())
    return str(told[0]) if told else "repeated"


@pytest.fixture
def vendor(vendor: Vendor) -> Vendor:
    vendor.change({"outcomes": {"success": 1}})
    return vendor


@pytest.mark.parametrize(
    ("route", "changes", "code"),
    [
        ("rvm", {}, 0),
        ("rvm", {"to": "5045550100"}, 3011),
        ("rvm", {"to": None}, 3011),
        ("rvm", {"to": "+10045550100"}, 3012),
        ("rvm", {"to": None, "contact_id": "nobodys"}, 3011),
        ("rvm", {"contact_id": "both"}, 3011),
        ("rvm", {"phone_line_id": "nobodys"}, 3013),
        ("rvm", {"phone_line_id": catalog.POOL_ID}, 0),
        ("rvm", {"callback_url": "ftp://example.com"}, 3019),
        ("rvm", {"media_id": "nobodys"}, 3033),
        ("rvm", {"media_id": None}, 3001),
        ("rvm", {"tts_body": "Hi", "voice_id": catalog.VOICE_ID}, 3001),
        ("rvm", {"media_id": None, "tts_body": "Hi", "voice_id": catalog.VOICE_ID}, 0),
        ("rvm", {"media_id": None, "tts_body": "Hi"}, 3002),
        ("rvm", {"media_id": None, "voice_id": catalog.VOICE_ID}, 3015),
        ("rvm", {"media_id": None, "tts_body": "x" * 1201, "voice_id": catalog.VOICE_ID}, 3021),
        ("rvm", {"media_id": None, "audio_url": "https://example.com/a.mp3"}, 0),
        ("rvm", {"byoc": {"sti_orig_id": "1", "sti_attestation": "A"}}, 3016),
        ("sms", {}, 0),
        ("sms", {"body": None}, 3015),
        ("sms", {"body": "x" * 1600}, 0),
        ("sms", {"body": "x" * 1601}, 3021),
        ("sms", {"media_urls": ["https://example.com/a.png"], "media_ids": [catalog.RECORDING_ID]}, 0),
    ],
)
def test_a_request_is_answered_202_and_judged_later(
    vendor: Vendor, route: str, changes: dict[str, object], code: int
) -> None:
    assert send(vendor, route, changes) == str(code)
    assert vendor.state.takes()["takes"] == (code == 0)


@pytest.mark.parametrize(
    ("setting", "changes", "code"),
    [
        ({"funds_usd": 0}, {}, 3000),
        ({"audio_url_allowed": False}, {"media_id": None, "audio_url": "https://example.com/a.mp3"}, 3014),
        ({"test_numbers_only": True}, {"to": "+15045550177"}, 3040),
        ({"codes": {"*": 9999}}, {}, 9999),
        ({"codes": {"+15045550100": 6002}}, {}, 6002),
        ({"byoc": True}, {"byoc": {"sti_orig_id": "1", "sti_attestation": "D"}}, 3018),
        ({"byoc": True}, {"byoc": {"sti_attestation": "A"}}, 3017),
        ({"outcomes": {"dnc": 1}}, {}, 4016),
    ],
)
def test_the_account_decides_too(
    vendor: Vendor, setting: dict[str, object], changes: dict[str, object], code: int
) -> None:
    vendor.change(setting)
    assert send(vendor, changes=changes) == str(code)


@pytest.mark.parametrize("number", SIMULATED)
def test_a_simulated_number_has_its_result(vendor: Vendor, number: str) -> None:
    vendor.change({"outcomes": {"silent": 1}})
    assert send(vendor, "sms" if number.startswith("+1555002") else "rvm", {"to": number}) == str(SIMULATED[number])


def test_the_same_key_and_request_are_sent_once(vendor: Vendor) -> None:
    assert [send(vendor, key="k") for _ in range(3)] == ["0", "repeated", "repeated"]
    assert vendor.state.takes()["takes"] == 1
    assert vendor.state.sends["one"].takes == 1
    assert vendor.v2_sends.keys.shown() == {"first": 1, "repeated": 2, "conflicts": 0, "malformed": 0, "kept": 1}


def test_the_order_of_a_body_does_not_count(vendor: Vendor) -> None:
    body = GOOD["rvm"]
    for fields in (body, dict(reversed(body.items()))):
        vendor.v2_sends.send(Ask("rvm", {**KEY, "Idempotency-Key": "k"}, body=fields, is_v2=True))
    assert vendor.v2_sends.keys.counts["repeated"] == 1


@pytest.mark.parametrize(("route", "changes"), [("rvm", {"foreign_id": "two"}), ("sms", {})])
def test_a_key_with_another_request_conflicts_and_nothing_is_sent(
    vendor: Vendor, route: str, changes: dict[str, object]
) -> None:
    assert (send(vendor, key="k"), send(vendor, route, changes, key="k")) == ("0", "3027")
    assert vendor.state.takes()["takes"] == 1


def test_a_key_of_a_failed_send_is_spent(vendor: Vendor) -> None:
    vendor.change({"funds_usd": 0})
    assert send(vendor, key="k") == "3000"
    vendor.change({"funds_usd": 5})
    assert (send(vendor, key="k"), send(vendor, key="k2")) == ("repeated", "0")


@pytest.mark.parametrize("key", ["x" * 256, "naïve", "a\tb"])
def test_a_malformed_key_fails_and_nothing_is_sent(vendor: Vendor, key: str) -> None:
    assert send(vendor, key=key) == "3028"
    assert vendor.state.takes()["takes"] == 0


def test_without_a_key_every_request_is_sent(vendor: Vendor) -> None:
    assert [send(vendor), send(vendor)] == ["0", "0"]
    assert vendor.state.takes()["taken_twice"] == 1


def test_a_new_key_for_one_message_is_seen_as_billed_twice(vendor: Vendor) -> None:
    assert [send(vendor, key="k1"), send(vendor, key="k2")] == ["0", "0"]
    assert vendor.state.takes()["taken_twice"] == 1


def test_a_key_is_forgotten_after_24_hours(vendor: Vendor) -> None:
    send(vendor, key="k")
    vendor.state.clock.advance(MEMORY_S - 1)
    assert send(vendor, key="k") == "repeated"
    vendor.state.clock.advance(1)
    assert send(vendor, key="k") == "0"
    assert vendor.state.takes()["taken_twice"] == 1


def test_wrong_credentials_are_told_later_and_spend_no_key(vendor: Vendor) -> None:
    assert send(vendor, key="k", headers={**KEY, "x-secret": "wrong"}) == "3007"
    assert send(vendor, key="k") == "0"


@pytest.mark.parametrize(
    ("ask", "status"), [(Ask("rvm", {}, is_v2=True), 401), (Ask("rvm", KEY, problem="Malformed JSON", is_v2=True), 400)]
)
def test_only_absent_credentials_and_no_json_are_refused_at_once(vendor: Vendor, ask: Ask, status: int) -> None:
    with pytest.raises(RefusedError) as refused:
        vendor.v2_sends.send(ask)
    assert refused.value.status == status
