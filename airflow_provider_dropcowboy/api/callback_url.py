"""Where the vendor posts a result: a URL that only the vendor knows, or somebody who got it from them."""

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from airflow_provider_dropcowboy.secret import Secret, hmac_sha256

PATH: Final = "/callbacks/"
KEY_ID_CHARACTERS: Final = 8
MAC_CHARACTERS: Final = 32


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a verified URL says: which request of which send the callback is about."""

    foreign_id: str
    attempt: int


def key_id(secret: Secret) -> str:
    """Which secret a token was made with; it does not give the secret away."""
    return hashlib.sha256(b"dropcowboy key id\0" + secret.reveal().encode()).hexdigest()[:KEY_ID_CHARACTERS]


class CallbackUrls:
    """Makes the URL of each request.

    :param base_url: public base URL of the receiver.
    """

    def __init__(self, base_url: str, secret: Secret) -> None:
        self._start = base_url.rstrip("/") + PATH
        self._key = secret.reveal().encode()
        self._key_id = key_id(secret)

    def url(self, ticket: Ticket) -> str:
        """``{base}/callbacks/{foreign_id}.{attempt}.{key id}.{HMAC}``: no secret and no personal data in it."""
        mac = _mac(self._key, ticket)
        return f"{self._start}{ticket.foreign_id}.{ticket.attempt}.{self._key_id}.{mac}"


def keys_of(secrets: Iterable[Secret]) -> dict[str, bytes]:
    """Secrets by their ids: the one in use, and retired ones under which sends are still open."""
    return {key_id(secret): secret.reveal().encode() for secret in secrets}


def read_token(token: str, keys: Mapping[str, bytes]) -> Ticket | None:
    """The ticket of a URL's last part; None: forged, or made with a secret that is not known here."""
    parts = token.split(".")
    if len(parts) != 4 or not token.isascii() or not parts[1].isdigit() or len(parts[1]) > 6:
        return None
    foreign_id, attempt, named, mac = parts
    key = keys.get(named)
    if key is None:
        return None
    ticket = Ticket(foreign_id, int(attempt))
    return ticket if hmac.compare_digest(mac, _mac(key, ticket)) else None


def names_other_key(token: str, keys: Mapping[str, bytes]) -> bool:
    """Whether a URL's last part is written like a token of a secret that is not among these."""
    parts = token.split(".")
    return len(parts) == 4 and len(parts[2]) == KEY_ID_CHARACTERS and parts[2] not in keys


def _mac(key: bytes, ticket: Ticket) -> str:
    return hmac_sha256(key, f"{ticket.foreign_id}.{ticket.attempt}".encode())[:MAC_CHARACTERS]
