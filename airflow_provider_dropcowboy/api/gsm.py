"""The alphabet of text messages: with one character outside it, a text goes out in parts of 70 characters."""

from typing import Final

_ALPHABET: Final = frozenset(  # 3GPP TS 23.038, 6.2.1: the default alphabet and its extension
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà\f^{}\\[~]|€"
)


def count_outside_gsm(text: str) -> int:
    """How many characters of the text are outside GSM 03.38."""
    return sum(character not in _ALPHABET for character in text)
