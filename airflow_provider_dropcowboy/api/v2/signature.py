"""Whether a webhook is the vendor's own (API v2, ``X-Signature``)."""

import hashlib
import hmac
from collections.abc import Collection
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from airflow_provider_dropcowboy.secret import Secret

TOLERANCE: Final = timedelta(seconds=300)  # API v2, webhook deliveries: either way
PREFIX: Final = "sha256="
VERSION: Final = "v1"  # of the signature, not of the API
MAX_TIMESTAMP_DIGITS: Final = 12


class SignatureFault(StrEnum):
    """Why a webhook is not trusted; the value is the code of the vendor's own sample receivers."""

    NOT_CONFIGURED = "not_configured"
    MISSING = "missing_signature"
    STALE = "stale_timestamp"
    INVALID = "invalid_signature"


def signature_fault(
    body: bytes,
    *,
    signature: str | None,
    timestamp: str | None,
    version: str | None,
    secrets: Collection[Secret],
    at: datetime,
) -> SignatureFault | None:
    """Why a webhook must not be trusted; None: the vendor signed these very bytes, a short time ago.

    Call it before the body is parsed. The checks come in the vendor's order (API v2, webhook deliveries).

    :param body: as received, byte for byte.
    :param signature: header ``X-Signature``; None: there is none.
    :param timestamp: header ``X-Timestamp``, seconds since 1970.
    :param version: header ``X-Signature-Version``, which is optional.
    :param secrets: every configured signing secret; each is tried, in constant time.
    :param at: now, aware.
    """
    if not secrets:
        return SignatureFault.NOT_CONFIGURED
    if not signature or not timestamp:
        return SignatureFault.MISSING
    if not _is_recent(timestamp, at):
        return SignatureFault.STALE
    if version and version != VERSION:
        return SignatureFault.INVALID
    given, signed = signature.encode(), timestamp.encode() + b"." + body
    # a list: no secret is left out once another has matched
    matches = [hmac.compare_digest(given, sign(signed, secret=secret).encode()) for secret in secrets]
    return None if any(matches) else SignatureFault.INVALID


def sign(signed: bytes, *, secret: Secret) -> str:
    """The value of ``X-Signature`` for ``timestamp + "." + body``; the key is the secret's text, not decoded."""
    return PREFIX + hmac.digest(secret.reveal().encode(), signed, hashlib.sha256).hex()


def _is_recent(timestamp: str, at: datetime) -> bool:
    if not timestamp.isascii() or not timestamp.isdigit() or len(timestamp) > MAX_TIMESTAMP_DIGITS:
        return False
    # whole seconds, as in the vendor's vectors: exactly 300 s old is still in time
    return abs(int(at.timestamp()) - int(timestamp)) <= TOLERANCE.total_seconds()
