"""Reading a delivery callback."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.api.callbacks import Callback, DeliveryStatus, Result, read_callback
from airflow_provider_dropcowboy.api.versions import VENDORS
from airflow_provider_dropcowboy.errors import CallbackError

DOCUMENTED = b"""{"drop_id": "5c8eb7940a057a4ab0823e1a", "phone_number": "+15552224444",
 "attempt_date": "2019-03-17T21:10:26.000Z", "status": "success", "reason": "", "dnc": false, "spam": false,
 "product_cost": 0.099, "compliance_fee": 0.0029, "tts_fee": 0,
 "network": {"name": "Verizon Wireless:6006 - SVR/2", "type": "wireless"}, "foreign_id": "f1"}"""

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = [
    "drop_id", "phone_number", "attempt_date", "reason", "reason_code", "dnc", "spam", "product_cost",
    "compliance_fee", "tts_fee", "network", "foreign_id", "product_code", "quantity",
]  # fmt: skip


def test_the_documented_callback_is_read() -> None:
    assert read_callback(DOCUMENTED) == Callback(
        status=DeliveryStatus.SUCCESS,
        foreign_id="f1",
        drop_id="5c8eb7940a057a4ab0823e1a",
        phone_number="+15552224444",
        cost_usd=Decimal("0.1019"),
        network_name="Verizon Wireless:6006 - SVR/2",
    )


def test_a_failure_says_why_without_a_number() -> None:
    raw = b'{"status": "failure", "reason": "Invalid number +1 504-555-0100", "reason_code": 3012, "dnc": true}'
    callback = read_callback(raw)
    assert callback.status is DeliveryStatus.FAILURE
    assert (callback.reason, callback.reason_code, callback.dnc) == ("Invalid number [number]", 3012, True)


def test_a_callback_that_says_only_how_it_ended_is_read() -> None:
    assert read_callback(b'{"status": "success"}').cost_usd is None


@given(fields=st.dictionaries(st.sampled_from(FIELDS), values), status=st.sampled_from(["success", "failure"]))
def test_a_callback_with_odd_fields_is_read(fields: dict[str, object], status: str) -> None:
    raw = json.dumps({**fields, "status": status}).encode()
    callback = read_callback(raw)
    assert callback.status == status
    for text in (callback.foreign_id, callback.drop_id, callback.reason, callback.network_name):
        assert "\0" not in (text or "").encode().decode()  # else no database would store it


@given(raw=st.binary())
def test_anything_else_is_unreadable(raw: bytes) -> None:
    with pytest.raises(CallbackError):
        read_callback(raw)


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"null",
        b"[]",
        b'"success"',
        b"{}",
        b'{"status": null}',
        b'{"status": ["success"]}',
        b"[" * 100_000,
        b'{"status": "success", "product_cost": 1e999999999999999999999}',
        b"\xff\xfe{",
    ],
)
def test_a_callback_that_cannot_be_read_is_named_as_such(raw: bytes) -> None:
    with pytest.raises(CallbackError, match="kept as it came"):
        read_callback(raw)


def test_an_amount_beyond_sense_is_left_out() -> None:
    assert read_callback(b'{"status": "success", "product_cost": 1e900000, "tts_fee": 0.01}').cost_usd == Decimal(
        "0.01"
    )


def test_a_callback_shows_no_number() -> None:
    assert "5552224444" not in repr(read_callback(DOCUMENTED))


def test_v1_reads_no_result_from_another_word_than_success_and_failure() -> None:
    assert VENDORS["v1"].read_result(read_callback(b'{"status": "queued", "reason_code": 0}')) is None


@pytest.mark.parametrize(
    ("raw", "result", "reason"),
    [
        (b'{"status": "success", "reason_code": 0}', Result.DELIVERED, ""),
        (b'{"status": "failed", "reason_code": 4005, "reason": "No answer"}', Result.FAILED, "4005: no answer"),
        (b'{"status": "failure", "reason_code": 3011}', Result.REJECTED, "3011: number not in E.164"),
        (b'{"status": "failure", "reason_code": 3000}', Result.REFUSED, "3000: no funds"),
        (b'{"reason_code": 3027}', Result.FAULT, "3027: idempotency key used with another request"),
        (b'{"status": "success"}', Result.DELIVERED, ""),
        (b'{"status": "failed", "reason": "Busy"}', Result.FAILED, "no code: Busy"),
        (b'{"status": "success", "reason_code": 5999}', Result.FAILED, "unknown code 5999"),
    ],
)
def test_v2_reads_a_result_by_its_code(raw: bytes, result: Result, reason: str) -> None:
    reading = VENDORS["v2"].read_result(read_callback(raw))
    assert reading is not None
    assert (reading.result, reading.reason) == (result, reason)
