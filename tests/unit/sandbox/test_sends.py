"""What the sandbox takes, and what it refuses."""

from dataclasses import replace

import pytest

from airflow_provider_dropcowboy.sandbox import catalog
from airflow_provider_dropcowboy.sandbox.protocol import QUEUED, RefusedError
from airflow_provider_dropcowboy.sandbox.vendor import Vendor
from tests.unit.sandbox.asks import MakeAsk


def test_a_good_voicemail_is_queued_and_counts_as_one_take(vendor: Vendor, rvm_ask: MakeAsk) -> None:
    assert vendor.sends.rvm(rvm_ask()) == QUEUED
    assert vendor.state.sends["one"].takes == 1


def test_a_good_text_is_queued_and_counts_as_one_take(vendor: Vendor, sms_ask: MakeAsk) -> None:
    assert vendor.sends.sms(sms_ask()) == QUEUED
    assert vendor.state.sends["one"].takes == 1


@pytest.mark.parametrize(
    "audio",
    [
        {"voice_id": "v", "tts_body": "Hello."},
        {"audio_url": "https://example.com/a.mp3", "audio_type": "mp3"},
        {"audio_url": "https://example.com/a"},
    ],
)
def test_each_audio_source_is_enough(vendor: Vendor, rvm_ask: MakeAsk, audio: dict[str, str]) -> None:
    assert vendor.sends.rvm(rvm_ask(recording_id=None, **audio)) == QUEUED


@pytest.mark.parametrize(
    ("changes", "field_name"),
    [
        ({"foreign_id": None}, "foreign_id"),
        ({"foreign_id": "x" * 257}, "foreign_id"),
        ({"foreign_id": 7}, "foreign_id"),
        ({"brand_id": None}, "brand_id"),
        ({"brand_id": "unknown"}, "brand_id"),
        ({"phone_number": None}, "phone_number"),
        ({"phone_number": "504-555-0100"}, "phone_number"),
        ({"phone_number": "+05045550100"}, "phone_number"),
        ({"recording_id": None}, "recording_id"),
        ({"recording_id": "unknown"}, "recording_id"),
        ({"audio_url": "https://example.com/a.mp3"}, "audio_url"),
        ({"recording_id": None, "tts_body": "Hello."}, "voice_id"),
        ({"voice_id": "v"}, "voice_id"),
        ({"recording_id": None, "audio_url": "ftp://example.com/a.mp3"}, "audio_url"),
        ({"recording_id": None, "audio_url": "https://example.com/a", "audio_type": "ogg"}, "audio_type"),
        ({"forwarding_number": "5045550100"}, "forwarding_number"),
        ({"phone_ivr_id": 5}, "phone_ivr_id"),
        ({"pool_id": "unknown"}, "pool_id"),
        ({"postal_code": "9021"}, "postal_code"),
        ({"callback_url": "not a url"}, "callback_url"),
        ({"byoc": "text"}, "byoc"),
    ],
)
def test_a_wrong_voicemail_is_refused_by_the_name_of_its_field(
    vendor: Vendor, rvm_ask: MakeAsk, changes: dict[str, object], field_name: str
) -> None:
    with pytest.raises(RefusedError, match=field_name) as refused:
        vendor.sends.rvm(rvm_ask(**changes))
    assert (refused.value.status, refused.value.field_name) == (400, field_name)
    assert vendor.state.total.takes == 0


@pytest.mark.parametrize(
    ("changes", "field_name"),
    [
        ({"phone_number": None}, "phone_number"),
        ({"caller_id": None}, "caller_id"),
        ({"caller_id": "12345"}, "caller_id"),
        ({"pool_id": None}, "pool_id"),
        ({"pool_id": "unknown"}, "pool_id"),
        ({"sms_body": None}, "sms_body"),
        ({"sms_body": "x" * 161}, "sms_body"),
        ({"opt_in": None}, "opt_in"),
        ({"opt_in": False}, "opt_in"),
        ({"opt_in": "true"}, "opt_in"),
        ({"foreign_id": "x" * 257}, "foreign_id"),
    ],
)
def test_a_wrong_text_is_refused_by_the_name_of_its_field(
    vendor: Vendor, sms_ask: MakeAsk, changes: dict[str, object], field_name: str
) -> None:
    with pytest.raises(RefusedError, match=field_name) as refused:
        vendor.sends.sms(sms_ask(**changes))
    assert (refused.value.status, refused.value.field_name) == (400, field_name)
    assert vendor.state.total.takes == 0


def test_every_brand_recording_and_pool_of_the_catalog_may_be_named(vendor: Vendor, rvm_ask: MakeAsk) -> None:
    for brand_id in catalog.BRAND_IDS:
        for recording_id in catalog.RECORDING_IDS:
            for pool_id in catalog.POOL_IDS:
                ask = rvm_ask(brand_id=brand_id, recording_id=recording_id, pool_id=pool_id)
                assert vendor.sends.rvm(ask) == QUEUED


@pytest.mark.parametrize("name", ["team_id", "secret"])
def test_credentials_in_the_headers_alone_do_not_send(vendor: Vendor, rvm_ask: MakeAsk, name: str) -> None:
    with pytest.raises(RefusedError) as refused:
        vendor.sends.rvm(rvm_ask(**{name: None}))
    assert refused.value.status == 401


def test_a_body_that_could_not_be_read_is_refused(vendor: Vendor, rvm_ask: MakeAsk) -> None:
    with pytest.raises(RefusedError, match="Malformed JSON") as refused:
        vendor.sends.rvm(replace(rvm_ask(), problem="Malformed JSON"))
    assert refused.value.status == 400


def test_a_refusal_does_not_repeat_the_number(vendor: Vendor, rvm_ask: MakeAsk) -> None:
    with pytest.raises(RefusedError) as refused:
        vendor.sends.rvm(rvm_ask(phone_number="504-555-0100"))
    assert b"555" not in refused.value.answer(rvm_ask()).body
