"""Keyed digests: names that nobody can guess, or try out numbers against, without the ledger's key."""

import hmac

from airflow_provider_dropcowboy.ledger.schema import DIGEST_CHARACTERS
from airflow_provider_dropcowboy.phone import Phone


def digest(key: bytes, *parts: str) -> str:
    """HMAC-SHA256 over length-prefixed parts, in hex: ("a|b", "c") and ("a", "b|c") differ."""
    pieces: list[bytes] = []
    for part in parts:
        encoded = part.encode()
        pieces += (len(encoded).to_bytes(4, "big"), encoded)
    return hmac.digest(key, b"".join(pieces), "sha256").hex()


def number_digest(key: bytes, phone: Phone) -> str:
    """The number's name over all campaigns of a ledger."""
    return digest(key, "number", phone.e164)[:DIGEST_CHARACTERS]
