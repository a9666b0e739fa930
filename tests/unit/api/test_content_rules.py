"""The vendor's rules for a message."""

import pytest

from airflow_provider_dropcowboy.api.content import Content, Rvm, Sms
from airflow_provider_dropcowboy.api.versions import DEFAULT
from airflow_provider_dropcowboy.errors import ConfigurationError


@pytest.mark.parametrize(
    "content",
    [
        Rvm(brand_id="b", recording_id="r"),
        Rvm(brand_id="b", voice_id="v", tts_body="Hello", postal_code="02101"),
        Rvm(brand_id="b", audio_url="https://a.example/a", audio_type="wav", postal_code="90210-0001"),
        Rvm(brand_id="b", recording_id="r", postal_code="K1A 0B1"),
        Sms(caller_id="+15045550100", pool_id="p", sms_body="x" * 160),
    ],
)
def test_a_message_that_the_vendor_takes_passes(content: Content) -> None:
    DEFAULT.rules.check(content)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (Rvm(brand_id="", recording_id="r"), "brand_id"),
        (Rvm(brand_id="b"), "given: none"),
        (Rvm(brand_id="b", recording_id="r", audio_url="https://a.example/a"), "recording_id, audio_url"),
        (Rvm(brand_id="b", voice_id="v"), "give both"),
        (Rvm(brand_id="b", tts_body="Hello Ann"), "give both"),
        (Rvm(brand_id="b", recording_id="r", audio_type="wav"), "audio_type"),
        (Rvm(brand_id="b", audio_url="https://a.example/a", audio_type="ogg"), "audio_type"),
        (Rvm(brand_id="b", recording_id="r", postal_code="SW1A 1AA"), "postal_code"),
        (Rvm(brand_id="b", recording_id="r", postal_code="k1a0b1"), "K1A 0B1"),
        (Rvm(brand_id="b", recording_id="r", postal_code=2101), "postal_code"),  # type: ignore[arg-type]
        (Rvm(brand_id="b", recording_id="r", pool_id=" "), "pool_id is empty"),
        (Rvm(brand_id="b", recording_id="", audio_url="https://a.example/a"), "recording_id is empty"),
        (Rvm(brand_id="b", recording_id=7), "recording_id is a int: give text"),  # type: ignore[arg-type]
        (Rvm(brand_id="b", voice_id="v", tts_body="Hello Ann\ud800"), "tts_body holds half a character"),
        *(
            (Rvm(brand_id="b", audio_url=url), "audio_url is not a URL")
            for url in ("nonsense", "ftp://a.example/a", "https://", "https://a b", "https://[::1", "//a.example/a")
        ),
        (Sms(caller_id="", pool_id="p", sms_body="Hello Ann"), "caller_id"),
        (Sms(caller_id="+15045550100", pool_id="", sms_body="Hello Ann"), "default_pool_id"),
        (Sms(caller_id="+15045550100", pool_id="p", sms_body=""), "sms_body"),
        (Sms(caller_id="+15045550100", pool_id="p", sms_body="Hello Ann" * 18), "162 characters"),
        (Sms(caller_id="+15045550100", pool_id="p", sms_body="😀" * 81), "162 characters"),
        (Rvm(brand_id="b", recording_id="r", contact_id="c"), "contact_id is unknown .* a connection of API v2"),
        (Rvm(brand_id="b", recording_id="r", caller_id="+15045550100"), "caller_id is unknown .* byoc_secret"),
        (Rvm(brand_id="b", recording_id="r", sti_attestation="A"), "sti_attestation is unknown"),
        (Sms(caller_id="+15045550100", pool_id="p", sms_body="Hi", contact_id="c"), "contact_id is unknown"),
        (Sms(caller_id="+15045550100", pool_id="p", sms_body="Hi", media_ids=["m"]), "media_ids is unknown"),
    ],
)
def test_a_message_that_the_vendor_would_refuse_names_its_fault(content: Content, named: str) -> None:
    with pytest.raises(ConfigurationError, match=named) as caught:
        DEFAULT.rules.check(content)
    assert "Ann" not in str(caught.value)
