"""A phone number that is valid once it exists, and that prints masked."""

import re
import unicodedata
from dataclasses import dataclass
from decimal import Decimal
from functools import cache
from math import isnan
from numbers import Integral
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from phonenumbers import PhoneNumber

# phonenumbers is imported where it is needed: it costs 50 ms, and every parse of a DAG would pay them.

MAX_E164_DIGITS: Final = 15  # ITU-T E.164, 6.2.1
MAX_WRITTEN_CHARACTERS: Final = (
    100  # two numbers with remarks; a longer cell is a text, and costs the patterns below time
)


class PhoneError(ValueError):
    """Text that is no usable phone number; the message is a reason and does not repeat the text."""


@dataclass(frozen=True, slots=True, repr=False)
class Phone:
    """A valid number in E.164. It prints as ``+1********44``; ``.e164`` is read where a number is really needed.

    Made by :meth:`parse`; directly only from text that was parsed before, such as the ledger's.
    """

    e164: str

    @classmethod
    def parse(cls, value: object, *, region: str) -> "Phone":
        """The number that a person wrote, or a reason; never a guess, since a guessed number rings at a stranger's.

        Any common notation of one number: ``504-555-0100``, ``(504) 555-0100``, ``1.504.555.0100``,
        ``+1 504 555 0100``, ``504/555-0100``, ``tel:+1-504-555-0100``, ``011 1 504 555 0100`` (the region's own
        international prefix; ``00`` only where that is the prefix, because a zero-padded US number would else be one in
        Honduras), digits of other scripts, and whole numbers, also as float and as the text of one (``5045550100.0``).

        Refused: letters (``1-800-FLOWERS``), an extension, two numbers in a cell, premium-rate and shared-cost numbers,
        and texts that are no number of their country: local, short and emergency numbers.

        :param value: a cell: text, int, float or Decimal; numbers without a country code belong to ``region``.
        :param region: a country that :func:`is_region` knows, by ISO 3166 alpha-2, such as ``US``.
        :raises PhoneError: with one of a few reasons, without the text.
        """
        text = _as_text(value).strip()
        if (plain := _PLAIN.fullmatch(text)) and (plain["plus"] or _is_north_american(region)):
            digits = "".join(plain.group("area_code", "exchange", "line"))
            if _is_ordinary(digits):
                return cls(f"+1{digits}")

        import phonenumbers
        from phonenumbers import PhoneNumberFormat, PhoneNumberType

        try:
            number = phonenumbers.parse(_one_number(text), region)
        except phonenumbers.NumberParseException as error:
            raise PhoneError(_PARSE_REASONS.get(error.error_type, "not a phone number")) from None
        kind = phonenumbers.number_type(number)
        if kind == PhoneNumberType.UNKNOWN and not new_area_code(number):
            raise PhoneError(
                _POSSIBLE_REASONS.get(phonenumbers.is_possible_number_with_reason(number), "no such number")
            )
        if kind in (PhoneNumberType.PREMIUM_RATE, PhoneNumberType.SHARED_COST):
            raise PhoneError("a premium-rate number")
        e164 = phonenumbers.format_number(number, PhoneNumberFormat.E164)
        if len(e164) > MAX_E164_DIGITS + 1:  # some plans have no upper bound: two numbers of Berlin in a row are valid
            raise PhoneError("too long")
        return cls(e164)

    def __repr__(self) -> str:
        """Country code and the last two digits; whatever it holds, printing it does not fail."""
        country = next((self.e164[1:end] for end in (2, 3, 4) if self.e164[1:end] in _country_codes()), "")
        hidden = len(self.e164) - len(country) - 3
        return f"+{country}{'*' * hidden}{self.e164[-2:]}" if hidden > 0 else "+***"

    __str__ = __repr__


def new_area_code(number: "PhoneNumber") -> str | None:
    """The North American area code, if it may have come into service after the release of phonenumbers; else None.

    Area codes are given out a year or two before libraries know them (861 in Illinois, 621 in Houston). A code that no
    place can get is none: those for services (211, 555, 710, 88X, 950), for longer numbers (X9X), and 37X, 96X.
    Source: the North American Numbering Plan Administration's lists of reserved codes.
    """
    import phonenumbers

    digits = str(number.national_number)
    if number.country_code != 1 or not _NEW_NUMBER.fullmatch(digits):
        return None
    neighbour = phonenumbers.PhoneNumber(country_code=1, national_number=int(digits[:3] + "2345678"))
    return None if phonenumbers.region_code_for_number(neighbour) else digits[:3]


def is_region(code: str) -> bool:
    """Whether numbers without a country code can be read as numbers of this region (ISO 3166 alpha-2)."""
    import phonenumbers

    return code in phonenumbers.SUPPORTED_REGIONS


_PARSE_REASONS: Final = {  # NumberParseException.error_type
    0: "no such country code",
    2: "too short",
    3: "too short",
    4: "too long",
}
_POSSIBLE_REASONS: Final = {  # ValidationResult
    1: "no such country code",
    2: "too short",
    3: "too long",
    4: "the area code is missing",
}

_NONE: Final = "(?!)"  # matches nothing
_NEW_NUMBER: Final = re.compile(r"(?!37|96|88|710|950)[2-9]([0-8])(?!\1)[0-9][2-9](?!11)[0-9]{6}")
_PLAIN: Final = re.compile(  # as most numbers of North America are written
    r"(?:(?P<plus>\+)?1[ .-]?)?\(?(?P<area_code>[2-9][0-9]{2})\)?[ .-]?(?P<exchange>[0-9]{3})[ .-]?(?P<line>[0-9]{4})"
)
_NUMBER: Final = re.compile(r"\(?\+?\(?[0-9](?:[0-9 ().\u2010-\u2015\u2212-]*[0-9])?")
_SEVERAL: Final = re.compile(r"[0-9][0-9 ().-]{5,}[0-9][^0-9]*[^0-9 ().-][^0-9]*[0-9][0-9 ().-]{5,}[0-9]")
_EXTENSION: Final = re.compile(r"[0-9] *(?:x|ext|extn|extension|#|,|;|;ext=)[ .:]*[0-9]+", re.IGNORECASE)
_SCIENTIFIC: Final = re.compile(r"[+-]?[0-9](?:[.,][0-9]+)?E[+-]?[0-9]+", re.IGNORECASE)
_WHOLE_AS_DECIMAL: Final = re.compile(r"(\+?[0-9]{7,15})\.0+")


def _as_text(value: object) -> str:
    """A cell as text: a number column read as float (5045550100.0) is the number that was meant."""
    match value:
        case None:
            return ""
        case str():
            return value
        case bool():
            raise PhoneError("a truth value, not a phone number")
        case float() if isnan(value):  # how a data frame writes NULL
            return ""
        case Decimal() if value.is_nan():
            return ""
        case float() | Decimal():
            if not 0 <= value < 10**MAX_E164_DIGITS or value != int(value):
                raise PhoneError("not a whole number")
            return str(int(value))
        case Integral():
            return str(int(value))
        case _:  # bytes; numpy.float32, which has lost the last digits
            raise PhoneError("neither text nor a whole number")


def _one_number(text: str) -> str:
    """The text, if it is written like one phone number: phonenumbers itself would look for one inside any text."""
    if not text.isascii():
        text = "".join(
            str(unicodedata.decimal(char)) if char.isdecimal() else char
            for char in unicodedata.normalize("NFKC", text)
            if unicodedata.category(char) != "Cf"  # marks of writing direction come along when a number is copied
        )
    text = text.strip()
    if text[:4].lower() == "tel:":
        text = text[4:].strip()
    if not text:
        raise PhoneError("empty")
    if len(text) > MAX_WRITTEN_CHARACTERS:
        raise PhoneError("too long")
    if decimal := _WHOLE_AS_DECIMAL.fullmatch(text):
        return decimal[1]
    number = text
    area_code, slash, rest = text.partition("/")
    if slash and 2 <= _count_digits(area_code) <= 5 and _count_digits(rest) >= 6:
        number = f"{area_code} {rest}"
    if _NUMBER.fullmatch(number):
        return number
    if _SEVERAL.search(text):
        raise PhoneError("more than one number")
    if _EXTENSION.search(text):
        raise PhoneError("has an extension")
    if _SCIENTIFIC.fullmatch(text):
        raise PhoneError("in scientific notation; read the column as text")
    if any(char.isalpha() for char in text):
        raise PhoneError("has letters")
    raise PhoneError("has characters that no phone number has")


@cache
def _is_north_american(region: str) -> bool:
    import phonenumbers

    return bool(phonenumbers.country_code_for_region(region) == 1)


def _is_ordinary(digits: str) -> bool:
    """Whether ten digits are a number of some country of +1 that costs no more, for a thirtieth of the library's time.

    What is none may still be a number: an area code that is newer than the library, for one.
    """
    return bool(_ordinary("US", "CA").fullmatch(digits) or _ordinary(*_beginning(digits[:4])).fullmatch(digits))


@cache
def _beginning(digits: str) -> tuple[str, ...]:
    """The countries of +1 with few numbers whose numbers begin so."""
    import phonenumbers

    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE[1]
    tables = [phonenumbers.PhoneMetadata.metadata_for_region(region) for region in regions]
    return tuple(each.id for each in tables if each and each.leading_digits and re.match(each.leading_digits, digits))


@cache
def _ordinary(*regions: str) -> re.Pattern[str]:
    """The patterns by which phonenumbers itself tells the kinds of numbers, of some countries of +1 in one.

    That of all 25 takes 8 ms to make, at the start of each run.
    """
    import phonenumbers

    def patterns(*kinds: str) -> str:
        tables = [phonenumbers.PhoneMetadata.metadata_for_region(region) for region in regions]
        found = [getattr(table, kind) for table in tables for kind in kinds]
        texts = (kind.national_number_pattern for kind in found if kind is not None)
        return "|".join(dict.fromkeys(f"(?:{text})" for text in texts if text))

    dear = patterns("premium_rate", "shared_cost")
    usual = patterns("fixed_line", "mobile", "toll_free", "voip", "personal_number", "pager", "uan", "voicemail")
    return re.compile(f"(?!(?:{dear or _NONE})\\Z)(?:{usual or _NONE})")


def _count_digits(text: str) -> int:
    return sum(char.isdecimal() for char in text)


@cache
def _country_codes() -> frozenset[str]:
    import phonenumbers

    return frozenset(map(str, phonenumbers.COUNTRY_CODE_TO_REGION_CODE))
