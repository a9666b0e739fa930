"""Secrets in the ledger, sealed under a callback secret: whoever reads the ledger alone cannot use them.

Whoever has the callback secret can make a callback's token anyway, so sealing under it trusts nobody anew.
"""

from base64 import urlsafe_b64encode
from collections.abc import Iterable
from typing import Final

from airflow_provider_dropcowboy.secret import Secret, hmac_sha256

_PURPOSE: Final = b"dropcowboy webhook signing secret"


def seal(secret: Secret, *, under: Secret) -> str:
    """A text that is the secret for those alone who have ``under``."""
    from cryptography.fernet import Fernet

    return Fernet(_key(under)).encrypt(secret.reveal().encode()).decode()


def unseal(sealed: str, *, keys: Iterable[Secret]) -> Secret | None:
    """The secret; None: it was sealed under none of the keys."""
    from cryptography.fernet import Fernet, InvalidToken

    for key in keys:
        try:
            return Secret(Fernet(_key(key)).decrypt(sealed.encode()).decode())
        except InvalidToken:
            continue
    return None


def _key(under: Secret) -> bytes:
    return urlsafe_b64encode(bytes.fromhex(hmac_sha256(under.reveal().encode(), _PURPOSE)))
