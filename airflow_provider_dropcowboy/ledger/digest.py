"""Keyed digests: names that nobody can guess, or try out numbers against, without the ledger's key."""

from typing import Final

from airflow_provider_dropcowboy.phone import Phone
from airflow_provider_dropcowboy.secret import hmac_sha256

FOREIGN_ID_CHARACTERS: Final = 48
DIGEST_CHARACTERS: Final = 32
PREFIX_CHARACTERS: Final = 12
"""Of a foreign_id: the part that all sends of a campaign share."""


def digest(key: bytes, *parts: str) -> str:
    """HMAC-SHA256 over length-prefixed parts, in hex: ("a|b", "c") and ("a", "b|c") differ."""
    return hmac_sha256(key, framed(*parts))


def framed(*parts: str) -> bytes:
    """The parts, each after its length. What many digests begin with is framed once."""
    return b"".join(map(framed_text, parts))


def framed_text(text: str) -> bytes:
    """One part after its length."""
    encoded = text.encode()
    return len(encoded).to_bytes(4, "big") + encoded


def number_digest(key: bytes, phone: Phone) -> str:
    """The number's name over all campaigns of a ledger."""
    return hmac_sha256(key, _NUMBER + framed_text(phone.e164))[:DIGEST_CHARACTERS]


_NUMBER: Final = framed("number")
