"""A credential that does not print, and digests under a secret key."""

import hashlib
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from hashlib import _Hash

MASK: Final = "***"
BLOCK_BYTES: Final = 64  # of SHA-256


class Secret:
    """A credential: prints as ``***``, compares by value, and is read through :meth:`reveal` alone."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The credential itself; only for a header, a body or a key derivation."""
        return self._value

    def forms(self) -> frozenset[str]:
        """Every spelling in which it may turn up in a text: itself and its URL-encoded forms."""
        return frozenset({self._value, quote(self._value, safe=""), quote(self._value), quote_plus(self._value)})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash((Secret, self._value))

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return MASK

    __str__ = __repr__

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a Secret is not pickled: it would leave the process in clear")


def texts_in(value: object) -> Iterator[str]:
    """Every text in a JSON value: any of them may be a credential."""
    match value:
        case str():
            yield value
        case dict():
            for item in value.values():
                yield from texts_in(item)
        case list():
            for item in value:
                yield from texts_in(item)


def hmac_sha256(key: bytes, content: bytes) -> str:
    """HMAC-SHA256 (RFC 2104), in hex.

    ``hmac.digest`` returns the same and releases the interpreter each time. Another thread then has it for up to 5 ms,
    and a send makes four digests.
    """
    keyed_inner, keyed_outer = _keyed_states(key)
    inner, outer = keyed_inner.copy(), keyed_outer.copy()
    inner.update(content)
    outer.update(inner.digest())
    return outer.hexdigest()


@lru_cache(maxsize=16)
def _keyed_states(key: bytes) -> "tuple[_Hash, _Hash]":
    """The inner and the outer hash once they have read the key."""
    block = (hashlib.sha256(key).digest() if len(key) > BLOCK_BYTES else key).ljust(BLOCK_BYTES, b"\0")
    return hashlib.sha256(bytes(byte ^ 0x36 for byte in block)), hashlib.sha256(bytes(byte ^ 0x5C for byte in block))
