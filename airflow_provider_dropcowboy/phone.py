"""A phone number that is valid once it exists, and that prints masked."""

from typing import Final

import phonenumbers

REGIONS: Final = frozenset(phonenumbers.SUPPORTED_REGIONS)


class PhoneError(ValueError):
    """Text that is no usable phone number; the message is a reason and does not repeat the text."""


class Phone:
    """A valid number in E.164. It prints as ``+1********44``; ``.e164`` is read where a number is really needed."""

    __slots__ = ("e164",)

    def __init__(self, e164: str) -> None:
        self.e164: Final = e164

    @classmethod
    def parse(cls, text: object, *, region: str) -> "Phone":
        """The number that a person wrote.

        :param text: any notation; numbers without a country code belong to ``region``.
        :param region: ISO 3166 alpha-2, such as ``US``.
        :raises PhoneError: empty, not a number, with an extension, or not valid in its country.
        """
        written = _as_text(text)
        if not written:
            raise PhoneError("no phone number")
        try:
            number = phonenumbers.parse(written, region)
        except phonenumbers.NumberParseException:
            raise PhoneError("not a phone number") from None
        if number.extension:
            raise PhoneError("has an extension")
        if not phonenumbers.is_valid_number(number):
            raise PhoneError("not a valid number in its country")
        return cls(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Phone) and self.e164 == other.e164

    def __hash__(self) -> int:
        return hash((Phone, self.e164))

    def __repr__(self) -> str:
        country = str(phonenumbers.parse(self.e164).country_code)
        return f"+{country}{'*' * (len(self.e164) - len(country) - 3)}{self.e164[-2:]}"

    __str__ = __repr__


def _as_text(value: object) -> str:
    """A cell as text: a number column read as float (5045550100.0) is the number that was meant."""
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else ""
    return str(value).strip()
