"""Signed webhooks of API v2 at the door: whose secret signed them."""

from collections.abc import Mapping
from typing import Final

from airflow_provider_dropcowboy.api.callbacks import content_of
from airflow_provider_dropcowboy.api.versions import KEYED
from airflow_provider_dropcowboy.clock import utcnow
from airflow_provider_dropcowboy.errors import CallbackError
from airflow_provider_dropcowboy.receiver.arrival import Signed
from airflow_provider_dropcowboy.secret import Secret

NOT_CONFIGURED: Final = "not_configured"
MAY_BE_NEW: Final = frozenset({NOT_CONFIGURED, "invalid_signature"})
"""Faults that a secret would explain which is not known here yet."""

Secrets = Mapping[str, tuple[Secret, ...]]
"""Signing secrets by account."""


def verify(body: bytes, headers: Mapping[str, str], *secrets: Secrets) -> Signed | str:
    """Whose secret signed these very bytes, a short time ago; else the fault, as the vendor words it.

    Each secret is tried, in constant time.
    """
    check = KEYED.signature_fault
    if check is None:
        return NOT_CONFIGURED
    found: str = NOT_CONFIGURED
    for account in dict.fromkeys(account for some in secrets for account in some):
        fault = check(
            body,
            signature=headers.get("x-signature"),
            timestamp=headers.get("x-timestamp"),
            version=headers.get("x-signature-version"),
            secrets=[secret for some in secrets for secret in some.get(account, ())],
            at=utcnow(),
        )
        if fault is None:
            return Signed(account)
        found = str(fault)
    return found


def is_object(body: bytes) -> bool:
    """Whether a body is a JSON object."""
    try:
        content_of(body)
    except CallbackError:
        return False
    return True
