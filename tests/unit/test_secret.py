"""Credentials do not print, and digests are the standard library's."""

import copy
import hmac
import pickle
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_dropcowboy.secret import MASK, Secret, hmac_sha256


def test_a_secret_prints_masked_in_every_way() -> None:
    secret = Secret("s3cr3t/ä")
    assert f"{secret} {secret!r} {secret!s} {[secret]} %s" % secret == f"{MASK} {MASK} {MASK} [{MASK}] {MASK}"


def test_a_secret_is_read_only_by_asking_for_it() -> None:
    secret = Secret("s3cr3t")
    assert secret.reveal() == "s3cr3t"
    assert not hasattr(secret, "__dict__")


@pytest.mark.parametrize("leave", [pickle.dumps, copy.copy, copy.deepcopy])
def test_a_secret_does_not_leave_the_process(leave: object) -> None:
    assert callable(leave)
    with pytest.raises(TypeError) as refused:
        leave(Secret("s3cr3t"))
    assert "s3cr3t" not in str(refused.value)


@given(st.text())
def test_every_spelling_in_a_url_is_known_for_masking(value: str) -> None:
    forms = Secret(value).forms()
    assert {value, quote(value), quote(value, safe=""), quote_plus(value)} == forms
    assert urlencode({"secret": value}).removeprefix("secret=") in forms


@given(st.text(), st.text())
def test_secrets_compare_by_value(one: str, other: str) -> None:
    assert (Secret(one) == Secret(other)) == (one == other)
    assert one != other or hash(Secret(one)) == hash(Secret(other))
    assert Secret(one) != one
    assert bool(Secret(one)) == bool(one)


@given(key=st.binary(min_size=1, max_size=200), content=st.binary(max_size=3_000))
def test_a_digest_is_that_of_the_standard_library(key: bytes, content: bytes) -> None:
    assert hmac_sha256(key, content) == hmac.digest(key, content, "sha256").hex()
